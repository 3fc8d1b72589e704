"""`latte-eval similarity`: a model, and two sets of videos."""

import json

import numpy as np
import pandas as pd
import pytest

from evaluation.results.files import read_results
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

    def make(variant, *, data=None, name=None, **changes):
        model = small_latte(variant, **changes)
        classes = list(CLASS_NAMES) if model.config.num_classes else []
        settings = {"dataset": "shapes", "autoencoder": {"name": "patches"}}
        settings |= {"classes": classes} if classes else {}
        settings |= {"training": {"data": data}} if data else {}
        path = tmp_path / f"{name or f'variant{variant}'}.safetensors"
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
        summary = each["summary"]
        mean = summary["numbers"]["mean"]
        assert mean["interval"][0] <= mean["value"] <= mean["interval"][1]
        assert np.shape(summary["matrix"]["value"]) == (6, 6)
        assert sum(summary["distribution"]["value"]) == pytest.approx(1, abs=1e-3)
    again = json.loads(similarity(*given, "--json", "--batch-size", 3).stdout)
    assert again["details"] == record["details"]
    assert again["fingerprint"] == record["fingerprint"]
    other = json.loads(similarity(*given, "--timestep", 900, "--json").stdout)
    assert other["fingerprint"] != record["fingerprint"]
    lines = (tmp_path / "r.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [record, again, other]


def test_a_person_reads_a_table_of_a_model_and_finds_the_figures(similarity, checkpoint, tmp_path):
    given = ("--checkpoint", checkpoint(4), "--dataset", "shapes", "--num-clips", 4)
    plots = tmp_path / "figures"
    done = similarity(*given, "--block", 1, "--timestep", 700, "--plots", plots)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("variant4: Latte, variant 4, 4 blocks, 4 clips × 6 frames, ")
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


def test_two_models_are_shown_side_by_side_and_none_is_better(
    similarity, checkpoint, latte_eval, sets, tmp_path
):
    for name, variant in (("one", 1), ("other", 2)):
        path = checkpoint(variant, name=name)
        done = similarity("--checkpoint", path, "--real", "real.npy", "--protocol", "shapes")
        assert done.returncode == 0, done.stderr
    records = read_results(tmp_path / "r.jsonl")
    for record in records:
        assert record.higher_is_better is record.fake is None
        assert (record.num_fake, record.network, record.weights_sha256) == (0, "none", "")
    hashes = [record.details["checkpoint"]["sha256"] for record in records]
    assert len(set(hashes)) == 2
    assert "variant 2" in records[1].details["checkpoint"]["title"]
    done = latte_eval("compare", tmp_path / "r.jsonl", "--json", cwd=sets)
    (column,) = json.loads(done.stdout)["columns"]
    assert column["higher_is_better"] is None
    assert [column[name] for name in ("network", "num_real", "num_frames")] == ["none", 24, 6]
    for cell in column["cells"].values():
        assert cell["comparable"]
        assert cell["rank"] is cell["significant"] is None
        assert cell["differences"] == cell["deviations"] == []


TRAINED = {"stride": 2, "recipe": "stylegan-v", "filter": "bilinear"}


def test_clips_are_taken_as_the_checkpoint_was_trained_unless_told(similarity, checkpoint):
    path = checkpoint(1, data=TRAINED, num_frames=5)
    given = ("--checkpoint", path, "--real", "real.npy", "--block", 0, "--timestep", 500, "--json")

    def fields(*more):
        done = similarity(*given, *more)
        assert done.returncode == 0, done.stderr
        record = json.loads(done.stdout)
        fields = record["protocol_fields"]
        chosen = [fields[name] for name in ("real_stride", "recipe", "filter", "storage")]
        return chosen, record["protocol"], done.stderr

    chosen, name, said = fields()
    assert (chosen, name) == ([2, "stylegan-v", "bilinear", "lossless"], "as trained")
    assert "real_stride 2 instead of 3" in said
    chosen, name, said = fields("--set", "real_stride=1", "--set", "filter=lanczos")
    assert (chosen, name) == ([1, "latte", "lanczos", "jpeg-75"], "latte")
    assert "checkpoint" not in said
    chosen, name, said = fields("--set", "recipe=videogpt", "--set", "filter=bilinear")
    assert (chosen, name) == ([2, "videogpt", "bilinear", "jpeg-75"], "as trained")
    chosen, name, said = fields("--protocol", "latte")
    assert (chosen, name) == ([3, "latte", "lanczos", "jpeg-75"], "latte")
    assert "checkpoint" not in said


@pytest.mark.parametrize(
    "data",
    [
        {"stride": 0, "recipe": "none of ours", "filter": "lanczos"},
        {"stride": "3", "recipe": "videogpt", "filter": "lanczos"},
    ],
)
def test_what_a_foreign_checkpoint_says_of_its_clips_is_left_alone(similarity, checkpoint, data):
    path = checkpoint(1, data=data, num_frames=5)
    done = similarity("--checkpoint", path, "--real", "real.npy", "--block", 0, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["protocol"] == "latte"


def test_videos_too_short_for_the_stride_are_refused_with_what_helps(
    similarity, checkpoint, sets, tmp_path
):
    np.save(tmp_path / "short.npy", np.load(sets / "real.npy")[:, :8])
    np.save(tmp_path / "shorter.npy", np.load(sets / "real.npy")[:, :5])
    given = ("--checkpoint", checkpoint(1), "--real")
    done = similarity(*given, tmp_path / "short.npy")
    assert done.returncode == 2
    assert "--set real_stride=1" in done.stderr
    assert similarity(*given, tmp_path / "short.npy", "--set", "real_stride=1").returncode == 0
    done = similarity(*given, tmp_path / "shorter.npy")
    assert done.returncode == 2
    assert "real_stride" not in done.stderr


def test_too_few_clips_are_remarked_on(similarity, checkpoint):
    model = checkpoint(1, num_frames=5)
    given = ("--checkpoint", model, "--real", "real.npy", "--block", 0, "--json")
    done = similarity(*given)
    assert "note: only 24 of 64 clips: real.npy has no more" in done.stderr
    assert "interval" not in done.stderr
    done = similarity(*given, "--num-clips", 3)
    assert "note: no number has an interval: fewer than 4 clips" in done.stderr
    assert "only" not in done.stderr
    assert json.loads(done.stdout)["interval"] is None


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


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        ("-1", "no block -1: the model has blocks 0 … 3"),
        ("foo", "no part 'foo': it has blocks.0 … blocks.3, x_embedder, final_layer"),
        ("blocks.1.atn", "did you mean blocks.1.attn"),
    ],
)
def test_a_wrong_part_is_refused_in_short_before_the_work(
    similarity, checkpoint, monkeypatch, part, problem
):
    monkeypatch.setattr(
        "evaluation.similarity.hidden_states.run.plan_set",
        lambda *given, **more: pytest.fail("planned"),
    )
    given = ("--checkpoint", checkpoint(4), "--real", "real.npy")
    done = similarity(*given, "--block", part)
    assert done.returncode == 2
    assert problem in done.stderr
    assert len(done.stderr) < 300


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


def test_a_person_reads_a_table_of_both_sets_and_finds_the_figures(similarity, tmp_path):
    given = ("--real", "real.npy", "--fake", "good.npy", "--protocol", "shapes")
    plots = tmp_path / "figures"
    done = similarity(*given, "--features", "pixels", "--plots", plots)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("similarity-distance-pixels ")
    assert [line.split()[0] for line in lines[4:6]] == ["real", "generated"]
    assert lines[6].startswith("generated − real ")
    assert "from one source" in lines[7]
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
