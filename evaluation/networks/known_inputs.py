"""Inputs of published answers, and the number that a network gives for them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from evaluation.metrics import frechet_distance, frechet_distance_from_features, inception_score
from evaluation.networks.extractor import Extractor
from evaluation.networks.i3d import open_published
from evaluation.networks.probes import run_exactly
from latte.data.errors import InputError

CLIPS_AT_ONCE = 4
FRAMES_AT_ONCE = 250
CIFAR_TRAIN, CIFAR_TEST = "data_batch_1.bin", "test_batch.bin"
CIFAR_BYTES = (1 + 3 * 32 * 32, 10_000)  # bytes of a label with its image; images in a file


class Inputs(Protocol):
    """What goes into a network for a published answer."""

    def files(self, network: str) -> tuple[str, ...]:
        """Names of the files that the inputs are read from; none where a formula makes them."""
        return ()

    def measure(self, extractor: Extractor, data: Path) -> float:
        """The number that a network gives for the inputs, with its files in the folder `data`.

        Raises:
            InputError: files that cannot be read, or are not what they should be.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class BlackAgainstWhite(Inputs):
    """Fréchet distance of black clips from white ones; both covariances are zero."""

    num_frames: int
    num_clips: int = 8
    frame_size: int = 64

    def measure(self, extractor: Extractor, data: Path) -> float:
        shape = (1, self.num_frames, self.frame_size, self.frame_size, 3)
        # Equal clips have equal features: one of each is enough.
        black, white = (
            np.repeat(extractor(np.full(shape, value, dtype=np.uint8)), self.num_clips, axis=0)
            for value in (0, 255)
        )
        return frechet_distance_from_features(black, white, ddof=1)


@dataclass(frozen=True, kw_only=True)
class NoiseAgainstNoise(Inputs):
    """Fréchet distance of noise from noise, covariance over N − 1.

    `RandomState(seed).rand(num_clips, num_frames, 224, 224, 3)` once for each set, float32 in
    [0, 1), given to the TorchScript file as it is.
    """

    num_clips: int = 128
    num_frames: int = 16
    seeds: tuple[int, int] = (1, 2)

    def measure(self, extractor: Extractor, data: Path) -> float:
        logits = open_published(extractor.weights.path, extractor.device)
        fake, real = (
            np.concatenate(
                [
                    run_exactly(logits, x.to(extractor.device)).cpu().numpy()
                    for x in noise(seed, self.num_clips, self.num_frames)
                ]
            )
            for seed in self.seeds
        )
        return frechet_distance_from_features(fake, real, ddof=1)


@dataclass(frozen=True, kw_only=True)
class CdFvdExample(Inputs):
    """Fréchet distance of clips from statistics, covariance over N.

    Files: `clips.npy`, uint8 (N, T, H, W, 3), and `NETWORK.npz` with `mu` and `sigma`.
    """

    def files(self, network: str) -> tuple[str, ...]:
        return "clips.npy", f"{network}.npz"

    def measure(self, extractor: Extractor, data: Path) -> float:
        clips_file, statistics_file = (data / name for name in self.files(extractor.spec.name))
        try:
            clips = np.load(clips_file, mmap_mode="r", allow_pickle=False)
            with np.load(statistics_file, allow_pickle=False) as arrays:
                mu, sigma = arrays["mu"], arrays["sigma"]
        except (OSError, EOFError, ValueError, KeyError) as error:
            raise InputError(
                f"{data}: {clips_file.name} is an array of clips and {statistics_file.name} holds "
                f"mu and sigma, but they cannot be read so ({error}): see docs/networks.md"
            ) from None
        rows = _in_parts(extractor, clips, CLIPS_AT_ONCE).astype(np.float64)
        return frechet_distance(rows.mean(axis=0), np.cov(rows, rowvar=False, ddof=0), mu, sigma)


@dataclass(frozen=True, kw_only=True)
class CifarImages(Inputs):
    """FID of the first training images from the first test images, or IS of the training ones.

    Covariance over N − 1; 10 splits of images shuffled with `RandomState(2020)`. Files: those of
    CIFAR-10's binary version.
    """

    metric: Literal["fid", "is"]
    num_images: int
    shuffle_seed: int = 2020

    def files(self, network: str) -> tuple[str, ...]:
        return (CIFAR_TRAIN, CIFAR_TEST) if self.metric == "fid" else (CIFAR_TRAIN,)

    def measure(self, extractor: Extractor, data: Path) -> float:
        train = self._features(extractor, data / CIFAR_TRAIN)
        if self.metric == "is":
            probabilities = extractor.probabilities(train)
            return inception_score(probabilities, splits=10, shuffle_seed=self.shuffle_seed)[0]
        test = self._features(extractor, data / CIFAR_TEST)
        return frechet_distance_from_features(train, test, ddof=1)

    def _features(self, extractor: Extractor, file: Path) -> NDArray[np.float32]:
        """Features of the first images of a file, (num_images, D)."""
        size, images = CIFAR_BYTES
        try:
            content = np.fromfile(file, dtype=np.uint8)
        except OSError as error:
            raise InputError(
                f"{file}: cannot be read ({error.strerror}): see docs/networks.md"
            ) from None
        if content.size != size * images:
            raise InputError(
                f"{file}: has {content.size} bytes, not {size * images}: give the file of "
                "CIFAR-10's binary version"
            )
        rows = content.reshape(images, size)[: self.num_images, 1:]
        frames = rows.reshape(-1, 1, 3, 32, 32).transpose(0, 1, 3, 4, 2)
        return _in_parts(extractor, frames, FRAMES_AT_ONCE)[:, 0]


def noise(seed: int, num_clips: int, num_frames: int, size: int = 224) -> Iterator[torch.Tensor]:
    """`RandomState(seed).rand(num_clips, num_frames, size, size, 3)`, a few clips at a time.

    Float32 (n, 3, T, H, W). The generator draws one number after the other, so that the parts are
    those of the whole, which would take 2.5 GB.
    """
    random = np.random.RandomState(seed)
    for start in range(0, num_clips, CLIPS_AT_ONCE):
        count = min(CLIPS_AT_ONCE, num_clips - start)
        part = random.rand(count, num_frames, size, size, 3).astype(np.float32)
        yield torch.from_numpy(part).permute(0, 4, 1, 2, 3)


def _in_parts(extractor: Extractor, clips: NDArray[np.uint8], step: int) -> NDArray[np.float32]:
    """Features of clips, `step` at a time; the clips may be mapped from a file."""
    starts = range(0, len(clips), step)
    return np.concatenate([extractor(np.array(clips[i : i + step], order="C")) for i in starts])
