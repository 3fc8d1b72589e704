"""`latte-eval similarity` of two sets of videos, and what any use of it refuses."""

import json

import numpy as np
import pytest

from evaluation.results.files import read_results


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
        inverted = {side: summary["numbers"]["inverted"] for side, summary in sets.items()}
        assert inverted["fake"]["value"] == rate["value"]
        assert inverted["real"] == rate["details"]["real"]
        change = rate["details"]["difference"]
        assert change == distance["details"]["differences"]["inverted"]
        assert change["value"] == rate["value"] - rate["details"]["real"]["value"]
        assert change["interval"][0] < change["value"] < change["interval"][1]
        assert distance["details"]["significantly_different"] is (distance["interval"][0] > 0)
        assert (distance["higher_is_better"], rate["higher_is_better"]) == (False, None)
        found.append((distance["value"], rate["value"]))
    (moving, some_rate), (still, no_rate) = found
    assert still > 2 * moving
    assert no_rate == 0 < some_rate
    assert change["interval"][1] < 0  # fewer inversions than the real ones: no merit
    assert len(read_results(tmp_path / "r.jsonl")) == 4


def test_a_person_reads_a_table_of_both_sets_and_finds_the_figures(
    similarity, tmp_path, figures_in
):
    given = ("--real", "real.npy", "--fake", "good.npy", "--protocol", "shapes")
    plots = tmp_path / "figures"
    done = similarity(*given, "--features", "pixels", "--plots", plots)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("similarity-distance-pixels ")
    assert [line.split()[0] for line in lines[6:8]] == ["real", "generated"]
    assert lines[8].startswith("generated − real ")
    assert "from one source" in lines[10]
    assert figures_in(plots) == {"matrices", "distribution", "distance"}


def test_one_clip_beside_one_is_measured_without_what_equal_sets_are_apart(
    similarity, sets, tmp_path
):
    for name in ("good.npy", "real.npy"):
        np.save(tmp_path / name, np.load(sets / name)[:1])
    given = ("--real", tmp_path / "real.npy", "--fake", tmp_path / "good.npy")
    done = similarity(*given, "--protocol", "shapes", "--features", "pixels", "--num-clips", 1)
    assert done.returncode == 0, done.stderr
    assert "source" not in done.stdout
    assert "similarity-distance-pixels has no interval: fewer than 4 clips" in done.stderr
    for result in read_results(tmp_path / "r.jsonl"):
        assert result.details.get("chance_distance") is None
        assert result.details["no_interval"] == {"reason": "too_few_clips", "min_clips": 4}


def test_pixels_deviate_in_the_network_alone(similarity, tmp_path):
    given = ("--real", "real.npy", "--fake", "good.npy", "--protocol", "shapes")
    done = similarity(*given, "--features", "pixels", "--num-clips", 24)
    assert done.returncode == 0, done.stderr
    for result in read_results(tmp_path / "r.jsonl"):
        assert [each.field for each in result.deviations] == ["num_real", "num_fake", "network"]
    assert "network pixels instead of shapes-frame" in done.stderr


def test_a_file_that_holds_no_weights_is_refused_with_what_to_do(similarity, tmp_path):
    (tmp_path / "w.pt").write_bytes(b"junk")
    given = ("--real", "real.npy", "--fake", "good.npy", "--protocol", "shapes")
    done = similarity(*given, "--weights", tmp_path / "w.pt")
    assert done.returncode == 2
    assert f"{tmp_path / 'w.pt'}: is a text file" in done.stderr
    assert "leave weights (--weights) out" in done.stderr


def test_batch_size_and_store_do_not_affect_results(similarity, tmp_path):
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
        (["--checkpoint", "MODEL", "--real", "real.npy", "--plots", "real.npy"],
         "real.npy cannot be written: choose another folder with --plots"),
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


def test_no_resamples_are_no_intervals(similarity, checkpoint):
    def intervals(record):
        if isinstance(record, dict):
            here = [record[key] for key in ("interval", "low", "high") if key in record]
            return here + [x for part in record.values() for x in intervals(part)]
        return [x for part in record for x in intervals(part)] if isinstance(record, list) else []

    model = checkpoint(4, num_frames=5)
    inside = ("--checkpoint", model, "--real", "real.npy", "--timestep", 500)
    videos = ("--real", "real.npy", "--fake", "good.npy", "--features", "pixels")
    for given in (inside, (*videos, "--protocol", "shapes")):
        done = similarity(*given, "--resamples", 0, "--json")
        assert done.returncode == 0, done.stderr
        found = intervals(json.loads(done.stdout))
        assert found
        assert set(found) == {None}
        assert "interval" not in done.stderr
