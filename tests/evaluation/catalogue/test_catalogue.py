"""The entries of metrics: complete, light to import, and named after their networks."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pytest

from evaluation.catalogue.registry import METRICS, metric
from evaluation.features.sets import MeasuredSet, caveats_of_sets
from evaluation.metrics import JEDI, KID, KVD
from evaluation.networks.registry import network
from evaluation.protocol.presets import PRESETS
from evaluation.results.caveats import WORDINGS, Caveat, Kind
from evaluation.results.record import SetRecord
from latte.data.errors import InputError

DOCS = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_every_metric_has_help_and_a_row_in_its_document():
    rows = DOCS.read_text(encoding="utf-8")
    titles = [title for entry in METRICS.values() for title in entry.titles]
    assert len(set(titles)) == len(titles)
    for entry in METRICS.values():
        assert entry.help.endswith((".", "/", "shapes", "frames"))
        assert f"`latte-eval {entry.name}`" in rows


def test_presets_name_metrics_of_the_catalogue():
    assert {name for preset in PRESETS.values() for name in preset.metrics} <= set(METRICS)


@pytest.mark.parametrize(("name", "kernel"), [("kvd", KVD), ("kid", KID), ("jedi", JEDI)])
def test_stated_kernels_are_those_that_are_computed(name, kernel):
    stated = metric(name).parameters
    assert (stated["degree"], stated["coef0"]) == (kernel.degree, kernel.coef0)
    assert stated["gamma"] == "1/D"


def test_the_catalogue_is_light_to_import():
    code = (
        "import sys, evaluation.catalogue.registry; "
        "print(*sorted({'torch', 'numpy', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_another_network_makes_another_metric():
    fvd, jedi = (metric(name).numbers[0] for name in ("fvd", "jedi"))
    assert fvd.called(network("i3d")) == "FVD"
    assert fvd.called(network("videomae")) == "FVD-VideoMAE"
    assert jedi.called(network("i3d")) == "JEDi-i3d"
    assert fvd.called(network("i3d").choose(output="pooled")) == "FVD-pooled"
    position = metric("per-position").numbers[0]
    assert position.called(network("shapes-frame")) == "FID-shapes per position"
    with pytest.raises(InputError, match=r"\bfdv\b.*did you mean.*\bfvd\b"):
        metric("fdv")


def caveats(name, network_name, counts=(2048, 2048), value=8.0, **details):
    fields = {"num_real": counts[0], "num_fake": counts[1], "real_offset": "", "fake_offset": ""}
    result = SimpleNamespace(
        metric="FVD",
        value=value,
        protocol_fields=fields,
        num_fake=counts[1],
        num_frames=16,
        details=details,
    )
    return list(map(str, metric(name).caveats(result, network(network_name))))


def test_a_careful_reader_is_told_what_a_value_is_worth():
    assert caveats("fvd", "i3d") == caveats("kvd", "i3d") == []
    (few,) = caveats("fvd", "i3d", counts=(2048, 24))
    assert few.startswith("24 generated clips are few for 400 features")
    limit = {"value": 2.0, "interval": [1.0, 3.0], "reliable": True, "share": 0.254}
    (biased,) = caveats("fvd", "i3d", infinite=limit)
    assert biased.startswith("about 25% of FVD is small-sample bias")
    assert biased.endswith("2.00 ± 1.00")
    assert caveats("fvd", "i3d", infinite=limit | {"share": 0.01}) == []
    assert caveats("fvd", "i3d", infinite=limit, value=0.0) == []
    (unreliable,) = caveats("fvd", "i3d", infinite=limit | {"reliable": False})
    assert "cannot be estimated" in unreliable
    (few,) = caveats("is", "c3d", counts=(0, 60), splits=10, num_classes=101)
    assert few.startswith("6 clips in each split are few for 101 classes")
    left_out = {"value": None, "num_real": 1, "num_fake": 3}
    (sentence,) = caveats("per-class", "i3d", classes={"c": left_out, "d": {"value": 3.0}})
    assert sentence.startswith("the mean leaves out c (1 real and 3 generated clips, at least 2")


def test_videos_that_are_left_out_are_listed():
    record = SetRecord(
        **{"path": "real", "digest": "ab", "num_listed": 9, "num_clips": 2},
        **{"height": 9, "width": 9, "storage": "jpg", "broken": tuple("abcdefg")},
    )
    (caveat,) = caveats_of_sets([MeasuredSet(record=record)])
    assert caveat == Caveat("left_out", {"names": record.broken, "reason": "broken"})
    assert str(caveat) == "7 videos are broken and left out: a; b; c; d; e (and 2 more)"


def test_every_kind_of_caveat_has_its_wording():
    assert list(WORDINGS) == list(get_args(Kind))
    assert str(Caveat("same_clips")) == "the two sets are the same clips"
    facts = {"metric": "FVD", "reason": "too_few_clips", "min_clips": 4}
    assert str(Caveat("no_interval", facts)) == "FVD has no interval: fewer than 4 clips"
