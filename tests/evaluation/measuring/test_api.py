"""The public API: sets of any kind in, results out, nothing written."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

import evaluation
from evaluation.measuring.arrays import memory_video_set
from evaluation.measuring.measurer import FailedMetricsError, Measurer
from evaluation.measuring.networks import Networks
from evaluation.protocol.presets import SHAPES
from evaluation.results.files import read_results
from evaluation.results.record import results_frame
from latte.data.errors import InputError
from latte.data.shapes import shapes_clips, shapes_video_set
from latte.data.sources import open_video_set


@pytest.fixture(scope="module")
def clips():
    return shapes_clips("test", range(24))


@pytest.fixture(scope="module")
def fake():
    return shapes_clips("test", range(100, 124))


def measure(real, fake, **options):
    return evaluation.measure(real, fake, protocol="shapes", resamples=40, **options)


def signed_tensors(*arrays):
    """As a training loop holds them: (N, C, T, H, W) in [-1, 1]."""
    return [torch.from_numpy(a).permute(0, 4, 1, 2, 3).float() / 127.5 - 1 for a in arrays]


def test_arrays_tensors_and_files_give_the_same_numbers(clips, fake, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("real.npy", clips)
    np.save("fake.npy", fake)
    (of_files,) = measure("real.npy", "fake.npy")
    of_memory, of_tensors, of_sets = (
        measure(*sets, **options)[0]
        for sets, options in (
            ((clips, torch.from_numpy(fake)), {}),
            (signed_tensors(clips, fake), {"layout": "NCTHW", "value_range": (-1, 1)}),
            ((clips / 255, memory_video_set(fake, "fake")), {"value_range": (0, 1)}),
        )
    )
    for result in (of_memory, of_tensors, of_sets):
        assert (result.value, result.interval) == (of_files.value, of_files.interval)
        assert result.fingerprint == of_files.fingerprint
        assert result.fake.digest == of_files.fake.digest
        assert len(result.deviations) == len(of_files.deviations) + 2  # both sets are in memory
    assert {path.name for path in tmp_path.iterdir()} == {"real.npy", "fake.npy"}


def test_a_data_set_by_name_is_what_the_command_measures(fake, run_cli, tmp_path):
    np.save(tmp_path / "fake.npy", fake)
    (result,) = evaluation.measure(
        "shapes", tmp_path / "fake.npy", num_videos=24, resamples=40, out=tmp_path / "api.jsonl"
    )
    done = run_cli(
        *("latte-eval", "fvd", "--dataset", "shapes", "--fake", tmp_path / "fake.npy"),
        *("--num-videos", 24, "--resamples", 40, "--workers", 0, "--out", "cli.jsonl"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(result)
    (ours,), (theirs,) = (read_results(tmp_path / name) for name in ("api.jsonl", "cli.jsonl"))
    changing = {"seconds": 0, "date": "", "command": "", "details": {}, "fake": None}
    assert replace(ours, **changing) == replace(theirs, **changing)


def test_results_are_rows_for_pandas(clips, fake):
    results = measure(clips, fake, metrics=("fvd", "precision-recall"), model="ours")
    assert len(results[0].to_frame()) == 1
    frame = results_frame(results)
    assert list(frame.metric) == ["FVD-shapes", "precision-shapes", "recall-shapes"]
    assert set(frame.model) == {"ours"}
    assert (frame.low <= frame.value).all()


@pytest.mark.parametrize(
    ("change", "options", "advice"),
    [
        (lambda a: a.astype(np.float32), {}, "value_range"),
        (lambda a: a / 255, {"value_range": (-1, 1)}, r"value_range=\(0, 1\)"),
        (lambda a: a / 255, {"value_range": (0, 255)}, r"value_range=\(0, 1\)"),
        (lambda a: a.astype(np.float32), {"value_range": (0, 1)}, "clamp"),
        (lambda a: a * np.nan, {"value_range": (0, 255)}, "not finite"),
        (lambda a: a, {"value_range": (0, 1)}, "leave value_range out"),
        (lambda a: a, {"value_range": (0, 2)}, "value_range"),
        (lambda a: a, {"value_range": 1}, "value_range"),
        (lambda a: np.moveaxis(a, 4, 1), {}, 'layout="NCTHW"'),
        (lambda a: np.moveaxis(a, 4, 2), {}, 'layout="NTCHW"'),
        (lambda a: a, {"layout": "NCTHW"}, 'layout="NTHWC"'),
        (lambda a: a, {"layout": "THWC"}, "NTHWC, NCTHW, NTCHW"),
        (lambda a: a[..., :1], {}, "3 channels"),
        (lambda a: a[0], {}, "5 axes"),
        (lambda a: a[:0], {}, "empty"),
        (lambda a: a > 3, {}, "bool"),
        (lambda a: list(a), {}, "list"),
    ],
)
def test_nothing_about_arrays_is_guessed(clips, change, options, advice):
    with pytest.raises(InputError, match=advice):
        measure(change(clips), change(clips), **options)


def test_a_metric_that_fails_keeps_the_results_of_the_others(clips):
    with pytest.raises(FailedMetricsError) as failed:
        measure(clips[:6], clips[6:12], metrics=("fvd", "is", "kvd"))
    (reason,) = failed.value.failures.values()
    assert "IS needs at least 10 clips, this set has 6" in str(reason)
    assert list(failed.value.failures) == ["is"]
    assert [result.metric for result in failed.value.results] == ["FVD-shapes", "KVD-shapes"]


def test_a_measurer_measures_the_real_set_once(fake):
    real = shapes_video_set("test", num_videos=24)
    measurer = Measurer(SHAPES, ("fvd", "fid"), dataset="shapes", resamples=40)
    first = measurer.measure(real, memory_video_set(fake, "a"))
    second = measurer.measure(real, memory_video_set(fake[::-1], "b"))
    assert [result.details["decoded_clips"] for result in first] == [48, 48]
    assert second[0].real == first[0].real
    assert [result.model for result in second] == ["b", "b"]
    changed = replace(SHAPES, covariance="n-1")
    shared = Measurer(changed, ("fvd",), measurer.networks, resamples=40)
    (other,) = shared.measure(real, measurer.extract(memory_video_set(fake, "a"), "fake"))
    assert other.details["decoded_clips"] == 0  # features are shared as well as the network
    assert other.fingerprint != first[0].fingerprint


def test_unknown_metrics_and_missing_sets_are_refused(clips, tmp_path):
    with pytest.raises(InputError, match=r"\bfdv\b.*did you mean.*\bfvd\b"):
        measure(clips, clips, metrics=("fdv",))
    with pytest.raises(InputError, match="real"):
        measure(None, clips)
    with pytest.raises(InputError, match=r"none: .*no such file"):
        measure(tmp_path / "none", clips)
    with pytest.raises(InputError, match="resamples"):
        Measurer(SHAPES, ("fvd",), Networks(), resamples=3)
    assert measure(None, clips, metrics=("is",))[0].num_real == 0
    np.save(tmp_path / "a.npy", clips)
    assert open_video_set(tmp_path / "a.npy").videos[0].digest([0]) == (
        memory_video_set(clips, "a").videos[0].digest([0])
    )


def test_the_package_is_imported_in_no_time():
    code = "import sys, evaluation; print(*sorted({'torch', 'numpy', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
    assert set(evaluation.__all__) >= {"measure", "compare", "load_protocol", "Protocol", "Result"}
