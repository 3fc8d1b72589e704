from collections import Counter
from pathlib import Path

import pytest

import reports.published
from reports.published import published

NAMES = sorted(path.stem for path in Path(reports.published.__file__).parent.glob("*.csv"))


@pytest.mark.parametrize("name", NAMES)
def test_every_published_entry_has_a_source_in_the_paper(name: str) -> None:
    frame = published(name)
    assert len(frame) > 0
    assert frame.source.str.startswith("arXiv:2401.03048v").all()
    assert not (frame == "").any(axis=None)


def test_published_numbers_keep_the_decimals_of_the_paper() -> None:
    frame = published("fvd")
    third = frame[frame.source == "arXiv:2401.03048v3 Table 3"].set_index(["method", "dataset"]).fvd
    assert third["Latte", "faceforensics"] == "34.00"
    assert third["Latte", "taichi-hd"] == "159.60"
    assert third["LVDM", "skytimelapse"] == "95.20"
    assert third["StyleGAN-V", "ucf101"] == "1431.0"


def test_the_two_versions_of_the_fvd_table_differ_where_the_paper_changed() -> None:
    frame = published("fvd")
    version = {
        source: frame[frame.source == source].set_index(["method", "dataset"]).fvd.to_dict()
        for source in frame.source.unique()
    }
    third, first = version["arXiv:2401.03048v3 Table 3"], version["arXiv:2401.03048v1 Table 2"]
    assert {cell for cell, value in first.items() if third[cell] != value} == {
        ("PVDM", "skytimelapse"),
        ("PVDM", "ucf101"),
        ("Latte+IMG", "ucf101"),
    }
    assert set(third) - set(first) == {("VDT", "ucf101"), ("W.A.L.T", "ucf101")}


def test_vbench_has_every_method_in_every_dimension_once() -> None:
    frame = published("vbench")
    counts = Counter(frame.method)
    assert set(counts.values()) == {16}
    assert len(counts) == 6
    assert not frame.duplicated(["method", "dimension"]).any()
    assert frame.percent.str.fullmatch(r"\d+\.\d\d").all()
