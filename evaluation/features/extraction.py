"""Clips → features: a map over the plan. Each clip is decoded once, whatever the networks.

Rows are stored under the content that they describe, so batch size, workers, processes and crashes
cannot change a result: they change only which rows are computed when.
"""

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.features.store import FeatureStore
from evaluation.networks.extractor import Extractor
from evaluation.networks.spec import Forward, NetworkSpec, OpenedNetwork
from evaluation.networks.weights import LocatedWeights
from evaluation.protocol.content import content_key
from evaluation.statistics.running import Statistics, streamed_statistics
from latte.data.clips import Clip
from latte.data.errors import BrokenVideoError, InputError
from latte.data.loading import Preparation, clip_identity, frame_size, load_in_workers
from latte.data.progress import progress_bar

ROWS_AT_ONCE = 1024


@dataclass(frozen=True, kw_only=True)
class ExtractionOptions:
    """How features are extracted; on a CPU none of it affects results, on a GPU the last bits."""

    store: Path | None = None  # folder of features; None keeps them in memory, for this run alone
    device: str = "cpu"
    batch_size: int = 8  # clips decoded before the network runs
    workers: int = 2  # decoding processes; 0 decodes in the main process
    timeout: float = 120.0  # seconds that one video may take before it counts as broken
    skip_broken: bool = False
    progress: bool = True


class StoredNetwork:
    """A network, as it runs with its weights on its device, and the place of its features."""

    def __init__(self, extractor: Extractor, root: Path | None) -> None:
        self.extractor = extractor
        space = {
            "network": extractor.spec.name,
            "version": extractor.spec.version,
            "weights_sha256": extractor.weights.sha256,
            "output": extractor.spec.output,
            "resize": extractor.spec.resize,
            "run": extractor.path_taken,
            "device": str(extractor.device).partition(":")[0],
            "precision": "float32",
        }
        self.store = FeatureStore(root, space)

    @classmethod
    def of_function(cls, spec: NetworkSpec, forward: Forward, root: Path | None) -> "StoredNetwork":
        """A function of clips in the place of a network, on the CPU: there are no weights."""
        extractor = Extractor(
            spec=spec,
            weights=LocatedWeights(path=Path(spec.name), sha256="", published=True, label="none"),
            device="cpu",
            run=OpenedNetwork(forward=forward, path_taken="no network"),
        )
        return cls(extractor, root)

    def features(self, keys: Sequence[bytes]) -> np.ndarray:
        """All rows at once, float32: (clips, D), or (frames of all clips, D) of a frame network."""
        return np.concatenate([np.atleast_2d(row) for row in self.store.rows(keys)])

    def frame_features(self, keys: Sequence[bytes]) -> np.ndarray:
        """Rows of a frame network, clip by clip: (clips, T, D) float32.

        Raises:
            InputError: clips of different lengths.
        """
        rows = self.store.rows(keys)
        if len({len(row) for row in rows}) > 1:
            raise InputError(
                "clips of different lengths have no common frame positions: use a protocol whose "
                "offsets are first or random"
            )
        return np.stack(rows)

    def statistics(self, keys: Sequence[bytes], ddof: int = 0) -> Statistics:
        """Mean and covariance of the rows, streamed in the order of the plan."""
        starts = range(0, len(keys), ROWS_AT_ONCE)
        pieces = (self.features(keys[start : start + ROWS_AT_ONCE]) for start in starts)
        return streamed_statistics(pieces, ddof=ddof)


@dataclass(frozen=True, kw_only=True)
class Extraction:
    """Where the features of a plan's clips are, and which clips could not be read."""

    keys: tuple[bytes, ...]  # readable clips, in the order of the plan
    broken: tuple[tuple[str, str], ...]  # (video name, sentence)
    decoded: int  # clips that were not in the store


