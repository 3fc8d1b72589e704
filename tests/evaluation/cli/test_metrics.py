"""Every metric as a command, and all of them in one pass."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from evaluation.catalogue.registry import METRICS
from evaluation.protocol.presets import PRESETS
from evaluation.results.files import read_results
from latte.data.shapes import CLASS_NAMES, shapes_clips
from latte.data.video import write_video

ON_SHAPES = {
    "fvd": ["FVD-shapes"],
    "fid": ["FID-shapes"],
    "kvd": ["KVD-shapes"],
    "kid": ["KID-shapes"],
    "jedi": ["JEDi-shapes"],
    "is": ["IS-shapes"],
    "precision-recall": ["precision-shapes", "recall-shapes"],
    "density-coverage": ["density-shapes", "coverage-shapes"],
    "per-position": ["FID-shapes per position"],
}


@pytest.fixture
def measure(sets, latte_eval, tmp_path):
    def run(command, *arguments, out=tmp_path / "results.jsonl"):
        common = ["--fake", "good.npy", "--workers", 0, "--out", out, "--resamples", 40]
        return latte_eval(command, *common, "--protocol", "shapes", *arguments, cwd=sets)

    return run


@pytest.fixture(scope="module")
def class_folders(tmp_path_factory):
    """Lossless videos of three classes in folders, four of each, in two draws."""
    root = tmp_path_factory.mktemp("classes")
    for name, first in (("real", 0), ("fake", 40)):
        for index, clip in enumerate(shapes_clips("test", range(first, first + 40))):
            if index % 10 < 3:
                folder = root / name / CLASS_NAMES[index % 10]
                folder.mkdir(parents=True, exist_ok=True)
                write_video(folder / f"{index}.mkv", clip, fps=8)
    return root


def results_of(done) -> list[dict]:
    record = json.loads(done.stdout)
    return record.get("results", [record])


@pytest.mark.parametrize("command", ON_SHAPES)
def test_each_metric_is_a_command_with_intervals_and_parameters(measure, tmp_path, command):
    real = [] if command == "is" else ["--real", "real.npy"]
    done = measure(command, *real, "--json")
    assert done.returncode == 0, done.stderr
    results = results_of(done)
    assert [result["metric"] for result in results] == ON_SHAPES[command]
    assert [json.loads(r.to_json()) for r in read_results(tmp_path / "results.jsonl")] == results
    for result in results:
        assert np.isfinite(result["value"])
        assert result["parameters"] == dict(METRICS[command].parameters)
        assert result["higher_is_better"] == METRICS[command].numbers[0].higher_is_better
        if command != "per-position":
            low, high = result["interval"]
            assert low <= result["value"] <= high


def test_all_measures_what_the_protocol_names_in_one_pass(measure, tmp_path):
    store = ("--store", tmp_path / "store")
    done = measure("all", "--real", "real.npy", "--json", *store)
    assert done.returncode == 0, done.stderr
    results = results_of(done)
    wanted = [title for name in PRESETS["shapes"].metrics for title in ON_SHAPES[name]]
    assert [result["metric"] for result in results] == wanted
    assert {result["details"]["decoded_clips"] for result in results} <= {24, 48}
    single = measure("kid", "--real", "real.npy", "--json", *store)
    alone = results_of(single)[0]
    assert alone["value"] == next(r["value"] for r in results if r["metric"] == "KID-shapes")
    assert alone["details"]["decoded_clips"] == 0  # every row is in the store


def test_a_person_reads_a_line_for_each_number(measure):
    done = measure("precision-recall", "--real", "real.npy")
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["precision-shapes", "recall-shapes"]


def test_the_numbers_do_not_depend_on_how_the_run_is_carried_out(sets, latte_eval, tmp_path):
    def values(folder, *arguments):
        done = latte_eval(
            *("all", "--real", "real.npy", "--fake", "good.npy", "--protocol", "shapes"),
            *("--out", tmp_path / folder / "r.jsonl", "--resamples", 40, "--json"),
            *("--store", tmp_path / folder, "--set", f"metrics={','.join(ON_SHAPES)}", *arguments),
            cwd=sets,
        )
        assert done.returncode == 0, done.stderr
        return [(r["metric"], r["value"], r["interval"]) for r in results_of(done)]

    first = values("a", "--workers", 0, "--batch-size", 1)
    assert first == values("b", "--workers", 2, "--batch-size", 7)


def test_classes_are_measured_one_by_one(class_folders, latte_eval, tmp_path):
    done = latte_eval(
        *("per-class", "--real", "real", "--fake", "fake", "--network", "shapes"),
        *("--out", tmp_path / "r.jsonl", "--workers", 0),
        cwd=class_folders,
    )
    assert done.returncode == 0, done.stderr
    result = read_results(tmp_path / "r.jsonl")[0]
    classes = result.details["classes"]
    assert set(classes) == set(CLASS_NAMES[:3])
    assert result.value == pytest.approx(np.mean([c["value"] for c in classes.values()]))
    assert all(c["num_real"] == c["num_fake"] == 4 for c in classes.values())
    assert CLASS_NAMES[0] in done.stdout


def test_a_class_without_a_value_says_why(class_folders, latte_eval, tmp_path):
    shutil.copytree(class_folders / "real", tmp_path / "real")
    for video in sorted((tmp_path / "real" / CLASS_NAMES[0]).iterdir())[1:]:
        video.unlink()
    done = latte_eval(
        *("per-class", "--real", "real", "--fake", class_folders / "fake", "--network", "shapes"),
        *("--out", tmp_path / "r.jsonl", "--workers", 0),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["class", "FVD", "real", "clips", "generated", "clips"] in rows
    assert [*CLASS_NAMES[0].split(), "–", "[a]", "1", "4"] in rows
    assert "[a] Fewer than 2 real or generated clips." in done.stdout


def test_a_frozen_video_goes_wrong_after_its_first_frame(sets, measure, tmp_path):
    real = np.load(sets / "real.npy")
    np.save(tmp_path / "frozen.npy", np.repeat(real[:, :1], 16, axis=1))
    done = measure(
        "per-position", "--real", "real.npy", "--fake", tmp_path / "frozen.npy", "--json"
    )
    positions = results_of(done)[0]["details"]["positions"]
    assert len(positions) == 16
    assert positions[0] < 1e-9 < 1e-3 < min(positions[1:])


@pytest.mark.parametrize(
    ("command", "arguments", "contains"),
    [
        ("kvd", ["--real", "statistics.npz"], "a mean and a covariance"),
        ("fvd", ["--real", "real.npy", "--network", "shapes-frame"], "looks at frames"),
        ("fid", ["--real", "real.npy", "--network", "shapes"], "looks at clips"),
        ("per-class", ["--real", "real.npy"], "has no class"),
        ("kid", [], "no real videos"),
        ("fvd", ["--real", "real.npy", "--network", "c3d"], "gives class probabilities"),
        ("all", ["--real", "real.npy", "--set", "metrics=fvd,lpips"], "'lpips'"),
    ],
)
def test_what_a_metric_cannot_do_is_one_sentence(sets, measure, command, arguments, contains):
    np.savez(sets / "statistics.npz", mu=np.zeros(64), sigma=np.eye(64))
    done = measure(command, *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert contains in done.stderr
    assert "Traceback" not in done.stderr


def test_a_metric_that_cannot_be_does_not_cost_the_others(sets, latte_eval, tmp_path):
    clips = np.load(sets / "real.npy")
    np.save(tmp_path / "few.npy", clips[:6])
    done = latte_eval(
        *("all", "--real", "few.npy", "--fake", "few.npy", "--protocol", "shapes", "--json"),
        *("--workers", 0, "--set", "metrics=fvd,is,kvd", "--out", tmp_path / "r.jsonl"),
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert "1 of 3 metrics could not be measured (is: " in done.stderr
    assert [result["metric"] for result in results_of(done)] == ["FVD-shapes", "KVD-shapes"]
    assert len(read_results(tmp_path / "r.jsonl")) == 2


def test_several_clips_of_a_video_are_said_to_depend_on_each_other(measure, tmp_path):
    done = measure("fvd", "--real", "real.npy", "--set", "mirror=both", "--num-videos", 48)
    assert done.returncode == 0, done.stderr
    assert "48 clips of 24 videos of real.npy count as independent" in done.stderr
    assert read_results(tmp_path / "results.jsonl")[0].num_real == 48


def test_statistics_serve_the_metrics_that_they_can(sets, latte_eval, measure, tmp_path):
    file = tmp_path / "real.safetensors"
    given = ("--real", "real.npy", "--protocol", "shapes", "--workers", 0)
    assert latte_eval("stats", "export", *given, "--out", file, cwd=sets).returncode == 0
    done = measure("all", "--real", file, "--set", "metrics=fvd,fid,kvd,is", "--json")
    assert done.returncode == 2
    assert "2 of 4 metrics could not be measured (fid: " in done.stderr
    assert [result["metric"] for result in results_of(done)] == ["FVD-shapes", "IS-shapes"]


def test_a_file_to_verify_is_of_a_network(latte_eval, tmp_path):
    junk = tmp_path / "junk.pt"
    junk.write_bytes(b"not weights")
    for weights, contains in (
        (junk, "of which network?"),
        (f"c3d={junk}", "not a file of weights"),
    ):
        done = latte_eval("networks", "verify", "--weights", weights, cwd=tmp_path)
        assert done.returncode == 2
        assert contains in done.stderr


def test_weights_that_are_missing_cost_their_metrics_alone(sets, measure, tmp_path):
    done = measure(
        *("all", "--real", "real.npy", "--network", "shapes", "--set", "metrics=fvd,is,kid"),
        *("--weights", f"shapes-frame={tmp_path / 'none.safetensors'}", "--json"),
    )
    assert done.returncode == 2
    assert "skipping kid: " in done.stderr
    assert "1 of 3 metrics could not be measured (kid: " in done.stderr
    assert [result["metric"] for result in results_of(done)] == ["FVD-shapes", "IS-shapes"]


def test_means_over_other_classes_do_not_compare(class_folders, latte_eval, tmp_path):
    fewer = tmp_path / "fewer"
    shutil.copytree(class_folders / "fake", fewer)
    shutil.rmtree(fewer / CLASS_NAMES[1])
    out = tmp_path / "r.jsonl"
    for fake in ("fake", fewer):
        given = ("--real", "real", "--fake", fake, "--network", "shapes", "--workers", 0)
        done = latte_eval("per-class", *given, "--out", out, cwd=class_folders)
        assert done.returncode == 0, done.stderr
    assert f"the mean leaves out {CLASS_NAMES[1]}" in done.stderr
    whole, part = read_results(out)
    assert part.parameters["classes"] == sorted((CLASS_NAMES[0], CLASS_NAMES[2]))
    assert whole.fingerprint != part.fingerprint


def test_few_clips_have_a_value_before_they_have_an_interval(sets, measure, tmp_path):
    clips = np.load(sets / "real.npy")
    for count in (4, 5):
        np.save(tmp_path / "few.npy", clips[:count])
        fake = ("--fake", tmp_path / "few.npy")
        done = measure("precision-recall", "--real", "real.npy", *fake, "--json")
        assert done.returncode == 0, done.stderr
        assert [r["interval"] is None for r in results_of(done)] == [count == 4] * 2


def test_a_score_without_real_videos_is_the_same_whatever_they_are(sets, measure):
    alone = results_of(measure("is", "--json"))[0]
    beside = results_of(measure("all", "--real", "real.npy", "--set", "metrics=is,kvd", "--json"))
    assert beside[0]["fingerprint"] == alone["fingerprint"]
    assert not {"split", "num_real", "real_stride"} & set(alone["protocol_fields"])


def test_where_every_frame_is_taken_frames_are_what_is_counted(sets, latte_eval, tmp_path):
    frames = np.load(sets / "real.npy")
    for name, lengths in (("real", (9, 3, 16, 1)), ("fake", (2, 3, 4, 5))):
        for i, length in enumerate(lengths):
            folder = tmp_path / name / str(i)
            folder.mkdir(parents=True)
            for k in range(length):
                Image.fromarray(frames[i, k]).save(folder / f"{k:06d}.png")
    every = ("--set", "real_offset=every", "--set", "fake_offset=every", "--set", "num_fake=12")
    done = latte_eval(
        *("fid", "--real", "real", "--fake", "fake", "--protocol", "shapes", *every),
        *("--out", tmp_path / "r.jsonl", "--workers", 0),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "29 real and 12 generated frames, shapes" in done.stdout
    assert "clips of different lengths" in done.stderr


def test_classes_do_not_depend_on_how_the_run_is_carried_out(class_folders, latte_eval, tmp_path):
    found = []
    for name, way in (("a", (1, 0)), ("b", (5, 2))):
        given = ("--real", "real", "--fake", "fake", "--network", "shapes")
        options = ("--batch-size", way[0], "--workers", way[1], "--store", tmp_path / name)
        out = tmp_path / name / "r.jsonl"
        done = latte_eval("per-class", *given, *options, "--out", out, cwd=class_folders)
        assert done.returncode == 0, done.stderr
        found.append(read_results(out)[0])
    assert found[0].value == found[1].value
    assert found[0].details["classes"] == found[1].details["classes"]
