import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from evaluation.metrics import frechet_distance
from evaluation.networks.registry import NETWORKS
from evaluation.protocol.deviations import Deviation
from evaluation.protocol.presets import STYLEGAN_V
from evaluation.results.record import SetRecord
from evaluation.statistics.file import (
    Origin,
    StatisticsFile,
    is_statistics_file,
    read_statistics_file,
    stated_split,
    write_statistics_file,
)
from evaluation.statistics.origin import (
    check_network,
    deviations_of_statistics,
    follows_protocol,
    record_of_statistics,
    statistics_over,
)
from evaluation.statistics.running import Statistics, streamed_statistics
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
        ({"mu": np.array([object()]), "sigma": SIGMA}, "not a readable statistics file"),
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


# Files of ours, which say how they were made.

RECORD = SetRecord(
    path="ucf101",
    digest="ab" * 32,
    num_listed=13320,
    num_clips=2048,
    height=256,
    width=256,
    storage="jpeg-75",
    recipe="stylegan-v",
    too_short=("short\udcff.avi",),
)
ORIGIN = Origin(
    protocol="stylegan-v",
    protocol_fields=STYLEGAN_V.affecting_fields(),
    side="real",
    network="i3d",
    network_version=1,
    weights_sha256="cd" * 32,
    num_clips=2048,
    dataset="ucf101",
    record=RECORD,
)
COUNTED = Statistics(mean=MU, covariance=SIGMA, count=2048)


def of(origin: Origin | None = ORIGIN) -> StatisticsFile:
    return StatisticsFile(path=Path("ref.npz"), statistics=COUNTED, digest="ef" * 32, origin=origin)


