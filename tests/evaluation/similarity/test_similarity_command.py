"""`latte-eval similarity`: a model, and two sets of videos."""

import json

import numpy as np
import pandas as pd
import pytest

from evaluation.result import read_results
from latte.data.shapes import CLASS_NAMES
from latte.model.checkpoints import save_checkpoint


@pytest.fixture
def similarity(sets, latte_eval, tmp_path):
    """On the module's sets, or inside a checkpoint."""

    def run(*arguments, out=tmp_path / "r.jsonl"):
        common = ("--out", out, "--workers", 0, "--quiet", "--device", "cpu")
        store = ("--store", tmp_path / "store")
        return latte_eval("similarity", *common, *store, *arguments, cwd=sets)

    return run


@pytest.fixture
def checkpoint(small_latte, tmp_path):
    """Maker of files of a small network on `shapes`."""

    def make(variant, **changes):
        model = small_latte(variant, **changes)
        classes = list(CLASS_NAMES) if model.config.num_classes else []
        settings = {"dataset": "shapes", "autoencoder": {"name": "patches"}}
        settings |= {"classes": classes} if classes else {}
        path = tmp_path / f"variant{variant}.safetensors"
        save_checkpoint(path, model.config, model.state_dict(), settings)
        return path

    return make


def figures_in(folder):
    names = {path.stem for path in folder.iterdir()}
    assert {path.name for path in folder.iterdir()} == {
        f"{name}.{ending}" for name in names for ending in ("svg", "png", "csv")
    }
    return names


