"""`latte-eval` as a user meets it: what it prints, writes, and how it ends."""

import json
import subprocess
import sys

import numpy as np
import pytest

from evaluation.protocol.presets import PRESETS
from evaluation.results.files import read_results


def check_one_sentence(done, *, contains: str) -> None:
    """Bad input: exit code 2, one sentence on stderr, nothing on stdout, no traceback."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert contains in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr


def deviating(done):
    """Deviations of the result on stdout."""
    deviations = json.loads(done.stdout)["deviations"]
    return [(each["field"], each["value"], each["wanted"]) for each in deviations]


def test_a_better_generator_has_a_lower_fvd_and_results_are_appended(sets, fvd, tmp_path):
    out = tmp_path / "results.jsonl"
    good = fvd("--fake", "good.npy", "--out", out)
    frozen = fvd("--fake", "frozen.npy", "--out", out, "--name", "frozen first frame")
    assert good.returncode == frozen.returncode == 0, good.stderr + frozen.stderr
    first, second = read_results(out)
    assert first.value * 2 < second.value
    assert first.interval[0] < first.value < first.interval[1]
    assert second.model == "frozen first frame"
    assert first.details["decoded_clips"] == 48
    assert second.details["decoded_clips"] == 24  # the real ones are in the store
    assert good.stdout.startswith("FVD-shapes ")
    assert good.stdout.count("\n") == 1
    assert "24 clips × 16 frames, shapes" in good.stdout
    assert "24 instead of 512" in good.stderr  # fewer clips than the protocol takes


def test_json_is_alone_on_stdout_with_everything_that_made_the_number(fvd, tmp_path):
    done = fvd("--fake", "good.npy", "--json", "--out", tmp_path / "r.jsonl")
    record = json.loads(done.stdout)
    wanted = (
        "metric value interval num_real num_fake num_frames network weights_sha256 fingerprint "
        "protocol protocol_fields seconds deviations real fake versions host command date"
    )
    assert set(wanted.split()) <= set(record)
    assert record == json.loads(read_results(tmp_path / "r.jsonl")[0].to_json())
    assert record["metric"] == "FVD-shapes"
    assert len(record["real"]["digest"]) == 64


def test_the_number_does_not_depend_on_how_the_run_is_carried_out(fvd, tmp_path):
    values = set()
    for i, how in enumerate(
        (["--batch-size", 1], ["--batch-size", 3], ["--batch-size", 16], ["--workers", 2])
    ):
        done = fvd(
            *("--fake", "good.npy", "--json", "--resamples", 50, "--out", tmp_path / "r.jsonl"),
            *how,
            LATTE_STORE=str(tmp_path / f"store{i}"),
        )
        record = json.loads(done.stdout)
        assert record["details"]["decoded_clips"] == 48
        values.add((record["value"], *record["interval"], record["fingerprint"]))
    assert len(values) == 1


def test_frame_folders_and_lossless_videos_give_the_number_of_the_array(sets, fvd, tmp_path):
    from PIL import Image

    from latte.data.video import write_video

    for i, clip in enumerate(np.load(sets / "good.npy")):
        folder = tmp_path / "frames" / f"{i:03d}"
        folder.mkdir(parents=True)
        for k, frame in enumerate(clip):
            Image.fromarray(frame).save(folder / f"{k:06d}.png")
        (tmp_path / "videos").mkdir(exist_ok=True)
        write_video(tmp_path / "videos" / f"{i:03d}.mkv", clip, fps=8)
    values = [
        json.loads(
            fvd("--fake", fake, "--json", "--resamples", 0, "--out", tmp_path / "r.jsonl").stdout
        )["value"]
        for fake in ("good.npy", tmp_path / "frames", tmp_path / "videos")
    ]
    assert values[0] == values[1] == values[2]


def test_how_frames_were_stored_is_recorded_and_a_deviation_where_the_protocol_differs(
    fvd, tmp_path
):
    arguments = ("--fake", "good.npy", "--resamples", 0, "--json", "--out", tmp_path / "r.jsonl")
    record = json.loads(fvd(*arguments, "--protocol", "stylegan-v").stdout)
    assert record["fake"]["storage"] == "array"
    of_set = {each["field"]: each for each in record["deviations"] if each["subject"]}
    assert {each["subject"] for each in of_set.values()} == {"good.npy"}
    assert (of_set["storage"]["value"], of_set["storage"]["wanted"]) == ("array", "jpeg-75")
    assert (of_set["frame size"]["value"], of_set["frame size"]["wanted"]) == ("32×32", "256×256")
    assert deviating(fvd(*arguments)) == [("num_real", 24, 512), ("num_fake", 24, 512)]


def test_a_protocol_of_ones_own_is_held_to_what_it_asks(sets, fvd, latte_eval, tmp_path):
    shown = latte_eval("protocols", "show", "shapes", cwd=sets).stdout
    mine = shown.replace('name = "shapes"', 'name = "mine"').replace("bundled", "sha256:0000")
    (tmp_path / "mine.toml").write_text(mine, encoding="utf-8")
    arguments = ("--fake", "good.npy", "--resamples", 0, "--json", "--out", tmp_path / "r.jsonl")
    done = fvd(*arguments, "--protocol", tmp_path / "mine.toml")
    assert deviating(done) == [
        ("num_real", 24, 512),
        ("num_fake", 24, 512),
        ("weights", "bundled", "sha256:0000"),
    ]
    assert "deviates from protocol mine" in done.stderr


def test_videos_given_by_path_are_not_taken_for_the_data_sets_own(fvd, tmp_path):
    arguments = ("--fake", "good.npy", "--resamples", 0, "--json", "--out", tmp_path / "r.jsonl")
    done = fvd(*arguments, "--dataset", "shapes")
    assert json.loads(done.stdout)["dataset"] == "shapes"
    assert ("split", "given", "test") in deviating(done)


def test_the_plan_can_be_seen_without_decoding(sets, latte_eval):
    done = latte_eval("clips", "--real", "real.npy", "--protocol", "shapes", cwd=sets)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 24
    assert lines[0].split("\t")[0] == "real"
    assert "0…15 by 1" in lines[0]


def test_protocols_are_listed_shown_and_compared(tmp_path, latte_eval):
    listed = latte_eval("protocols", "list", cwd=tmp_path).stdout
    assert all(name in listed for name in PRESETS)
    shown = latte_eval("protocols", "show", "latte", cwd=tmp_path).stdout
    (tmp_path / "mine.toml").write_text(shown, encoding="utf-8")
    same = latte_eval("protocols", "diff", "latte", "mine.toml", cwd=tmp_path).stdout
    assert "the same protocol" in same
    differs = latte_eval("protocols", "diff", "stylegan-v", "latte", cwd=tmp_path).stdout
    assert "real_stride" in differs
    assert "covariance" not in differs


@pytest.mark.parametrize(
    ("arguments", "contains"),
    [
        (["fvdd"], "Did you mean 'fvd'?"),
        (["fvd", "--reel", "x"], "--reel"),
        (["fvd", "--num-videos", "x"], "Invalid value for '--num-videos'"),
    ],
)
def test_a_mistyped_command_line_is_one_sentence(tmp_path, latte_eval, arguments, contains):
    check_one_sentence(latte_eval(*arguments, cwd=tmp_path), contains=contains)


def test_every_command_is_in_the_help(tmp_path, latte_eval):
    shown = latte_eval("--help", cwd=tmp_path)
    assert shown.returncode == 0
    for command in ("fvd", "clips", "prepare", "datasets", "networks", "protocols"):
        assert f"\n  {command} " in shown.stdout
    options = latte_eval("fvd", "--help", cwd=tmp_path).stdout
    wanted = (
        "dataset data-root real fake protocol network weights num-videos num-frames seed device "
        "batch-size workers out json set store skip-broken resamples name timeout"
    )
    assert [name for name in wanted.split() if f"--{name} " not in options] == []


@pytest.mark.parametrize(
    ("arguments", "contains"),
    [
        (["--fake", "none"], "none: no such file or folder"),
        (["--fake", "good.npy", "--num-videos", "25"], "25 videos were asked for, but only 24"),
        (["--fake", "good.npy", "--num-frames", "17"], "17 frames"),
        (["--fake", "good.npy", "--num-frames", "2"], "needs clips of at least"),
        (["--fake", "good.npy", "--protocol", "shape"], "did you mean shapes?"),
        (["--fake", "good.npy", "--set", "real_strid=2"], "did you mean real_stride"),
        (["--fake", "good.npy", "--network", "i3dd"], "did you mean i3d"),
        (["--fake", "good.npy", "--dataset", "ucf"], 'no data set "ucf"'),
        (["--fake", "good.npy", "--num-videos", "1"], "at least 2 clips"),
        (["--fake", "good.npy", "--resamples", "3"], "at least 40"),
        (["--fake", "good.npy", "--store", "real.npy"], "features cannot be kept there"),
        (["--fake", "good.npy", "--out", "store"], "is a folder"),
        (["--fake", "good.npy", "--weights", "real.npy"], "real.npy"),
        (["--fake", "good.npy", "--device", "cuda:99"], "cuda:99"),
        ([], "no generated videos: give --fake"),
    ],
)
def test_bad_input_gets_one_sentence_and_exit_code_2(sets, fvd, tmp_path, arguments, contains):
    (sets / "store").mkdir(exist_ok=True)
    arguments = [*arguments, *(() if "--out" in arguments else ("--out", tmp_path / "r.jsonl"))]
    check_one_sentence(fvd(*arguments), contains=contains)
    assert not (tmp_path / "r.jsonl").exists()


def test_arrays_of_the_wrong_kind_are_refused(sets, fvd, tmp_path):
    np.save(tmp_path / "float.npy", np.zeros((2, 16, 32, 32, 3), np.float32))
    np.save(tmp_path / "grey.npy", np.zeros((2, 16, 32, 32), np.uint8))
    out = ("--out", tmp_path / "r.jsonl")
    check_one_sentence(fvd("--fake", tmp_path / "float.npy", *out), contains="float32")
    check_one_sentence(fvd("--fake", tmp_path / "grey.npy", *out), contains="(2, 16, 32, 32)")


def test_a_text_file_called_mp4_is_named_and_can_be_skipped(sets, tmp_path, latte_eval):
    from latte.data.video import write_video

    folder = tmp_path / "videos"
    folder.mkdir()
    for i, clip in enumerate(np.load(sets / "good.npy")[:4]):
        write_video(folder / f"{i}.mkv", clip, fps=8)
    (folder / "0a.mp4").write_text("this is not a video")
    command = [
        *("fvd", "--real", sets / "real.npy", "--fake", folder, "--network", "shapes"),
        *("--out", tmp_path / "r.jsonl", "--num-videos", 4, "--workers", 1, "--resamples", 0),
    ]
    check_one_sentence(latte_eval(*command, cwd=tmp_path), contains="0a.mp4")
    skipped = latte_eval(*command, "--skip-broken", "--json", cwd=tmp_path)
    assert skipped.returncode == 0, skipped.stderr
    assert "0a.mp4" in skipped.stderr
    assert len(json.loads(skipped.stdout)["fake"]["broken"]) == 1


def test_missing_weights_say_what_from_where_and_where_to_in_three_lines(
    sets, tmp_path, latte_eval
):
    done = latte_eval(
        *("fvd", "--real", "real.npy", "--fake", "good.npy", "--out", tmp_path / "r.jsonl"),
        cwd=sets,
        LATTE_WEIGHTS=str(tmp_path / "weights"),
        https_proxy="http://127.0.0.1:9",  # nobody answers there
        http_proxy="http://127.0.0.1:9",
    )
    check_one_sentence(done, contains="i3d_torchscript.pt")
    assert "https://" in done.stderr
    assert str(tmp_path / "weights") in done.stderr
    assert "--network shapes" in done.stderr


def test_ctrl_c_keeps_what_was_finished_and_the_next_run_goes_on(sets, fvd, tmp_path, monkeypatch):
    from evaluation.networks.extractor import Extractor

    call, clips_seen = Extractor.__call__, []

    def interrupted(self, clips):
        if len(clips_seen) == 2:
            raise KeyboardInterrupt
        clips_seen.append(len(clips))
        return call(self, clips)

    store = {"LATTE_STORE": str(tmp_path / "store")}
    command = ("--fake", "good.npy", "--batch-size", 4, "--json", "--out", tmp_path / "r.jsonl")
    monkeypatch.setattr(Extractor, "__call__", interrupted)
    stopped = fvd(*command, **store)
    assert stopped.returncode == 2
    assert "Interrupted" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    monkeypatch.undo()
    monkeypatch.chdir(sets)
    resumed = json.loads(fvd(*command, **store).stdout)
    assert resumed["details"]["decoded_clips"] == 48 - sum(clips_seen)


def test_the_installed_command_is_the_same(tmp_path):
    command = [sys.executable, "-m", "evaluation", "protocols", "show", "nothing"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    check_one_sentence(done, contains="unknown protocol")
