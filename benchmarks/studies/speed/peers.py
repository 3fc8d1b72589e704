"""Other ways from two folders of videos to their distance, each a command of its own.

    python -m benchmarks.studies.speed.peers cd-fvd REAL FAKE WEIGHTS STATISTICS WORKERS
    python -m benchmarks.studies.speed.peers script REAL FAKE WEIGHTS STATISTICS WORKERS

`cd-fvd` is the package of that name on its path for folders of videos. `script` is what people
write after StyleGAN-V: videos become folders of JPEG frames, TorchScript gives features, SciPy the
square root. STATISTICS is a file with those of the real side, which is made if it is not there.
"""

import json
import multiprocessing
import sys
import tempfile
import warnings
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

FRAMES, SIZE, QUALITY, BATCH = 16, 256, 75, 4
PUBLISHED_SUFFIXES = (".mp4", ".avi", ".mkv")


def run_cd_fvd(real: str, fake: str, weights: str, statistics: str, workers: int) -> float:
    """cd-fvd 0.1.1, called as its documentation says."""
    fvd = import_module("cdfvd.fvd")  # optional
    evaluator = fvd.cdfvd("i3d", ckpt_path=weights, n_real="full", n_fake="full", device="cpu")
    load = partial(
        evaluator.load_videos,
        data_type="video_folder",
        resolution=SIZE,
        sequence_length=FRAMES,
        num_workers=workers,
        batch_size=BATCH,
    )
    if Path(statistics).exists():
        evaluator.load_real_stats(statistics)
    else:
        evaluator.compute_real_stats(load(real))
        evaluator.save_real_stats(statistics)
    evaluator.compute_fake_stats(load(fake))
    return float(evaluator.compute_fvd_from_stats())


def run_script(real: str, fake: str, weights: str, statistics: str, workers: int) -> float:
    """Frames as JPEG files, features by TorchScript, the distance by SciPy."""
    import scipy.linalg
    import torch

    network = torch.jit.load(weights)
    if Path(statistics).exists():
        with np.load(statistics) as arrays:
            mean, covariance = arrays["mean"], arrays["covariance"]
    else:
        mean, covariance = _statistics(_features(Path(real), network, workers))
        np.savez(statistics, mean=mean, covariance=covariance)
    other_mean, other_covariance = _statistics(_features(Path(fake), network, workers))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fewer clips than features make singular covariances
        root = scipy.linalg.sqrtm(covariance @ other_covariance)
    traces = np.trace(covariance) + np.trace(other_covariance) - 2 * np.trace(root).real
    return float(((mean - other_mean) ** 2).sum() + traces)


def _statistics(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return features.mean(axis=0), np.cov(features, rowvar=False, ddof=0)


def _features(folder: Path, network: Any, workers: int) -> np.ndarray:
    """Features of the first frames of each video, (N, D), in float64."""
    import torch

    videos = sorted(path for path in folder.iterdir() if path.suffix in PUBLISHED_SUFFIXES)
    with tempfile.TemporaryDirectory() as work:
        jobs = [(path, Path(work) / path.stem) for path in videos]
        if workers:
            with multiprocessing.get_context("fork").Pool(workers) as pool:
                pool.starmap(extract_frames, jobs)
        else:
            for job in jobs:
                extract_frames(*job)
        dataset = _Clips([frames for _, frames in jobs])
        loader = torch.utils.data.DataLoader(dataset, batch_size=BATCH, num_workers=workers)
        with torch.inference_mode():
            rows = [network(clips).numpy() for clips in loader]
    return np.concatenate(rows).astype(np.float64)


def extract_frames(video: Path, folder: Path) -> None:
    """Every frame of a video, cropped to a square and resized, as a JPEG file."""
    import av

    folder.mkdir()
    with av.open(str(video)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            image = frame.to_image()
            side = min(image.size)
            left, top = (image.width - side) // 2, (image.height - side) // 2
            image = image.crop((left, top, left + side, top + side))
            image.resize((SIZE, SIZE), 1).save(folder / f"{number:06}.jpg", quality=QUALITY)


class _Clips:
    """The first frames of each folder, uint8 (T, H, W, 3)."""

    def __init__(self, folders: list[Path]) -> None:
        self.folders = folders

    def __len__(self) -> int:
        return len(self.folders)

    def __getitem__(self, index: int) -> np.ndarray:
        from PIL import Image

        paths = [self.folders[index] / f"{number:06}.jpg" for number in range(FRAMES)]
        return np.stack([np.asarray(Image.open(path)) for path in paths])


def main(name: str, *arguments: str) -> None:
    """Print the distance as JSON."""
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    real, fake, weights, statistics, workers = arguments
    run = run_cd_fvd if name == "cd-fvd" else run_script
    value = run(real, fake, weights, statistics, int(workers))
    print(json.dumps({"value": value}))


if __name__ == "__main__":
    main(*sys.argv[1:])
