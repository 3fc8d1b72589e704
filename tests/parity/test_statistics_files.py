"""Files as pytorch-fid and clean-fid write them, through an import and back to those packages."""

import inspect
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluation.metrics import frechet_distance
from evaluation.protocol.presets import load_protocol
from evaluation.statistics.foreign import import_statistics
from evaluation.statistics.origin import statistics_over

WIDTH = 64  # the embedded network of frames has it; the forms are the same for 2048
PROTOCOL = load_protocol("shapes")
SHAPES = {"network": "shapes-frame", "num_frames": 4}


def features(seed: int, count: int = 200) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, WIDTH)) + 0.1 * seed


def imported(source: Path, out: Path, **options: object):
    return import_statistics(source, out, replace(PROTOCOL, **SHAPES), **options)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_a_file_of_pytorch_fid_gives_the_distance_that_it_gives_there(
    tmp_path, check_difference, suffix
):
    score = pytest.importorskip("pytorch_fid.fid_score")
    # `--save-stats` needs Inception's weights: this is the line that writes, on our features.
    assert "np.savez_compressed(paths[1], mu=m1, sigma=s1)" in inspect.getsource(
        score.save_fid_stats
    )
    files = []
    for seed in (0, 1):
        rows = features(seed)
        path = tmp_path / f"{seed}.npz"
        np.savez_compressed(path, mu=np.mean(rows, axis=0), sigma=np.cov(rows, rowvar=False))
        files.append(imported(path, tmp_path / f"ours{seed}{suffix}", count=200))
    theirs = score.calculate_frechet_distance(
        *(
            array
            for seed in (0, 1)
            for array in score.compute_statistics_of_path(
                str(tmp_path / f"{seed}.npz"), None, 1, WIDTH, "cpu"
            )
        )
    )
    first, second = (statistics_over(file, "n-1") for file in files)
    ours = frechet_distance(first.mean, first.covariance, second.mean, second.covariance)
    check_difference(f"imported statistics ({suffix})", "pytorch-fid", abs(ours / theirs - 1), 1e-6)


def test_pytorch_fid_reads_the_npz_that_an_import_writes(tmp_path, check_difference):
    score = pytest.importorskip("pytorch_fid.fid_score")
    rows = features(0)
    np.savez_compressed(
        tmp_path / "theirs.npz", mu=np.mean(rows, axis=0), sigma=np.cov(rows, rowvar=False)
    )
    imported(tmp_path / "theirs.npz", tmp_path / "ours.npz", count=200)
    pairs = [
        score.compute_statistics_of_path(str(tmp_path / name), None, 1, WIDTH, "cpu")
        for name in ("theirs.npz", "ours.npz")
    ]
    for before, after in zip(*pairs, strict=True):
        assert before.tobytes() == after.tobytes()
    check_difference("statistics file read by", "pytorch-fid", 0.0, 0.0)


def test_the_features_of_clean_fid_become_its_statistics(tmp_path, check_difference):
    fid = pytest.importorskip("cleanfid.fid")
    source = inspect.getsource(fid.make_custom_stats)
    assert "np.savez_compressed(outf, mu=mu, sigma=sigma)" in source
    assert "np.savez_compressed(outf, feats=np_feats)" in source
    rows = [features(seed).astype(np.float32) for seed in (0, 1)]
    distances = []
    for form in ("stats", "kid"):
        files = []
        for seed in (0, 1):
            path = tmp_path / f"{seed}_{form}.npz"
            if form == "kid":
                np.savez_compressed(path, feats=rows[seed])
            else:
                mu, sigma = np.mean(rows[seed], axis=0), np.cov(rows[seed], rowvar=False)
                np.savez_compressed(path, mu=mu, sigma=sigma)
            count = None if form == "kid" else 200
            files.append(imported(path, tmp_path / f"ours_{seed}_{form}.npz", count=count))
        first, second = (statistics_over(file, "n-1") for file in files)
        distances.append(
            frechet_distance(first.mean, first.covariance, second.mean, second.covariance)
        )
    theirs = fid.fid_from_feats(*rows)
    difference = max(abs(distance / theirs - 1) for distance in distances)
    check_difference("imported statistics", "clean-fid", difference, 1e-6)
