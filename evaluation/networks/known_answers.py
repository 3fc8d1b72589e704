"""Published outputs of the public weight files: each with its inputs, its source, its tolerance."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from evaluation.metrics import frechet_distance, frechet_distance_from_features, inception_score
from evaluation.networks import files
from evaluation.networks.equivalence import run_exactly
from evaluation.networks.extractor import Extractor
from evaluation.networks.i3d import scripted_logits
from latte.data.errors import InputError, outside
from latte.data.npy import open_npy, open_npz

CLIPS_AT_ONCE = 4
CIFAR_TRAIN, CIFAR_TEST = "data_batch_1.bin", "test_batch.bin"
CIFAR_BYTES = (1 + 3 * 32 * 32, 10_000)  # bytes of a label with its image; images in a file


def black_against_white(extractor: Extractor, data: Path, *, num_frames: int) -> float:
    """Fréchet distance of black clips of 64×64 from white ones; both covariances are zero."""
    # Equal clips have equal features: the first of each stands for all.
    black, white = (
        extractor(np.full((1, num_frames, 64, 64, 3), value, np.uint8)).repeat(8, axis=0)
        for value in (0, 255)
    )
    return frechet_distance_from_features(black, white, ddof=1)


def noise_against_noise(
    extractor: Extractor, data: Path, *, num_clips: int = 128, num_frames: int = 16
) -> float:
    """Fréchet distance of noise from noise, covariance over N − 1.

    `RandomState(seed).rand(num_clips, num_frames, 224, 224, 3)` of the seeds 1 and 2, float32 in
    [0, 1), given to the TorchScript file as it is.
    """
    path = extractor.weights.path
    module = files.open_torchscript(path, extractor.device)
    logits = scripted_logits(module, path, inside=False)
    fake, real = (
        np.concatenate(
            [
                run_exactly(logits, x.to(extractor.device)).cpu().numpy()
                for x in numpy_noise(seed, num_clips, num_frames)
            ]
        )
        for seed in (1, 2)
    )
    return frechet_distance_from_features(fake, real, ddof=1)


def cd_fvd_example(extractor: Extractor, data: Path) -> float:
    """Fréchet distance of clips from statistics, covariance over N.

    Of `clips.npy`, uint8 (N, T, H, W, 3), and `NETWORK.npz` with `mu` and `sigma`.
    """
    clips_file, statistics_file = data / "clips.npy", data / f"{extractor.spec.name}.npz"
    with outside(clips_file, "an array of clips", "see docs/networks.md"):
        clips = open_npy(clips_file)
    with outside(statistics_file, "statistics, mu and sigma", "see docs/networks.md"):
        mu, sigma = (open_npz(statistics_file, name) for name in ("mu", "sigma"))
    starts = range(0, len(clips), CLIPS_AT_ONCE)
    parts = [extractor(np.array(clips[i : i + CLIPS_AT_ONCE], order="C")) for i in starts]
    rows = np.concatenate(parts).astype(np.float64)
    return frechet_distance(rows.mean(axis=0), np.cov(rows, rowvar=False, ddof=0), mu, sigma)


def cifar_inception_score(extractor: Extractor, data: Path, *, num_images: int) -> float:
    """Inception Score of the first training images, 10 splits shuffled with `RandomState(2020)`."""
    features = _cifar_features(extractor, data, CIFAR_TRAIN, num_images)
    probabilities = extractor.probabilities(features)
    return inception_score(probabilities, splits=10, shuffle_seed=2020)[0]


def cifar_fid(extractor: Extractor, data: Path, *, num_images: int) -> float:
    """FID of the first training images from the first test images, covariance over N − 1."""
    train, test = (
        _cifar_features(extractor, data, name, num_images) for name in (CIFAR_TRAIN, CIFAR_TEST)
    )
    return frechet_distance_from_features(train, test, ddof=1)


def _cifar_features(
    extractor: Extractor, data: Path, name: str, num_images: int
) -> NDArray[np.float32]:
    """Features (num_images, D) of the first images of a file of CIFAR-10's binary version."""
    file, (size, images) = data / name, CIFAR_BYTES
    with outside(file, "CIFAR-10", "see docs/networks.md"):
        content = np.fromfile(file, dtype=np.uint8)
    if content.size != size * images:
        raise InputError(
            f"{file}: has {content.size} bytes, not {size * images}: give the file of CIFAR-10's "
            "binary version"
        )
    planes = content.reshape(images, size)[:num_images, 1:].reshape(-1, 1, 3, 32, 32)
    return extractor(np.ascontiguousarray(planes.transpose(0, 1, 3, 4, 2)))[:, 0]


