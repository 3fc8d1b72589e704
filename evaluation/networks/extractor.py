"""A network that is ready to be used: uint8 clips in, float32 features out."""

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from evaluation.networks.equivalence import run_exactly
from evaluation.networks.spec import NetworkSpec, OpenedNetwork
from evaluation.networks.weights import LocatedWeights
from latte.data.errors import InputError


class Extractor:
    """Clips in, features out.

    in      uint8 (N, T, H, W, 3), RGB, T from spec.min_frames to spec.max_frames; any size,
            resized inside
    out     float32 (N, D); of a frame network (N, T, D)

    On a CPU the network always sees `spec.cpu_chunk` clips at once, the last chunk filled up with
    zeros, so a row has the same bits whatever else is in the call. On a GPU it sees `batch_size`
    clips; rows there may differ in the last bits between batch sizes.
    """

    def __init__(
        self,
        *,
        spec: NetworkSpec,
        weights: LocatedWeights,
        device: torch.device,
        run: OpenedNetwork,
        batch_size: int = 8,
    ) -> None:
        self.spec = spec
        self.weights = weights
        self.device = device
        self.path_taken = run.path_taken
        self.probe_difference = run.probe_difference
        self._forward = run.forward
        self._classifier = run.classifier
        self._chunk = spec.cpu_chunk if device.type == "cpu" else batch_size

    def __call__(self, clips: NDArray[np.uint8] | Tensor) -> NDArray[np.float32]:
        """Features of the clips.

        Raises:
            InputError: not uint8 (N, T, H, W, 3), or too few frames.
        """
        tensor = torch.as_tensor(clips)
        if tensor.ndim != 5 or tensor.shape[-1] != 3 or tensor.dtype != torch.uint8:
            raise InputError(
                f"clips are {str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}: a "
                "network takes uint8 (clips, frames, height, width, 3)"
            )
        self.spec.check_length(tensor.shape[1])
        if not len(tensor):
            frames = (tensor.shape[1],) if self.spec.unit == "frame" else ()
            return np.empty((0, *frames, self.spec.num_features), dtype=np.float32)
        rows = []
        for part in tensor.split(self._chunk):
            filling = part.new_zeros((self._chunk - len(part), *part.shape[1:]))
            features = run_exactly(self._forward, torch.cat([part, filling]).to(self.device))
            rows.append(features[: len(part)].float().cpu().numpy())
        return np.concatenate(rows)

    @property
    def has_classes(self) -> bool:
        """Whether `probabilities` can be had of the features."""
        return self.spec.output in ("probabilities", "logits") or self._classifier is not None

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
        if self._classifier is not None:
            weight, bias = (part.detach().cpu().double().numpy() for part in self._classifier)
            logits = logits @ weight.T + bias
        exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))