def test_inside_a_model_every_block_and_timestep_is_measured(similarity, checkpoint, tmp_path):
    path = checkpoint(4, num_classes=10)
    asked = ("--block", 1, "--block", "blocks.2", "--timestep", 100, "--timestep", 700)
    given = ("--checkpoint", path, "--dataset", "shapes", "--num-clips", 5, *asked)
    done = similarity(*given, "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["metric"] == "hidden-inversion-rate"
    assert record["interval"][0] <= record["value"] <= record["interval"][1]
    assert (record["num_real"], record["num_frames"]) == (5, 6)
    assert record["parameters"]["classes"] == "of the clips"
    places = [(each["path"], each["timestep"]) for each in record["details"]["sites"]]
    paths = ("blocks.1", "blocks.1.attn", "blocks.1.attn_temporal", "blocks.2")
    assert places == [(path, step) for path in paths for step in (100, 700)]
    for each in (*record["details"]["sites"], *record["details"]["pairs"]):
        assert each["mean"]["interval"][0] <= each["mean"]["value"] <= each["mean"]["interval"][1]
        assert np.shape(each["matrix"]["value"]) == (6, 6)
        assert sum(each["distribution"]["value"]) == pytest.approx(1, abs=1e-3)
    again = json.loads(similarity(*given, "--json", "--batch-size", 3).stdout)
    assert again["details"] == record["details"]
    assert again["fingerprint"] == record["fingerprint"]
    other = json.loads(similarity(*given, "--timestep", 900, "--json").stdout)
    assert other["fingerprint"] != record["fingerprint"]
    assert read_results(tmp_path / "r.jsonl") == [record, again, other]


def test_a_person_reads_a_table_of_a_model_and_finds_the_figures(similarity, checkpoint, tmp_path):
    given = ("--checkpoint", checkpoint(4), "--dataset", "shapes", "--num-clips", 4)
    plots = tmp_path / "figures"
    done = similarity(*given, "--block", 1, "--timestep", 700, "--plots", plots)
    assert done.returncode == 0, done.stderr
    assert "blocks.1.attn_temporal  temporal attention" in done.stdout
    assert "same frame" in done.stdout
    assert f"figures: {plots}" in done.stdout
    assert figures_in(plots) == {"matrices-0700", "distribution-0700", "mutual-0700"}
    assert len(pd.read_csv(plots / "matrices-0700.csv")) == 3 * 6 * 6


def test_a_model_is_shown_clips_of_its_own_length_and_size(similarity, checkpoint, sets):
    done = similarity(
        "--checkpoint", checkpoint(2), "--real", "real.npy", "--protocol", "shapes", "--json",
        "--timestep", 500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["num_real"] == 24
    assert len(record["details"]["sites"]) == 4
    assert record["details"]["pairs"] == []


@pytest.mark.parametrize(("features", "suffix"), [("pixels", "pixels"), ("shapes-frame", "shapes")])
def test_videos_are_compared_by_pixels_and_by_features(similarity, tmp_path, features, suffix):
    given = ("--real", "real.npy", "--protocol", "shapes", "--features", features, "--json")
    found = []
    for fake in ("good.npy", "frozen.npy"):
        done = similarity(*given, "--fake", fake)
        assert done.returncode == 0, done.stderr
        distance, rate = json.loads(done.stdout)["results"]
        assert distance["metric"] == f"similarity-distance-{suffix}"
        assert rate["metric"] == f"inversion-rate-{suffix}"
        for result in (distance, rate):
            assert result["interval"][0] <= result["value"] <= result["interval"][1]
        sets = distance["details"]["sets"]
        assert sets["fake"]["inverted"]["value"] == rate["value"]
        assert sets["real"]["inverted"] == rate["details"]["real"]
        found.append((distance["value"], rate["value"]))
    (moving, some_rate), (still, no_rate) = found
    assert still > 2 * moving
    assert no_rate == 0 < some_rate
    assert len(read_results(tmp_path / "r.jsonl")) == 4


def test_a_person_reads_a_table_of_both_sets_and_finds_the_figures(similarity, tmp_path):
    given = ("--real", "real.npy", "--fake", "good.npy", "--protocol", "shapes")
    plots = tmp_path / "figures"
    done = similarity(*given, "--features", "pixels", "--plots", plots)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("similarity-distance-pixels ")
    assert [line.split()[0] for line in lines[4:6]] == ["real", "generated"]
    assert "one and the same source" in lines[6]
    assert figures_in(plots) == {"matrices", "distribution", "distance"}


def test_one_clip_beside_one_is_measured_without_what_equal_sets_are_apart(
    similarity, sets, tmp_path
):
    for name in ("good.npy", "real.npy"):
        np.save(tmp_path / name, np.load(sets / name)[:1])
    given = ("--real", tmp_path / "real.npy", "--fake", tmp_path / "good.npy")
    done = similarity(*given, "--protocol", "shapes", "--features", "pixels", "--num-clips", 1)
    assert done.returncode == 0, done.stderr
    assert "apart" not in done.stdout
    for result in read_results(tmp_path / "r.jsonl"):
        assert result["details"].get("of_equal_sets") is None


def test_the_way_a_run_is_carried_out_moves_no_number(similarity, tmp_path):
    given = ("--real", "real.npy", "--fake", "good.npy", "--protocol", "shapes", "--json")
    found = []
    for size in (1, 7):
        store = ("--store", tmp_path / str(size))
        done = similarity(*given, "--features", "pixels", "--batch-size", size, *store)
        found.append([result["value"] for result in json.loads(done.stdout)["results"]])
    assert found[0] == found[1]


def test_all_can_measure_it_beside_others(latte_eval, sets, tmp_path):
    done = latte_eval(
        *("all", "--real", "real.npy", "--fake", "good.npy", "--protocol", "shapes", "--json"),
        *("--set", "metrics=fid,similarity", "--resamples", 0, "--workers", 0),
        *("--out", tmp_path / "r.jsonl", "--store", tmp_path / "store"),
        cwd=sets,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    names = ["FID-shapes", "similarity-distance-shapes", "inversion-rate-shapes"]
    assert [result["metric"] for result in results] == names
    assert [result["interval"] for result in results] == [None] * 3


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--real", "real.npy"], "no generated videos: give --fake"),
        (["--fake", "good.npy"], "no real videos"),
        (["--real", "real.npy", "--fake", "good.npy", "--block", 1], "--block is about a model"),
        (["--real", "real.npy", "--fake", "good.npy", "--features", "pixel"], "unknown network"),
        (["--real", "real.npy", "--fake", "good.npy", "--features", "shapes"], "looks at clips"),
        (["--real", "real.npy", "--fake", "good.npy", "--features", "pixels", "--num-frames", 2],
         "at least 3"),
        (["--real", "statistics.npz", "--fake", "good.npy", "--features", "shapes-frame"],
         "a mean and a covariance"),
        (["--checkpoint", "none.safetensors", "--real", "real.npy"], "none.safetensors"),
        (["--checkpoint", "MODEL", "--real", "real.npy", "--fake", "good.npy"],
         "--fake is about videos alone"),
        (["--checkpoint", "MODEL", "--real", "real.npy", "--block", 9], "blocks 0 … 3"),
        (["--checkpoint", "MODEL", "--real", "real.npy", "--block", "blocks.1.atn"],
         "did you mean blocks.1.attn"),
        (["--checkpoint", "MODEL", "--real", "real.npy", "--timestep", 1000], "no timestep 1000"),
        (["--checkpoint", "MODEL", "--real", "small.npy"], "works on 32×32"),
        (["--checkpoint", "MODEL", "--real", "statistics.npz"], "shown the videos"),
        (["--checkpoint", "MODEL"], "no real videos"),
        (["--checkpoint", "MODEL", "--real", "real.npy", "--plots", "real.npy"], "is a file"),
        (["--checkpoint", "MODEL", "--real", "real.npy", "--plots", "real.npy/below"],
         "real.npy/below cannot be written: choose another folder with --plots"),
        (["--real", "real.npy", "--fake", "good.npy", "--features", "pixels", "--plots",
          "real.npy/below"], "choose another folder"),
        (["--checkpoint", "MODEL", "--real", "real.npy", "--block", ""], "without a name"),
        (["--real", "real.npy", "--fake", "good.npy", "--features", "pixels", "--weights",
          "none.pt"], "--weights is about a network, and pixels take none"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(sets, similarity, checkpoint, tmp_path, arguments, problem):
    np.savez(sets / "statistics.npz", mu=np.zeros(64), sigma=np.eye(64))
    np.save(sets / "small.npy", np.zeros((4, 16, 16, 16, 3), np.uint8))
    model = checkpoint(1)
    done = similarity(*[model if each == "MODEL" else each for each in arguments],
                      "--protocol", "shapes")  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert problem in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "r.jsonl").exists()
