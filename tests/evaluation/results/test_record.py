import errno
import json
import os
import platform
from dataclasses import replace
from pathlib import Path

import pytest

from evaluation.protocol.deviations import Deviation
from evaluation.results.files import append_result, check_writable, read_results
from evaluation.results.provenance import machine, provenance
from evaluation.results.record import Result, SetRecord
from latte.data.errors import InputError
from reports.numbers import format_value

SET = SetRecord(
    path="real", digest="ab", num_listed=9, num_clips=8, height=256, width=256, storage="jpg"
)
RESULT = Result(
    metric="FVD",
    value=123.44,
    interval=(118.0, 129.2),
    level=0.95,
    higher_is_better=False,
    num_real=8,
    num_fake=8,
    num_frames=16,
    network="i3d",
    weights_sha256="1a2b3c4d5e6f",
    weights_published=True,
    fingerprint="0123456789abcdef",
    protocol="stylegan-v",
    protocol_fields={"real_stride": 1},
    deviations=(),
    dataset=None,
    model="ours",
    real=SET,
    fake=SET,
    seconds=1.5,
)


def test_the_line_a_person_reads():
    assert str(RESULT) == ("FVD 123.4 ± 5.6 (95 %), 8 clips × 16 frames, stylegan-v, i3d 1a2b3c4d…")
    changed = replace(
        RESULT, num_real=4, deviations=(Deviation(field="seed", value=1, wanted=0),), interval=None
    )
    assert str(changed) == (
        "FVD 123.4, 4 real and 8 generated clips × 16 frames, stylegan-v with 1 deviation, "
        "i3d 1a2b3c4d…"
    )


@pytest.mark.parametrize(
    ("value", "interval", "text"),
    [
        (2886.94, None, "2886.9"),
        (12.345, None, "12.35"),
        (0.037597812, None, "0.0376"),
        (0.0, None, "0.0"),
        (123.456, (123.41, 123.51), "123.46 ± 0.05"),
        (21.530979, (20.0, 23.0), "21.53 ± 1.50"),
        (3e-13, None, "3.0e-13"),
        (1e-12, (0.0, 2e-12), "1.0e-12 ± 1.0e-12"),
        (3e-13, (0.0, 2.0), "0.0 [0.0, 2.0]"),
    ],
)
def test_values_show_the_digits_that_matter(value, interval, text):
    assert format_value(value, interval) == text


def test_results_are_added_line_by_line_and_read_back(tmp_path):
    path = tmp_path / "new folder" / "results.jsonl"
    check_writable(path)
    append_result(path, RESULT)
    append_result(path, replace(RESULT, value=1.0))
    assert read_results(path) == [RESULT, replace(RESULT, value=1.0)]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{oops", "line 2: cannot be read as JSON"),
        ("[" * 100_000, "line 2: cannot be read as JSON"),
        (RESULT.to_json().replace("123.44", "9" * 400), "line 2: "),
        (RESULT.to_json().replace("123.44", "NaN"), "line 2: .*value"),
        ("[1]", "line 2: .*object.*array"),
        ('{"a": 1}', r"line 2: .*unknown field a\b"),
        (RESULT.to_json().replace('"FVD"', "3"), "metric"),
        (RESULT.to_json().replace('"metric": "FVD"', '"metric": "FVD", "metrc": 1'), "metrc"),
    ],
)
def test_a_broken_line_is_named_and_stops_a_run_before_it_starts(tmp_path, line, complaint):
    path = tmp_path / "results.jsonl"
    append_result(path, RESULT)
    before = path.read_text() + line + "\n"
    path.write_text(before)
    with pytest.raises(InputError, match=complaint):
        check_writable(path)
    assert path.read_text() == before


def test_a_results_file_that_cannot_be_is_refused(tmp_path):
    with pytest.raises(InputError, match=rf"{tmp_path}.*folder.*--out"):
        check_writable(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"results\.jsonl.*--out"):
        check_writable(tmp_path / "file" / "results.jsonl")
    with pytest.raises(InputError, match=r"none\.jsonl: no such"):
        read_results(tmp_path / "none.jsonl")


def test_a_value_that_is_not_a_number_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        append_result(tmp_path / "results.jsonl", replace(RESULT, value=float("nan")))
    assert not (tmp_path / "results.jsonl").exists()


def test_a_file_that_lacks_its_last_newline_loses_no_record(tmp_path):
    path = tmp_path / "results.jsonl"
    path.write_text(RESULT.to_json())
    append_result(path, replace(RESULT, value=1.0))
    assert read_results(path) == [RESULT, replace(RESULT, value=1.0)]


def test_a_disk_that_fills_up_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "results.jsonl"
    append_result(path, RESULT)
    before = path.read_bytes()

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("evaluation.results.files.os.fsync", full)
    with pytest.raises(InputError, match=r"results\.jsonl: .*No space left.*--out"):
        append_result(path, RESULT)
    assert path.read_bytes() == before


def test_a_name_that_no_encoding_knows_does_not_cost_the_result(tmp_path):
    path = tmp_path / "results.jsonl"
    append_result(path, replace(RESULT, model="bad\udcff\u2028name"))
    assert read_results(path)[0].model == "bad\udcff\u2028name"


def test_a_device_is_no_results_file():
    with pytest.raises(InputError, match=rf"{os.devnull}.*--out"):
        check_writable(Path(os.devnull))


def test_skewed_intervals_show_both_ends():
    assert format_value(1.54, (0.448, 3.04)) == "1.54 [0.45, 3.04]"


def test_a_result_names_its_hardware_and_nothing_that_is_private():
    host = provenance("cpu")["host"]
    assert list(host) == ["system", "processor", "memory_gib", "cores", "torch_threads", "device"]
    assert host["system"] == f"{platform.system()} {platform.machine()}"
    assert host["processor"]
    assert host["memory_gib"] > 0.1
    assert platform.node() not in host.values()
    assert platform.release() not in str(host)
    json.dumps(host)


def test_hardware_that_the_system_does_not_tell_is_not_made_up(monkeypatch):
    def unknown(*arguments, **options):
        raise OSError

    machine.cache_clear()
    with monkeypatch.context() as other:
        other.setattr(Path, "read_text", unknown)
        other.setattr(os, "sysconf", unknown)
        other.setattr(platform, "processor", lambda: "")
        found = machine()
    machine.cache_clear()
    assert found["processor"] == platform.machine()
    assert found["memory_gib"] is None


def test_a_gpu_is_named(monkeypatch):
    monkeypatch.setattr("torch.cuda.get_device_name", lambda device: f"a GPU as {device}")
    assert provenance("cuda:1")["host"]["device_name"] == "a GPU as cuda:1"