def extract(
    clips: Sequence[Clip],
    networks: Sequence[StoredNetwork],
    preparation: Preparation,
    options: ExtractionOptions,
    *,
    label: str,
) -> Extraction:
    """Fill the stores with the features of these clips, except those that they hold already.

    Raises:
        InputError: clips of different sizes, or features that are not finite.
        BrokenVideoError: a video that cannot be read, unless `options.skip_broken`.
    """
    check_sizes(clips, preparation, label)
    keys: list[bytes] = []
    missing: dict[bytes, Clip] = {}
    broken: list[tuple[str, str]] = []
    for clip, key in zip(clips, _content_keys(clips, preparation, options), strict=True):
        if isinstance(key, BrokenVideoError):
            _keep_or_raise(key, clip, options, broken)
            continue
        keys.append(key)
        if any(key not in network.store for network in networks):
            missing[key] = clip
    decoded = 0
    if missing:
        total = len(set(keys))
        known = total - len(missing)
        with progress_bar(total, label, "clip", shown=options.progress, initial=known) as bar:
            try:
                for batch in _batches(missing, preparation, options, broken):
                    _run_networks(batch, networks)
                    bar.update(len(batch))
                    decoded += len(batch)
            finally:
                for network in networks:
                    network.store.flush()
    return Extraction(keys=tuple(keys), broken=tuple(broken), decoded=decoded)


def check_sizes(clips: Sequence[Clip], preparation: Preparation, label: str) -> None:
    """Refuse clips of different height or width."""
    first = frame_size(clips[0], preparation)
    for clip in clips:
        size = frame_size(clip, preparation)
        if size != first:
            raise InputError(
                f"{label}: {clips[0].video.name} is {first[1]}×{first[0]} but {clip.video.name} is "
                f"{size[1]}×{size[0]}: bring them to one size with "
                "`latte-eval prepare`"
            )


def _content_keys(
    clips: Sequence[Clip], preparation: Preparation, options: ExtractionOptions
) -> list[bytes | BrokenVideoError]:
    def key(clip: Clip) -> bytes | BrokenVideoError:
        try:
            return content_key(clip_identity(clip, preparation))
        except BrokenVideoError as error:
            return error

    # Hashing reads files and leaves Python's lock, so threads are enough.
    with ThreadPoolExecutor(max_workers=max(1, options.workers)) as pool:
        return list(pool.map(key, clips))


def _batches(
    missing: dict[bytes, Clip],
    preparation: Preparation,
    options: ExtractionOptions,
    broken: list[tuple[str, str]],
) -> Iterator[dict[bytes, np.ndarray]]:
    """Decoded clips by key, `batch_size` at a time; broken ones go to `broken` or are raised."""
    clips = list(missing.values())
    frames = load_in_workers(clips, preparation, workers=options.workers, timeout=options.timeout)
    batch: dict[bytes, np.ndarray] = {}
    with closing(frames):
        for key, clip, decoded in zip(missing, clips, frames, strict=True):
            if isinstance(decoded, BrokenVideoError):
                _keep_or_raise(decoded, clip, options, broken)
                continue
            batch[key] = decoded
            if len(batch) == options.batch_size:
                yield batch
                batch = {}
    if batch:
        yield batch


def _keep_or_raise(
    error: BrokenVideoError, clip: Clip, options: ExtractionOptions, broken: list[tuple[str, str]]
) -> None:
    if not options.skip_broken:
        raise error
    broken.append((clip.video.name, error.problem))


def _run_networks(batch: dict[bytes, np.ndarray], networks: Sequence[StoredNetwork]) -> None:
    lengths = {len(clip) for clip in batch.values()}  # taking every frame leaves shorter last clips
    for network, length in itertools.product(networks, sorted(lengths)):
        new_keys = [
            key for key, clip in batch.items() if len(clip) == length and key not in network.store
        ]
        if not new_keys:
            continue
        rows = network.extractor(np.stack([batch[key] for key in new_keys]))
        if not np.isfinite(rows).all():
            raise InputError(
                f"network {network.extractor.spec.name} gives features that are not finite with "
                f"the weights {network.extractor.weights.path}: check that file"
            )
        for key, row in zip(new_keys, rows, strict=True):
            network.store.add(key, row)
