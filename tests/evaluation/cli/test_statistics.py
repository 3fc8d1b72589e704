"""`latte-eval stats` and `latte-eval compare` as a user meets them."""

import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import typer
from safetensors import safe_open

from evaluation.cli.compare import compare_results
from evaluation.cli.statistics import stats_export, stats_import, stats_show
from evaluation.networks import registry
from evaluation.statistics.file import read_statistics_file
from latte.data.command_line import new_app, run_app


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def command(sets, tmp_path, monkeypatch, capsys):
    """Run one of the commands of these modules in the folder of the small sets."""
    handler = signal.getsignal(signal.SIGTERM)
    app, stats = new_app("latte-eval", "Under test."), typer.Typer()
    for name, function in (("export", stats_export), ("import", stats_import)):
        stats.command(name)(function)
    stats.command("show")(stats_show)
    app.add_typer(stats, name="stats")
    app.command("compare")(compare_results)
    monkeypatch.chdir(sets)
    monkeypatch.setenv("LATTE_STORE", str(tmp_path / "store"))

    def run(*arguments) -> Done:
        monkeypatch.setattr(sys, "argv", ["latte-eval", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run_app(app, "latte-eval")
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    yield run
    signal.signal(signal.SIGTERM, handler)


def export(command, out, *arguments):
    usual = ("--network", "shapes", "--workers", 0, "--quiet", "--out", out)
    return command("stats", "export", *usual, *arguments)


def check_one_sentence(done: Done, *, contains: str) -> None:
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert contains in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("error: ")]) == 1


def features_of(path: Path) -> np.ndarray:
    return registry.build("shapes")(np.load(path)).astype(np.float64)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_an_exported_set_is_its_mean_and_covariance_with_all_that_made_them(
    command, sets, tmp_path, suffix
):
    out = tmp_path / "new folder" / f"real{suffix}"
    done = export(command, out, "--real", "real.npy")
    assert done.returncode == 0, done.stderr
    file = read_statistics_file(out)
    features = features_of(sets / "real.npy")
    np.testing.assert_allclose(file.statistics.mean, features.mean(axis=0), rtol=1e-12)
    expected = np.cov(features, rowvar=False, ddof=0)
    np.testing.assert_allclose(file.statistics.covariance, expected, atol=1e-12)
    assert file.statistics.count == 24
    origin = file.origin
    assert origin.protocol == "shapes"
    assert origin.side == "real"
    assert origin.num_clips == origin.record.num_clips == origin.protocol_fields["num_real"] == 24
    assert origin.record.path == "real.npy"
    assert (origin.network, origin.protocol_fields["weights"]) == ("shapes", "bundled")
    assert origin.weights_sha256 == registry.build("shapes").weights.sha256
    assert not origin.stated
    assert origin.fingerprint in done.stdout
    shown = command("stats", "show", out).stdout
    for part in ("real.npy", origin.fingerprint, "shapes", "protocol_fields.real_stride"):
        assert part in shown


