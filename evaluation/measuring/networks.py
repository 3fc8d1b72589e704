"""Networks that are opened once each, however many metrics and protocols use them."""

import logging
from collections.abc import Mapping
from pathlib import Path

from evaluation.features.extraction import ExtractionOptions, StoredNetwork
from evaluation.networks.registry import build
from evaluation.protocol.fields import Protocol
from evaluation.similarity.videos.pixels import open_pixels

logger = logging.getLogger(__name__)


class Networks:
    """Networks by name, output and resizing, with the place of their features.

    Args:
        options: how features are extracted, and where they are kept.
        weights: files of weights by the network's name, where they are not the usual ones.
    """

    def __init__(
        self, options: ExtractionOptions | None = None, weights: Mapping[str, Path] | None = None
    ) -> None:
        self.options = options or ExtractionOptions(workers=0, progress=False)
        self.weights = dict(weights or {})
        self._opened: dict[tuple[str, str, str], StoredNetwork] = {}

    def open(self, protocol: Protocol) -> StoredNetwork:
        """The network of a protocol.

        Raises:
            InputError: no such network, or weights that cannot be had or do not fit.
        """
        name = protocol.network
        key = (name, protocol.output, protocol.resize)
        if key not in self._opened:
            extractor = build(
                name,
                self.weights.get(name),
                self.options.device,
                batch_size=self.options.batch_size,
                output=protocol.output,
                resize=protocol.resize,
            )
            if extractor.probe_difference is not None:
                logger.warning(
                    "%s runs as %s, which differs from the published path by %.1e of the largest "
                    "feature on the probe clips",
                    *(name, extractor.path_taken, extractor.probe_difference),
                )
            self._opened[key] = StoredNetwork.open(extractor, self.options.store)
        return self._opened[key]


class PixelNetworks(Networks):
    """Pixels in the place of every network."""

    def open(self, protocol: Protocol) -> StoredNetwork:
        """The similarities of pixels in clips of the protocol's length."""
        return open_pixels(self.options.store, protocol.num_frames)
