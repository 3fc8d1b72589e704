"""Inputs of published answers, and the number that a network gives for them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

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
CIFAR_BYTES = (1 + 3 * 32 * 32, 10_000)  # of an image after its label; images in a file


@dataclass(frozen=True, kw_only=True)
class BlackAgainstWhite:
    """Fréchet distance of black clips from white ones; both covariances are zero."""

    num_frames: int
    num_clips: int = 8
    frame_size: int = 64


@dataclass(frozen=True, kw_only=True)
class NoiseAgainstNoise:
    """Fréchet distance of noise from noise, covariance over N − 1.

    `RandomState(seed).rand(num_clips, num_frames, 224, 224, 3)` once for each set, float32 in
    [0, 1), given to the TorchScript file as it is.
    """

    num_clips: int = 128
    num_frames: int = 16
    seeds: tuple[int, int] = (1, 2)


@dataclass(frozen=True, kw_only=True)
class CdFvdExample:
    """Fréchet distance of clips from statistics, covariance over N.

    Files: `clips.npy`, uint8 (N, T, H, W, 3), and `NETWORK.npz` with `mu` and `sigma`.
    """


@dataclass(frozen=True, kw_only=True)
class CifarImages:
    """FID of the first training images from the first test images, or IS of the training ones.

    Covariance over N − 1; 10 splits of images shuffled with `RandomState(2020)`. Files: those of
    CIFAR-10's binary version.
    """

    metric: Literal["fid", "is"]
    num_images: int
    shuffle_seed: int = 2020


Inputs = BlackAgainstWhite | NoiseAgainstNoise | CdFvdExample | CifarImages


def needed_files(inputs: Inputs, network: str) -> tuple[str, ...]:
    """Names of the files that the inputs are read from; none where a formula makes them."""
    match inputs:
        case CdFvdExample():
            return ("clips.npy", f"{network}.npz")
        case CifarImages(metric="fid"):
            return (CIFAR_TRAIN, CIFAR_TEST)
        case CifarImages():
            return (CIFAR_TRAIN,)
    return ()


def measured(inputs: Inputs, extractor: Extractor, data: Path | None) -> float:
    """The number that this network gives for the inputs.

    Args:
        inputs: what goes in.
        extractor: the network with its weights.
        data: folder of `needed_files`.

    Raises:
        InputError: files that cannot be read, or are not what they should be.
    """
    match inputs:
        case BlackAgainstWhite():
            return _black_against_white(inputs, extractor)
        case NoiseAgainstNoise():
            return _noise_against_noise(inputs, extractor)
    assert data is not None
    if isinstance(inputs, CdFvdExample):
        return _cd_fvd_example(extractor, data)
    train = _image_features(extractor, data / CIFAR_TRAIN, inputs.num_images)
    if inputs.metric == "is":
        probabilities = extractor.probabilities(train)
        return inception_score(probabilities, splits=10, shuffle_seed=inputs.shuffle_seed)[0]
    test = _image_features(extractor, data / CIFAR_TEST, inputs.num_images)
    return frechet_distance_from_features(train, test, ddof=1)


def _black_against_white(inputs: BlackAgainstWhite, extractor: Extractor) -> float:
    shape = (1, inputs.num_frames, inputs.frame_size, inputs.frame_size, 3)
    # Equal clips have equal features: one of each is enough.
    black, white = (
        np.repeat(extractor(np.full(shape, value, dtype=np.uint8)), inputs.num_clips, axis=0)
        for value in (0, 255)
    )
    return frechet_distance_from_features(black, white, ddof=1)


def _noise_against_noise(inputs: NoiseAgainstNoise, extractor: Extractor) -> float:
    logits = open_published(extractor.weights.path, extractor.device)
    fake, real = (
        np.concatenate(
            [
                run_exactly(logits, x.to(extractor.device)).cpu().numpy()
                for x in noise(seed, inputs.num_clips, inputs.num_frames)
            ]
        )
        for seed in inputs.seeds
    )
    return frechet_distance_from_features(fake, real, ddof=1)


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


def _cd_fvd_example(extractor: Extractor, data: Path) -> float:
    clips_file, statistics_file = (
        data / name for name in needed_files(CdFvdExample(), extractor.spec.name)
    )
    try:
        clips = np.load(clips_file, mmap_mode="r", allow_pickle=False)
        with np.load(statistics_file, allow_pickle=False) as arrays:
            mu, sigma = arrays["mu"], arrays["sigma"]
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise InputError(
            f"{data}: {clips_file.name} is an array of clips and {statistics_file.name} holds mu "
            f"and sigma, but they cannot be read so ({error}): see docs/networks.md"
        ) from None
    rows = np.concatenate(
        [
            extractor(np.array(clips[start : start + CLIPS_AT_ONCE]))
            for start in range(0, len(clips), CLIPS_AT_ONCE)
        ]
    ).astype(np.float64)
    return frechet_distance(rows.mean(axis=0), np.cov(rows, rowvar=False, ddof=0), mu, sigma)


def _image_features(extractor: Extractor, file: Path, count: int) -> NDArray[np.float32]:
    """Features of the first images of a file of CIFAR-10's binary version, (count, D)."""
    size, images = CIFAR_BYTES
    try:
        content = np.fromfile(file, dtype=np.uint8)
    except OSError as error:
        raise InputError(
            f"{file}: cannot be read ({error.strerror}): see docs/networks.md"
        ) from None
    if content.size != size * images:
        raise InputError(
            f"{file}: has {content.size} bytes, not {size * images}: give the file of CIFAR-10's "
            "binary version"
        )
    rows = content.reshape(images, size)[:count, 1:]
    frames = np.ascontiguousarray(rows.reshape(-1, 1, 3, 32, 32).transpose(0, 1, 3, 4, 2))
    parts = [
        extractor(frames[start : start + FRAMES_AT_ONCE])[:, 0]
        for start in range(0, count, FRAMES_AT_ONCE)
    ]
    return np.concatenate(parts)