def test_the_same_command_writes_the_same_bytes_and_leaves_nothing_else(command, tmp_path):
    out = tmp_path / "real.safetensors"
    written = []
    for _ in range(2):
        assert export(command, out, "--real", "real.npy").returncode == 0
        written.append(out.read_bytes())
    assert written[0] == written[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["real.safetensors", "store"]


def test_other_programs_read_an_exported_npz_without_unpickling(command, tmp_path):
    out = tmp_path / "real.npz"
    export(command, out, "--real", "real.npy")
    with np.load(out, allow_pickle=False) as archive:
        kinds = {name: archive[name].dtype.kind for name in archive.files}
        assert archive["mu"].shape == (64,)
        assert archive["sigma"].shape == (64, 64)
    assert kinds == {"mu": "f", "sigma": "f", "count": "i", "provenance": "U"}
    with safe_open_of(command, tmp_path) as file:
        assert set(file.keys()) == {"mu", "sigma", "count"}
        assert json.loads(file.metadata()["provenance"])["origin"]["network"] == "shapes"


def safe_open_of(command, tmp_path):
    out = tmp_path / "real.safetensors"
    export(command, out, "--real", "real.npy")
    return safe_open(out, framework="numpy")


def test_a_generated_set_follows_its_own_side_of_the_protocol(command, tmp_path):
    out = tmp_path / "fake.npz"
    done = export(
        command, out, "--fake", "good.npy", "--num-frames", 12, "--set", "fake_offset=random",
        "--seed", 3, "--json",
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert found["side"] == "fake"
    fields = found["protocol_fields"]
    assert (fields["num_frames"], fields["fake_offset"], fields["seed"]) == (12, "random", 3)
    assert (fields["num_fake"], fields["num_real"]) == (24, 512)


def test_frame_networks_count_frames(command, tmp_path):
    out = tmp_path / "frames.npz"
    usual = ("--network", "shapes-frame", "--num-frames", 4, "--set", "covariance=n-1")
    done = command(
        "stats", "export", "--real", "real.npy", *usual, "--workers", 0, "--out", out, "--json"
    )
    found = json.loads(done.stdout)
    assert (found["count"], found["num_clips"]) == (96, 24)
    assert found["protocol_fields"]["covariance"] == "n-1"


@pytest.mark.parametrize(
    ("arguments", "contains"),
    [
        (("--real", "real.npy", "--fake", "good.npy"), "statistics are of one set"),
        ((), "no real videos"),
        (("--real", "none.npy"), "none.npy"),
        (("--real", "real.npy", "--num-videos", 25), "only 24"),
        (("--real", "real.npy", "--num-videos", 1), "of one clip"),
        (("--real", "real.npy", "--num-frames", 2), "at least"),
    ],
)
def test_an_export_that_cannot_be_is_a_sentence(command, tmp_path, arguments, contains):
    out = tmp_path / "out.npz"
    check_one_sentence(export(command, out, *arguments), contains=contains)
    assert not out.exists()


def test_an_export_overwrites_statistics_and_nothing_else(command, sets, tmp_path):
    before = (sets / "good.npy").read_bytes()
    done = export(command, "good.npy", "--real", "real.npy")
    check_one_sentence(done, contains="ends in .safetensors or .npz")
    clips = tmp_path / "clips.npz"
    np.savez(clips, videos=np.zeros(1))
    check_one_sentence(export(command, clips, "--real", "real.npy"), contains="something else")
    assert (sets / "good.npy").read_bytes() == before
    done = export(command, tmp_path / "clips.npz" / "x.npz", "--real", "real.npy")
    check_one_sentence(done, contains="cannot be written")


THEIRS = np.random.default_rng(0).standard_normal((100, 64))


def theirs(path: Path) -> Path:
    np.savez_compressed(path, mu=THEIRS.mean(axis=0), sigma=np.cov(THEIRS, rowvar=False))
    return path


def bring(command, source, out, *arguments):
    return command("stats", "import", source, "--protocol", "shapes", "--out", out, *arguments)


def test_an_imported_file_keeps_its_numbers_and_says_who_said_so(command, tmp_path):
    source = theirs(tmp_path / "theirs.npz")
    out = tmp_path / "ours.safetensors"
    done = bring(command, source, out, "--count", 100, "--set", "real_stride=2")
    assert done.returncode == 0, done.stderr
    assert "declared by the importer" in done.stdout
    file = read_statistics_file(out)
    assert file.statistics.mean.tobytes() == THEIRS.mean(axis=0).tobytes()
    assert file.statistics.covariance.tobytes() == np.cov(THEIRS, rowvar=False).tobytes()
    assert file.statistics.count == file.origin.num_clips == 100
    assert file.origin.stated
    assert file.origin.record is None
    fields = file.origin.protocol_fields
    assert (fields["real_stride"], fields["covariance"], fields["num_real"]) == (2, "n-1", 100)


def test_features_are_summarised_as_the_protocol_asks(command, tmp_path):
    np.savez_compressed(tmp_path / "theirs_kid.npz", feats=THEIRS)
    out = tmp_path / "ours.npz"
    assert bring(command, tmp_path / "theirs_kid.npz", out).returncode == 0
    file = read_statistics_file(out)
    expected = np.cov(THEIRS, rowvar=False, ddof=0)
    np.testing.assert_allclose(file.statistics.covariance, expected, atol=1e-14)
    assert file.origin.protocol_fields["covariance"] == "n"
    assert file.statistics.count == 100


def test_frames_make_clips_where_they_divide(command, tmp_path):
    source = theirs(tmp_path / "theirs.npz")
    counts = {}
    for count in (96, 100):
        out = tmp_path / f"{count}.npz"
        done = bring(command, source, out, "--count", count, "--network", "shapes-frame", "--json")
        counts[count] = json.loads(done.stdout)["num_clips"]
    assert counts == {96: 6, 100: None}  # 16 frames in each


def test_where_every_frame_is_taken_frames_are_counted(command, sets, tmp_path):
    usual = ("--network", "shapes-frame", "--set", "real_offset=every", "--json")
    usual += ("--set", "num_frames=5")
    done = export(command, tmp_path / "ours.npz", "--real", "real.npy", *usual)
    found = json.loads(done.stdout)
    assert (found["count"], found["num_clips"]) == (24 * 16, 24 * 4)  # 5, 5, 5 and 1 frames each
    assert found["protocol_fields"]["num_real"] == 24 * 16
    source = theirs(tmp_path / "theirs.npz")
    done = bring(command, source, tmp_path / "theirs_ours.npz", "--count", 384, *usual)
    found = json.loads(done.stdout)
    assert (found["num_clips"], found["protocol_fields"]["num_real"]) == (None, 384)


def test_another_network_brings_its_own_weights_unless_they_are_named(command, tmp_path):
    np.savez(tmp_path / "fvd.npz", mu=np.zeros(400), sigma=np.eye(400))
    usual = (tmp_path / "fvd.npz", "--count", 2048, "--network", "i3d-videogpt", "--json")
    found = []
    for i, more in enumerate(((), ("--set", "weights=sha256:0123"))):
        out = tmp_path / f"{i}.npz"
        done = command("stats", "import", *usual, "--protocol", "stylegan-v", "--out", out, *more)
        found.append(json.loads(done.stdout)["protocol_fields"]["weights"])
    assert found == [registry.NETWORKS["i3d-videogpt"].weight_files[0].file_name, "sha256:0123"]


@pytest.mark.parametrize(
    ("arrays", "arguments", "contains"),
    [
        ({"mu": np.zeros(64), "sigma": np.eye(64)}, (), "give --count N"),
        ({"mu": np.zeros(3), "sigma": np.eye(3)}, ("--count", 9), "3 features"),
        ({"mu": np.zeros(64), "sigma": -np.eye(64)}, ("--count", 9), "negative eigenvalues"),
        ({"mu": np.zeros(64), "sigma": np.eye(64), "count": 8}, ("--count", 9), "made of 8"),
        ({"feats": THEIRS}, ("--count", 9), "holds 100 rows"),
        ({"feats": THEIRS * np.nan}, (), "not finite"),
        ({"feats": THEIRS[0]}, (), "no (N, D) features"),
        ({"images": THEIRS}, (), "holds images, neither mu and sigma nor feats"),
        ({"mu": np.zeros(64), "sigma": np.eye(64)}, ("--side", "both"), "--side"),
        ({"mu": np.zeros(64), "sigma": np.eye(64)}, ("--covariance", "2"), "--covariance"),
    ],
)
def test_an_import_that_cannot_be_is_a_sentence(command, tmp_path, arrays, arguments, contains):
    np.savez(tmp_path / "theirs.npz", **arrays)
    out = tmp_path / "ours.npz"
    done = bring(command, tmp_path / "theirs.npz", out, *arguments)
    check_one_sentence(done, contains=contains)
    assert not out.exists()


def test_a_file_is_not_imported_onto_itself_nor_twice(command, tmp_path):
    source = theirs(tmp_path / "theirs.npz")
    check_one_sentence(bring(command, source, source, "--count", 9), contains="the file to import")
    bring(command, source, tmp_path / "ours.npz", "--count", 9)
    done = bring(command, tmp_path / "ours.npz", tmp_path / "again.npz", "--count", 9)
    check_one_sentence(done, contains="a file of latte-eval")
    (tmp_path / "broken.npz").write_bytes(b"PK no zip")
    done = bring(command, tmp_path / "broken.npz", tmp_path / "again.npz")
    check_one_sentence(done, contains="cannot be read")


def test_show_says_what_there_is_and_what_is_not_said(command, tmp_path):
    shown = command("stats", "show", theirs(tmp_path / "theirs.npz")).stdout
    assert "latte-eval stats import" in shown
    found = json.loads(command("stats", "show", tmp_path / "theirs.npz", "--json").stdout)
    assert (found["features"], found["count"]) == (64, None)
    check_one_sentence(command("stats", "show", tmp_path / "none.npz"), contains="no such file")
    check_one_sentence(command("stats", "show", "real.npy"), contains="no statistics file")


def test_compare_prints_one_form_at_a_time(command, fvd, tmp_path):
    results = tmp_path / "results.jsonl"
    for name in ("good", "frozen"):
        done = fvd("--fake", f"{name}.npy", "--out", results, "--resamples", 50)
        assert done.returncode == 0, done.stderr
    store = ("--store", Path("store"), "--permutations", 99)
    done = command("compare", results, *store)
    assert done.returncode == 0, done.stderr
    assert "good.npy" in done.stdout
    assert "permutation test on the features, unpaired, 99 permutations" in done.stdout
    assert json.loads(command("compare", results, "--json", *store).stdout)["models"] == [
        "good.npy",
        "frozen.npy",
    ]
    assert command("compare", results, "--csv", *store).stdout.startswith("model,metric,")
    assert r"\begin{table}" in command("compare", results, "--latex", *store).stdout
    assert "| good" in command("compare", results, results, "--markdown", *store).stdout
    check_one_sentence(command("compare", results, "--csv", "--latex"), contains="give one")
    check_one_sentence(command("compare", results, "--level", 5), contains="(--level) 5")
    done = command("compare", results, "--permutations", 10)
    check_one_sentence(done, contains="--permutations 10")
    check_one_sentence(command("compare", tmp_path / "none"), contains="no such file")
