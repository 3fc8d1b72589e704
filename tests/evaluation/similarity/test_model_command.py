"""`latte-eval similarity` of a model's hidden states."""

import json

import numpy as np
import pandas as pd
import pytest

from evaluation.results.files import read_results


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


def test_a_person_reads_a_table_of_a_model_and_finds_the_figures(
    similarity, checkpoint, tmp_path, figures_in
):
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
