import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from evaluation.metrics import frechet_distance
from evaluation.statistics_file import is_statistics_file, read_statistics
from latte.data.errors import InputError

MU, SIGMA = np.array([1.0, 2.0]), np.array([[2.0, 0.5], [0.5, 1.0]])


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_both_forms_are_recognised_and_read(tmp_path, suffix):
    path = tmp_path / f"statistics{suffix}"
    arrays = {"mu": MU, "sigma": SIGMA, "count": np.array(2048)}
    if suffix == ".npz":
        np.savez(path, **arrays)
    else:
        save_file(arrays, path)
    assert is_statistics_file(path)
    statistics, digest = read_statistics(path)
    assert statistics.mean.tolist() == MU.tolist()
    assert statistics.covariance.tolist() == SIGMA.tolist()
    assert statistics.count == 2048
    assert len(digest) == 64


def test_files_of_fid_packages_have_no_count(tmp_path):
    np.savez(tmp_path / "fid.npz", mu=MU, sigma=SIGMA)
    assert read_statistics(tmp_path / "fid.npz")[0].count == 0


def test_other_files_are_no_statistics(tmp_path):
    np.savez(tmp_path / "clips.npz", videos=np.zeros((1, 2, 4, 4, 3), np.uint8))
    (tmp_path / "broken.npz").write_bytes(b"PK not a zip")
    for name in ("clips.npz", "broken.npz", "none.npz"):
        assert not is_statistics_file(tmp_path / name)
    assert not is_statistics_file(tmp_path)


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"mu": MU, "sigma": np.eye(3)}, "do not fit"),
        ({"mu": MU * np.nan, "sigma": SIGMA}, "not finite"),
        ({"mu": MU, "sigma": np.array([[1.0, 2.0], [0.0, 1.0]])}, "not symmetric"),
        ({"mu": MU, "sigma": -np.eye(2)}, "negative eigenvalues"),
        ({"mu": np.array([object()]), "sigma": SIGMA}, "not a readable statistics file"),
    ],
)
def test_statistics_that_cannot_be_are_refused_by_their_path(tmp_path, arrays, complaint):
    path = tmp_path / "statistics.npz"
    np.savez(path, allow_pickle=True, **arrays)
    with pytest.raises(InputError, match=rf"statistics\.npz.*{complaint}"):
        read_statistics(path)


def test_a_real_set_may_be_a_statistics_file(sets, fvd, tmp_path):
    from evaluation.networks import registry

    features = registry.build("shapes")(np.load(sets / "real.npy")).astype(np.float64)
    mu, sigma = features.mean(axis=0), np.cov(features, rowvar=False, ddof=0)
    np.savez(sets / "real_statistics.npz", mu=mu, sigma=sigma, count=len(features))
    common = ("--fake", "good.npy", "--json", "--out", tmp_path / "r.jsonl")
    by_videos = json.loads(fvd(*common).stdout)
    done = fvd(*common, "--real", "real_statistics.npz")
    by_file = json.loads(done.stdout)
    assert by_file["value"] == pytest.approx(by_videos["value"], rel=1e-9)
    fake = registry.build("shapes")(np.load(sets / "good.npy")).astype(np.float64)
    assert by_file["value"] == pytest.approx(
        frechet_distance(mu, sigma, fake.mean(axis=0), np.cov(fake, rowvar=False, ddof=0))
    )
    assert by_file["interval"] is None
    assert by_file["num_real"] == 24
    assert "no interval" in done.stderr
    assert any("not known" in phrase for phrase in by_file["deviations"])


def test_statistics_of_another_network_are_refused(sets, fvd, tmp_path):
    np.savez(sets / "other.npz", mu=MU, sigma=SIGMA)
    done = fvd("--real", "other.npz", "--fake", "good.npy", "--out", tmp_path / "r.jsonl")
    assert done.returncode == 2
    assert "holds statistics of 2 features, the network has 64" in done.stderr


def test_a_count_that_no_file_says_is_not_made_up(sets, fvd, tmp_path):
    np.savez(sets / "uncounted.npz", mu=np.zeros(64), sigma=np.eye(64))
    arguments = ("--fake", "good.npy", "--out", tmp_path / "r.jsonl", "--real", "uncounted.npz")
    assert "? real and 24 generated clips" in fvd(*arguments).stdout
    record = json.loads(fvd(*arguments, "--json").stdout)
    assert record["num_real"] is None
    by_videos = json.loads(fvd(*arguments[:-2], "--json").stdout)
    assert record["fingerprint"] != by_videos["fingerprint"]