def numpy_noise(
    seed: int, num_clips: int, num_frames: int, size: int = 224
) -> Iterator[torch.Tensor]:
    """`RandomState(seed).rand(num_clips, num_frames, size, size, 3)`, a few clips at a time.

    Float32 (n, 3, T, H, W). The generator draws one number after the other, so that the parts are
    those of the whole, which would take 2.5 GB.
    """
    random = np.random.RandomState(seed)
    for start in range(0, num_clips, CLIPS_AT_ONCE):
        count = min(CLIPS_AT_ONCE, num_clips - start)
        part = random.rand(count, num_frames, size, size, 3).astype(np.float32)
        yield torch.from_numpy(part).permute(0, 4, 1, 2, 3)


@dataclass(frozen=True, kw_only=True)
class KnownAnswer:
    """A published number and how it was made."""

    network: str
    resize: str
    what: str
    measure: Callable[[Extractor, Path], float]  # takes the network and the folder of `files`
    files: tuple[str, ...] = ()
    expected: float
    tolerance: float = 1e-3  # relative
    source: str
    slow: bool = False
    torchscript_only: bool = False  # published for the file with its own code
    needs_classes: bool = False


COMMON_METRICS = "JunyaoHu/common_metrics_on_video_quality, README, method styleganv"
TORCH_FIDELITY = "torch-fidelity, tests/tf1/numerical_precision"
BLACK_AGAINST_WHITE = (  # values for the first 10 to 30 frames
    *(569.2296, 486.3584, 551.9611, 146.3664, 172.8545, 133.7031, 152.9175),
    *(357.7403, 382.4669, 306.7384, 338.4152, 78.17256, 82.33447, 64.58860),
    *(66.06281, 314.4804, 316.6871, 288.9720, 287.7805, 152.1525, 151.25648496845326),
)
ANSWERS: tuple[KnownAnswer, ...] = (
    *(
        KnownAnswer(
            network="i3d",
            resize="crop",
            what=f"Fréchet, black clips from white ones, {num_frames} frames",
            measure=partial(black_against_white, num_frames=num_frames),
            expected=expected,
            # Its README says that versions of torch move the last one by about 1 of 151. The
            # TensorFlow original gave 151.39244 there.
            tolerance=7e-3,
            source=COMMON_METRICS,
            torchscript_only=True,
        )
        for num_frames, expected in enumerate(BLACK_AGAINST_WHITE, start=10)
    ),
    KnownAnswer(
        network="i3d",
        resize="crop",
        what="Fréchet, noise from other noise, 16 frames",
        measure=noise_against_noise,
        expected=10.138084766713924,
        source="universome/fvd-comparison, README; the TensorFlow original gave 10.13808536529541",
        slow=True,
        torchscript_only=True,
    ),
    *(
        KnownAnswer(
            network=name,
            resize="squash",
            what="Fréchet, cd-fvd's example from UCF-101",
            measure=cd_fvd_example,
            files=("clips.npy", f"{name}.npz"),
            expected=expected,
            source="songweige/content-debiased-fvd#2",
        )
        for name, expected in (("i3d-videogpt", 3383.967), ("videomae", 1064.6156))
    ),
    KnownAnswer(
        network="inception",
        resize="legacy-tensorflow",
        what="IS, 100 training images of CIFAR-10",
        measure=partial(cifar_inception_score, num_images=100),
        files=(CIFAR_TRAIN,),
        expected=4.51089784587268,
        source=f"{TORCH_FIDELITY}/test_metric_isc_fidelity.py",
        needs_classes=True,
    ),
    KnownAnswer(
        network="inception",
        resize="legacy-tensorflow",
        what="FID, 5000 training images of CIFAR-10 from 5000 test images",
        measure=partial(cifar_fid, num_images=5000),
        files=(CIFAR_TRAIN, CIFAR_TEST),
        expected=10.3233274,
        tolerance=1e-4,
        source=f"{TORCH_FIDELITY}/test_metric_fid_fidelity.py",
        slow=True,
    ),
)
# Published numbers that cannot be reproduced here.
REMARKS = {
    "i3d": "its logits were 0.000263 (L2) from TF-Hub's i3d-kinetics-400/1 on noise "
    "(universome/fvd-comparison), which needs TensorFlow to be computed again",
    "inception": "clean-fid's published FIDs need the images of the generators they are of",
    "c3d": "no output is published, only Inception Scores of data sets and generators",
}
