"""A network that is ready to be used: uint8 clips in, float32 features out."""

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluation.networks.choices import Choice, recall, remember
from evaluation.networks.spec import NetworkSpec, OpenedNetwork
from evaluation.networks.weights import LocatedWeights
from latte.data.errors import InputError
from latte.data.processes.workers import own_cores

if TYPE_CHECKING:
    from torch import Tensor


class Extractor:
    """Clips in, features out.

    in      uint8 (N, T, H, W, 3), RGB, T from spec.min_frames to spec.max_frames; any size,
            resized inside
    out     float32 (N, D); of a frame network (N, T, D)

    On a CPU the network always sees `spec.cpu_chunk` clips at once, the last chunk filled up with
    zeros, so a row has the same bits whatever else is in the call. On a GPU it sees `batch_size`
    clips; rows there may differ in the last bits between batch sizes.

    Each group is computed by one thread, several groups at the same time: convolutions give other
    last bits on other numbers of threads, and rows depend neither on the cores of a machine nor on
    the processes that share them.

    Its file of weights is read by `open`, or when a clip first needs it. What is known of the
    network before that is remembered from an earlier run on this machine (`choices`).

    Args:
        run: the opened network, if there is no file to open.
        choice_key: under which the choice among the implementations is remembered, if it is.
        exact: take the published path or, where it does not give this output, our plain network.
    """

    def __init__(
        self,
        *,
        spec: NetworkSpec,
        weights: LocatedWeights,
        device: str = "cpu",
        run: OpenedNetwork | None = None,
        batch_size: int = 8,
        choice_key: str | None = None,
        exact: bool = False,
    ) -> None:
        self.spec = spec
        self.weights = weights
        self.device = device
        self.group = spec.cpu_chunk if device == "cpu" else batch_size
        self._key = choice_key
        self._exact = exact
        self._run = run
        self._choice = None if choice_key is None else recall(choice_key)

    def open(self, *, afresh: bool = False) -> OpenedNetwork:
        """The network itself, read from its file once.

        Args:
            afresh: read and compare its implementations again, whatever is remembered of them.

        Raises:
            InputError: weights that are damaged or do not fit.
        """
        if self._run is not None and not afresh:
            return self._run
        from evaluation.networks.equivalence import settings_of_exact_runs

        with settings_of_exact_runs():
            return self._open(afresh)

    def _open(self, afresh: bool) -> OpenedNetwork:
        import torch

        from evaluation.networks.equivalence import choose, opened, single_threads

        file = self.spec.open(self.weights.path, torch.device(self.device))
        if self._choice is not None and not afresh:
            # Rows are stored under its name: no other may take its place.
            run = opened(file, self._choice.name)
            self._run = replace(run, probe_difference=self._choice.difference)
            return self._run
        with single_threads(1) as thread:  # as it runs later
            run, seconds = thread.submit(choose, file, exact=self._exact).result()
        self._run, self._choice = run, _choice(run, seconds)
        if self._key is not None:
            remember(self._key, self._choice)
        return run

    @property
    def is_known(self) -> bool:
        """Whether its implementation is known, so that nothing needs to be opened yet."""
        return self._run is not None or self._choice is not None

    def _known(self) -> Choice:
        return self._choice or _choice(self.open(), {})

    @property
    def implementation(self) -> str:
        """How the network runs: "torchscript as published", "own network", …."""
        return self._known().name

    @property
    def probe_difference(self) -> float | None:
        """Largest relative difference from the published path on the probe clips."""
        return self._known().difference

    def __call__(self, clips: "NDArray[np.uint8] | Tensor") -> NDArray[np.float32]:
        """Features of the clips.

        Raises:
            InputError: not uint8 (N, T, H, W, 3), or too few frames.
        """
        import torch

        from evaluation.networks.equivalence import (
            run_exactly,
            settings_of_exact_runs,
            single_threads,
        )

        if isinstance(clips, np.ndarray):  # PyTorch knows no negative strides: v[..., ::-1]
            clips = np.ascontiguousarray(clips)
        tensor = torch.as_tensor(clips, device=None if torch.is_tensor(clips) else "cpu")
        if tensor.ndim != 5 or tensor.shape[-1] != 3 or tensor.dtype != torch.uint8:
            raise InputError(
                f"clips are {str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}: a "
                "network takes uint8 (clips, frames, height, width, 3)"
            )
        self.spec.check_length(tensor.shape[1])
        if not len(tensor):
            frames = (tensor.shape[1],) if self.spec.unit == "frame" else ()
            return np.empty((0, *frames, self.spec.num_features), dtype=np.float32)
        forward = self.open().forward

        def rows(part: "Tensor") -> NDArray[np.float32]:
            filling = part.new_zeros((self.group - len(part), *part.shape[1:]))
            features = run_exactly(forward, torch.cat([part, filling]).to(self.device))
            return np.asarray(features[: len(part)].float().cpu().numpy())

        parts = tensor.split(self.group)
        if self.device != "cpu":
            return np.concatenate(list(map(rows, parts)))
        with settings_of_exact_runs(), single_threads(self._threads()) as pool:
            return np.concatenate(list(pool.map(rows, parts)))

    @property
    def at_once(self) -> int:
        """Clips in one call that keep the device busy."""
        return self.group * (self._threads() if self.device == "cpu" else 1)

    def _threads(self) -> int:
        import torch

        # torchrun gives each process one thread, unless it is told otherwise.
        return own_cores() if "LOCAL_WORLD_SIZE" in os.environ else torch.get_num_threads()

    @property
    def has_classes(self) -> bool:
        """Whether `probabilities` can be had of the features."""
        direct = self.spec.output in ("probabilities", "logits")
        return direct or self._known().has_classifier

    def probabilities(self, features: ArrayLike) -> NDArray[np.float64]:
        """Class probabilities of features, (…, D) → float64 (…, K).

        The softmax of the logits, made with the network's own classifier where the features come
        before it; the features themselves where they are probabilities already.

        Raises:
            InputError: the network, or its file of weights, has no classifier.
        """
        if self.spec.output == "probabilities":
            return np.asarray(features, dtype=np.float64)
        if not self.has_classes:
            raise InputError(
                f"{self.spec.name} with {self.weights.path.name} has no classes, only features: "
                "an Inception Score needs a network with a classifier, such as c3d"
            )
        logits = np.asarray(features, dtype=np.float64)
        classifier = self.open().classifier
        if classifier is not None:
            weight, bias = (part.detach().cpu().double().numpy() for part in classifier)
            logits = logits @ weight.T + bias
        exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))


def _choice(run: OpenedNetwork, seconds: dict[str, float]) -> Choice:
    return Choice(run.implementation, run.probe_difference, run.classifier is not None, seconds)
