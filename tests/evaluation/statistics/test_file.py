import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from evaluation.metrics import frechet_distance
from evaluation.protocol.presets import STYLEGAN_V
from evaluation.statistics.file import (
    is_statistics_file,
    read_statistics_file,
    stated_split,
    write_statistics_file,
)
from evaluation.statistics.running import Statistics
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
    file = read_statistics_file(path)
    assert file.statistics.mean.tolist() == MU.tolist()
    assert file.statistics.covariance.tolist() == SIGMA.tolist()
    assert file.statistics.count == 2048
    assert len(file.digest) == 64


def test_files_of_fid_packages_have_no_count(tmp_path):
    np.savez(tmp_path / "fid.npz", mu=MU, sigma=SIGMA)
    assert read_statistics_file(tmp_path / "fid.npz").statistics.count == 0


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
        ({"mu": np.array([object()]), "sigma": SIGMA}, "pickled"),
        ({"mu": np.zeros(2, "datetime64[s]"), "sigma": SIGMA}, "mu is datetime64"),
        ({"mu": MU + 1j, "sigma": SIGMA}, "mu is complex128"),
    ],
)
def test_statistics_that_cannot_be_are_refused_by_their_path(tmp_path, arrays, complaint):
    path = tmp_path / "statistics.npz"
    np.savez(path, allow_pickle=True, **arrays)
    with pytest.raises(InputError, match=rf"statistics\.npz.*{complaint}"):
        read_statistics_file(path)


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
    assert any(each["value"] == "unknown" for each in by_file["deviations"])


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


COUNTED = Statistics(mean=MU, covariance=SIGMA, count=2048)


@pytest.mark.parametrize("name", ["ref.npz", "ref.safetensors", "REF.NPZ"])
def test_what_is_written_is_read_back(tmp_path, name, origin):
    path = tmp_path / "new" / name
    written = write_statistics_file(path, COUNTED, origin)
    file = read_statistics_file(path)
    assert file.digest == written.digest
    assert file.origin == written.origin == origin
    assert file.origin.fingerprint == STYLEGAN_V.fingerprint
    assert file.statistics.mean.tobytes() == MU.tobytes()
    assert file.statistics.covariance.tobytes() == SIGMA.tobytes()
    assert (file.statistics.count, file.path) == (2048, path)
    first = path.read_bytes()
    write_statistics_file(path, COUNTED, origin)
    assert path.read_bytes() == first
    assert [each.name for each in path.parent.iterdir()] == [name]


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch, origin):
    path = tmp_path / "ref.npz"
    write_statistics_file(path, COUNTED, origin)
    before = path.read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("latte.data.files.os.fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        write_statistics_file(path, replace(COUNTED, count=9), origin)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["ref.npz"]


def rewritten(path, change):
    """A file whose provenance or arrays somebody has edited."""
    with np.load(path) as archive:
        arrays = dict(archive)
    values = json.loads(str(arrays["provenance"]))
    change(arrays, values["origin"])
    arrays["provenance"] = np.array(json.dumps(values))
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda a, o: o["protocol_fields"].update(real_stride=3), "changed after it was written"),
        (lambda a, o: a.update(mu=MU + 1), "changed after it was written"),
        (lambda a, o: a.update(count=np.array(9)), "changed after it was written"),
        (lambda a, o: o.pop("network"), "network"),
        (lambda a, o: o.update(side="left"), "side"),
        (lambda a, o: o.update(num_clips="many"), "num_clips"),
        (lambda a, o: o["protocol_fields"].pop("covariance"), "covariance"),
        (lambda a, o: o["record"].pop("path"), "path"),
        (lambda a, o: o.update(colour="red"), "unknown field origin.colour"),
    ],
)
def test_a_file_of_ours_that_was_edited_is_refused(tmp_path, change, complaint, origin):
    path = tmp_path / "ref.npz"
    write_statistics_file(path, COUNTED, origin)
    rewritten(path, change)
    with pytest.raises(InputError, match=rf"ref\.npz.*{complaint}"):
        read_statistics_file(path)


@pytest.mark.parametrize("text", ["not JSON", "[1]", "3"])
def test_a_provenance_of_another_program_is_refused(tmp_path, text):
    np.savez(tmp_path / "ref.npz", mu=MU, sigma=SIGMA, provenance=np.array(text))
    with pytest.raises(InputError, match=r"ref\.npz.*provenance"):
        read_statistics_file(tmp_path / "ref.npz")


def test_a_provenance_of_numbers_that_are_no_characters_is_refused(tmp_path, origin):
    path = tmp_path / "ref.npz"
    write_statistics_file(path, COUNTED, origin)
    with np.load(path) as archive:
        arrays = dict(archive)
    numbers = np.frombuffer(arrays["provenance"].tobytes(), np.uint32).copy()
    numbers[list(numbers).index(ord("o"))] = 0x7FFFFFFF  # inside a name
    arrays["provenance"] = np.frombuffer(numbers.tobytes(), arrays["provenance"].dtype).reshape(())
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=r"ref\.npz.*provenance"):
        read_statistics_file(path)


def test_the_split_is_that_of_the_file(tmp_path, origin):
    write_statistics_file(tmp_path / "ref.npz", COUNTED, origin)
    np.savez(tmp_path / "theirs.npz", mu=MU, sigma=SIGMA)
    assert stated_split(tmp_path / "ref.npz") == "published"
    assert stated_split(tmp_path / "theirs.npz") is None
    assert stated_split(tmp_path) is None
    assert stated_split(None) is None
