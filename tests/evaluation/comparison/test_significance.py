"""Tests of differences, and their correction for number."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.comparison import significance
from evaluation.comparison.api import compare
from evaluation.comparison.rendering import INSTEAD, method_text
from evaluation.comparison.significance import (
    Instead,
    Method,
    PairTest,
    Verdict,
    holm,
    interval_test,
)
from evaluation.features.store import FeatureStore
from evaluation.metrics import frechet_distance_from_features
from evaluation.protocol.content import content_key
from evaluation.protocol.presets import STYLEGAN_V
from latte.data.errors import InputError


def test_holm_against_a_worked_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=30))
def test_holm_keeps_the_order_and_never_lowers(p_values):
    corrected = holm(p_values)
    assert all(p <= c <= 1 for p, c in zip(p_values, corrected, strict=True))
    assert all(c <= min(1, len(p_values) * p) for p, c in zip(p_values, corrected, strict=True))
    pairs = sorted(zip(p_values, corrected, strict=True))
    assert [c for _, c in pairs] == sorted(corrected)
    if p_values:
        assert min(corrected) == min(1, len(p_values) * min(p_values))


def test_intervals_that_just_fail_to_touch_zero_give_the_level(make_result):
    # 95 % intervals of ± 4 and ± 3: the difference has ± 5.
    first, second = make_result(value=105.0), make_result(value=100.0, interval=(97.0, 103.0))
    assert interval_test(first, second).p_value == pytest.approx(0.05)
    wide = make_result(value=105.0, interval=(101.0, 109.0), level=0.9)
    assert interval_test(wide, second).p_value > 0.05
    assert interval_test(make_result(value=500.0), make_result()).p_value < 1e-9
    point = make_result(interval=(100.0, 100.0))
    assert interval_test(point, point).p_value == 1.0


def test_only_the_longer_side_of_an_interval_counts(make_result):
    near_zero = make_result("a", 0.1, interval=(0.0, 0.5))
    far = make_result("b", 1.0, interval=(0.6, 1.4))
    turned = make_result("a", 0.1, interval=(0.1, 0.5))
    assert interval_test(near_zero, far).p_value == interval_test(turned, far).p_value


def test_a_result_without_interval_is_ranked_but_not_tested(make_result):
    without = make_result("b", 500.0, interval=None)
    (column,) = compare([make_result("a"), without, make_result("c", 150.0)]).columns
    assert column.cells["b"].significant is None
    assert column.cells["b"].test == Method(kind="untested")
    assert column.cells["c"].significant is True


def test_more_comparisons_make_a_difference_harder_to_show(make_result):
    verdict = Verdict(p_value=0.02, method=Method(kind="intervals"))

    def cells(*values):
        results = [make_result(str(i), value) for i, value in enumerate(values)]
        return compare(results, test=lambda first, second: verdict).columns[0].cells

    assert cells(100.0, 101.0)["1"].significant
    many = cells(100.0, 101.0, 102.0, 103.0)
    assert many["1"].p_value == pytest.approx(0.06)
    assert not any(cell.significant for cell in many.values())


@pytest.fixture
def stored_results(make_result, tmp_path):
    """Maker of results whose features are in a store; b's clips lie `shift` from a's."""

    def digest(name):
        return content_key({"set": name}).hex()

    def videos(name):
        return replace(make_result().real, digest=digest(name), order=digest(name), names="1")

    def make(sets=None, *, shift=1.0, fewer=0, **changes):
        if sets is None:
            rng = np.random.default_rng(0)
            real, a, noise = rng.standard_normal((3, 60, 3)).astype(np.float32)
            b = (a + shift + 0.1 * noise).astype(np.float32)[: 60 - fewer]
            sets = {"real": real, "a": a, "b": b}
        store = FeatureStore(tmp_path, {"network": "test"})
        for name, rows in sets.items():
            keys = [content_key({"set": name, "row": i}) for i in range(len(rows))]
            for key, row in zip(keys, rows, strict=True):
                store.add(key, row)
            store.flush()
            store.remember(digest(name), keys)
        tables = {name: rows.reshape(-1, rows.shape[-1]) for name, rows in sets.items()}
        return [
            make_result(
                name,
                frechet_distance_from_features(tables["real"], tables[name], ddof=0),
                **{
                    "interval": None,
                    "real": videos("real"),
                    "fake": videos(name),
                    "details": {"space": store.space},
                    **changes,
                },
            )
            for name in "ab"
        ]

    return make


def test_features_in_the_store_are_tested_by_permutations(stored_results, tmp_path):
    test = PairTest(store=tmp_path, permutations=99)
    (column,) = compare(stored_results(), test=test).columns
    cell = column.cells["b"]
    assert cell.p_value == pytest.approx(0.01)  # (0 + 1) / (99 + 1)
    assert cell.test == Method(kind="permutations", permutations=99)
    assert "unpaired, 99 permutations" in method_text(cell.test)


def test_pairs_show_a_difference_that_shuffled_clips_hide(stored_results, tmp_path):
    first, second = stored_results(shift=0.15)
    p_values = [
        PairTest(store=tmp_path, permutations=199, paired=paired)(first, second).p_value
        for paired in (False, True)
    ]
    assert p_values[1] < 0.05 < p_values[0]


def test_frames_of_a_clip_stay_together(stored_results, tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    sets = {name: rng.standard_normal((6, 4, 3)).astype(np.float32) for name in ("real", "a", "b")}
    asked = []

    def permutation_test(real, models, **options):
        asked.append((real.shape, models.rows_per_draw, models.ddof))
        raise InputError("enough")

    monkeypatch.setattr("evaluation.uncertainty.permutation_test", permutation_test)
    protocol = replace(STYLEGAN_V, covariance="n-1")
    with pytest.raises(InputError, match="enough"):
        PairTest(store=tmp_path)(*stored_results(sets, protocol=protocol, name="fid"))
    assert asked == [((24, 3), 4, 1)]


@pytest.mark.parametrize(
    "changes",
    [
        {"details": {}},
        {"details": {"space": "../../etc"}},
        {"details": {"space": "0" * 16}},
        {"order": "0" * 64},
        {"real": None},
        {"name": "kvd"},
    ],
)
def test_without_the_features_the_intervals_decide(stored_results, tmp_path, changes):
    first, second = stored_results(interval=(0.0, 9.0))
    before = sorted(path.name for path in tmp_path.iterdir())
    if "order" in changes:
        changes = {"fake": replace(first.fake, order=changes["order"])}
    verdict = PairTest(store=tmp_path)(replace(first, **changes), second)
    assert verdict.method.kind == "intervals"
    assert verdict.p_value == interval_test(first, second).p_value
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_features_that_give_another_value_are_not_those_that_were_measured(
    stored_results, tmp_path
):
    first, second = stored_results()
    verdict = PairTest(store=tmp_path, permutations=50)(replace(first, value=2.0), second)
    assert verdict.p_value is None
    assert verdict.method.instead == "other_values"


def test_features_too_wide_for_a_thousand_covariances_are_compared_by_intervals(
    stored_results, tmp_path, monkeypatch
):
    monkeypatch.setattr(significance, "MAX_FEATURES", 2)
    verdict = PairTest(store=tmp_path, paired=True)(*stored_results())
    assert verdict.method == Method(kind="untested", paired=True, instead="too_wide")
    assert "--paired" in method_text(verdict.method)


def test_every_reason_for_no_permutations_has_its_words():
    assert ["", *INSTEAD] == list(get_args(Instead))


def test_pairs_need_equally_many_clips(stored_results, tmp_path):
    with pytest.raises(InputError, match=r"--paired: .*\ba\b.*\b60\b.*\bb\b.*\b57\b"):
        PairTest(store=tmp_path, paired=True, permutations=50)(*stored_results(fewer=3))


def test_pairs_are_matched_by_the_names_of_their_videos(stored_results, tmp_path):
    first, second = stored_results()
    second = replace(second, fake=replace(second.fake, names="2"))
    with pytest.raises(InputError, match=r"\ba and b\b.*names"):
        PairTest(store=tmp_path, paired=True, permutations=50)(first, second)
