"""`latte-eval fid --dataset-statistics`: published statistics in the place of real videos."""

import json

import numpy as np
import pytest
import torch

from evaluation.metrics import frechet_distance
from evaluation.networks.inception import Inception
from evaluation.networks.registry import build
from latte.data.shapes import shapes_clips

USUAL = ("--workers", 0, "--num-frames", 1, "--num-videos", 4, "--resamples", 0)


@pytest.fixture
def fid(latte_eval, tmp_path):
    """`latte-eval fid` on four frames, with a cache of its own and no proxy to a network."""
    np.save(tmp_path / "fake.npy", shapes_clips("test", range(4))[:, :1])

    def run(*arguments):
        options = ("--fake", "fake.npy", *USUAL, *arguments)
        return latte_eval("fid", *options, cwd=tmp_path, LATTE_CACHE=str(tmp_path / "cache"))

    return run


@pytest.fixture(scope="module")
def weights(weight, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "inception.pt"
    tensors = Inception(classifier=False).state_dict()
    for name, tensor in tensors.items():
        if tensor.ndim:  # counters of batches stay
            tensors[name] = weight(name, tuple(tensor.shape))
    torch.save(tensors, path)
    return path


def test_fid_against_published_statistics_is_that_of_their_moments(fid, weights, tmp_path):
    folder = tmp_path / "cache" / "statistics"
    folder.mkdir(parents=True)
    mean, covariance = np.full(2048, 0.1), np.eye(2048)
    np.savez(folder / "cifar10_clean_train_32.npz", mu=mean, sigma=covariance)
    done = fid("--dataset-statistics", "cifar10_train_32", "--weights", weights, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    frames = build("inception", weights)(np.load(tmp_path / "fake.npy"))[:, 0].astype(np.float64)
    expected = frechet_distance(
        mean, covariance, frames.mean(axis=0), np.cov(frames, rowvar=False, ddof=1)
    )
    assert result["value"] == pytest.approx(expected, rel=1e-6)
    assert (result["num_real"], result["num_fake"], result["interval"]) == (None, 4, None)
    assert result["real"]["path"].endswith("cifar10_clean_train_32.npz")
    assert "origin" in [deviation["field"] for deviation in result["deviations"]]


@pytest.mark.parametrize(
    ("arguments", "contains"),
    [
        (("--dataset-statistics", "cifar10"), "did you mean cifar10_"),
        (("--dataset-statistics", "cifar10_train_32", "--real", "fake.npy"), "give one of the two"),
        (
            ("--dataset-statistics", "cifar10_train_32", "--network", "shapes-frame"),
            "not of shapes-frame",
        ),
    ],
)
def test_statistics_that_cannot_be_had_are_a_sentence(fid, arguments, contains):
    done = fid(*arguments)
    assert done.returncode == 2
    assert contains in done.stderr
    assert len(done.stderr.splitlines()) == 1