@pytest.mark.parametrize("name", ["ref.npz", "ref.safetensors", "REF.NPZ"])
def test_what_is_written_is_read_back(tmp_path, name):
    path = tmp_path / "new" / name
    written = write_statistics_file(path, COUNTED, ORIGIN)
    file = read_statistics_file(path)
    assert file.digest == written.digest
    assert file.origin == written.origin == ORIGIN
    assert file.origin.fingerprint == STYLEGAN_V.fingerprint
    assert file.statistics.mean.tobytes() == MU.tobytes()
    assert file.statistics.covariance.tobytes() == SIGMA.tobytes()
    assert (file.statistics.count, file.path) == (2048, path)
    first = path.read_bytes()
    write_statistics_file(path, COUNTED, ORIGIN)
    assert path.read_bytes() == first
    assert [each.name for each in path.parent.iterdir()] == [name]


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "ref.npz"
    write_statistics_file(path, COUNTED, ORIGIN)
    before = path.read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("latte.data.files.os.fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        write_statistics_file(path, replace(COUNTED, count=9), ORIGIN)
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
def test_a_file_of_ours_that_was_edited_is_refused(tmp_path, change, complaint):
    path = tmp_path / "ref.npz"
    write_statistics_file(path, COUNTED, ORIGIN)
    rewritten(path, change)
    with pytest.raises(InputError, match=rf"ref\.npz.*{complaint}"):
        read_statistics_file(path)


@pytest.mark.parametrize("text", ["not JSON", "[1]", "3"])
def test_a_provenance_of_another_program_is_refused(tmp_path, text):
    np.savez(tmp_path / "ref.npz", mu=MU, sigma=SIGMA, provenance=np.array(text))
    with pytest.raises(InputError, match=r"ref\.npz.*provenance"):
        read_statistics_file(tmp_path / "ref.npz")


def deviation(field, value, wanted=""):
    return Deviation(field=field, value=value, wanted=wanted, subject="statistics ref.npz")


def test_a_file_made_as_the_protocol_asks_is_the_set_itself():
    assert deviations_of_statistics(of(), STYLEGAN_V, "real") == ()
    assert follows_protocol(of(), STYLEGAN_V, "real")
    record = record_of_statistics(of())
    assert record == replace(RECORD, path="ref.npz", storage="statistics")


@pytest.mark.parametrize(
    "changes",
    [
        {"fake_stride": 2, "fake_offset": "random", "fake_order": "random", "num_fake": 5},
        {"num_real": 100},  # a result takes the number of clips from the file
        {"covariance": "n-1"},  # converted
        {"split": "train"},  # a result takes it from the file
        {"name": "mine", "description": "mine"},
    ],
)
def test_fields_that_do_not_bear_on_the_set_do_not_matter(changes):
    assert deviations_of_statistics(of(), replace(STYLEGAN_V, **changes), "real") == ()


@pytest.mark.parametrize(
    ("changes", "values"),
    [
        ({"real_stride": 3}, [1]),
        ({"num_frames": 32}, [16]),
        ({"seed": 1}, [0]),
        ({"seed": 1, "size": 128}, [0, 256]),
        ({"weights": "sha256:12"}, ["i3d_torchscript.pt"]),
        ({"short_real": "error"}, ["discard"]),
    ],
)
def test_fields_that_differ_are_named(changes, values):
    protocol = replace(STYLEGAN_V, **changes)
    expected = [
        deviation(field, value, wanted)
        for (field, wanted), value in zip(changes.items(), values, strict=True)
    ]
    assert list(deviations_of_statistics(of(), protocol, "real")) == expected
    assert not follows_protocol(of(), protocol, "real")


def test_mirrored_clips_are_a_question_of_yes_and_no():
    found = deviations_of_statistics(of(), replace(STYLEGAN_V, mirror="real"), "real")
    assert found == (deviation("mirror", "no", "yes"),)


def test_a_seed_matters_only_where_something_is_drawn():
    changes = {"real_offset": "first", "real_order": "sorted"}
    drawn_by_none = replace(STYLEGAN_V, **changes)
    origin = replace(ORIGIN, protocol_fields=drawn_by_none.affecting_fields())
    assert follows_protocol(of(origin), replace(drawn_by_none, seed=9), "real")
    assert deviations_of_statistics(of(origin), replace(STYLEGAN_V, seed=9), "real") == (
        deviation("real_offset", "first", "random"),
    )


def test_a_real_set_that_stands_for_the_generated_one_is_held_to_that_side():
    found = deviations_of_statistics(of(), STYLEGAN_V, "fake")
    assert found == (deviation("fake_offset", "random", "first"),)
    same = replace(STYLEGAN_V, fake_offset="random", short_real="error")
    assert follows_protocol(of(), same, "fake")
    mirrored = replace(same, mirror="real")  # the real clips alone
    assert follows_protocol(of(), mirrored, "fake")


def test_a_file_of_an_older_program_lacks_what_was_not_a_field_then():
    fields = {k: v for k, v in STYLEGAN_V.affecting_fields().items() if k != "window"}
    found = deviations_of_statistics(
        of(replace(ORIGIN, protocol_fields=fields)), STYLEGAN_V, "real"
    )
    assert found == (deviation("window", None, "kept"),)


def test_what_somebody_stated_is_said_to_be_so():
    stated = of(replace(ORIGIN, stated=True, weights_sha256=None, record=None))
    assert deviations_of_statistics(stated, STYLEGAN_V, "real") == (deviation("origin", "stated"),)
    assert follows_protocol(stated, STYLEGAN_V, "real")
    record = record_of_statistics(stated)
    assert (record.digest, record.num_clips, record.storage) == ("ef" * 32, 2048, "statistics")


def test_a_file_that_says_nothing_is_not_known():
    assert deviations_of_statistics(of(None), STYLEGAN_V, "real") == (
        deviation("origin", "unknown"),
    )
    assert not follows_protocol(of(None), STYLEGAN_V, "real")
    assert record_of_statistics(of(None)).num_clips == 2048


def network(**changes):
    """A spec like I3D's and the hash of its weights."""
    spec = replace(NETWORKS["i3d"].choose(), **{"outputs": {"logits": 2}} | changes)
    return spec, "cd" * 32


def test_the_network_that_made_them_is_the_only_one_they_go_with():
    check_network(of(), *network())
    check_network(of(None), *network())
    check_network(of(replace(ORIGIN, weights_sha256=None)), *network())


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"name": "i3d-videogpt"}, "made with the network i3d, not i3d-videogpt"),
        ({"outputs": {"pooled": 2}, "output": "pooled"}, "made of the logits of i3d, not of its"),
        ({"version": 2}, "made with version 1 of i3d, this is version 2"),
        ({"outputs": {"logits": 3}}, "holds statistics of 2 features, the network has 3"),
    ],
)
def test_another_network_is_refused(changes, complaint):
    with pytest.raises(InputError, match=rf"ref\.npz: {complaint}"):
        check_network(of(), *network(**changes))


def test_other_weights_are_refused_by_both_hashes():
    with pytest.raises(InputError, match=r"cdcdcdcdcdcd…, these are 999999999999…"):
        check_network(of(), network()[0], "99" * 32)


@given(st.integers(2, 60), st.sampled_from([("n", 0), ("n-1", 1)]))
def test_the_covariance_is_what_the_protocol_asks_for(count, wanted):
    rows = np.random.default_rng(count).standard_normal((count, 3))
    name, ddof = wanted
    expected = streamed_statistics([rows], ddof=ddof).covariance
    for have, own in (("n", 0), ("n-1", 1)):
        fields = STYLEGAN_V.affecting_fields() | {"covariance": have}
        statistics = streamed_statistics([rows], ddof=own)
        file = replace(of(replace(ORIGIN, protocol_fields=fields)), statistics=statistics)
        np.testing.assert_allclose(statistics_over(file, name).covariance, expected, rtol=1e-14)
    unknown = replace(of(None), statistics=statistics)
    assert statistics_over(unknown, name) is unknown.statistics


def test_the_split_is_that_of_the_file(tmp_path):
    write_statistics_file(tmp_path / "ref.npz", COUNTED, ORIGIN)
    np.savez(tmp_path / "theirs.npz", mu=MU, sigma=SIGMA)
    assert stated_split(tmp_path / "ref.npz") == "published"
    assert stated_split(tmp_path / "theirs.npz") is None
    assert stated_split(tmp_path) is None
    assert stated_split(None) is None
