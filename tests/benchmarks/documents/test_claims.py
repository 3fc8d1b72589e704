import math
import re

import pytest

from benchmarks.documents.claims import (
    Claim,
    JudgedClaim,
    Judgement,
    Verdict,
    VerdictAt,
    all_of,
    judge_all,
)
from benchmarks.documents.numbers import BoundedNumber, geometric_mean
from benchmarks.figures.curves.claims import (
    ahead,
    drawing_nearer,
    highest,
    lower,
    lowest,
    ordered,
)
from benchmarks.figures.curves.curves import Curves


def points(*values: float) -> list[BoundedNumber]:
    return [BoundedNumber(value=x, low=x / 1.1, high=x * 1.1) for x in values]


def outcome(**designs: list[tuple[float, float]]) -> Curves:
    """Two checkpoints of each design, one pair for each seed."""
    return Curves(
        steps=(100, 200),
        designs={
            label: {seed: points(*pair) for seed, pair in enumerate(pairs)}
            for label, pairs in designs.items()
        },
    )


# Seeds differ by more than designs do, but alike: only the comparison seed by seed tells them.
CLEAR = outcome(
    good=[(9.0, 10.0), (90.0, 100.0), (30.0, 31.0)],
    bad=[(18.0, 11.0), (170.0, 112.0), (62.0, 34.5)],
)


CLEAR_ORDER = outcome(
    a=[(1, 1.0), (1, 1.1), (1, 0.9)],
    b=[(1, 2.0), (1, 2.1), (1, 1.9)],
    c=[(1, 4.0), (1, 4.1), (1, 3.9)],
)


def test_a_mean_over_seeds_is_geometric_with_students_interval() -> None:
    mean = geometric_mean([1.0, 2.0, 4.0])
    half = 4.302652729749464 * math.log(2) / math.sqrt(3)  # t of 2 degrees of freedom
    assert mean.value == pytest.approx(2.0)
    assert mean.low == pytest.approx(2 * math.exp(-half))
    assert mean.high == pytest.approx(2 * math.exp(half))
    assert geometric_mean([3.0]).value == pytest.approx(3.0)
    assert geometric_mean([3.0]).low is None


def test_designs_are_compared_seed_by_seed() -> None:
    judged = lower("good", "bad")(CLEAR)
    assert judged.verdict == "yes"
    for fact in ("bad ÷ good = 1.11 [1.09, 1.14] at step 200", "3 of 3 seeds"):
        assert fact in judged.numbers
    assert lower("bad", "good")(CLEAR).verdict == "no"
    assert "at step 100" in lower("good", "bad", place=0)(CLEAR).numbers


def test_a_ratio_whose_interval_holds_one_decides_nothing() -> None:
    mixed = outcome(a=[(1, 10.0), (1, 10.0)], b=[(1, 11.0), (1, 10.1)])
    judged = lower("a", "b")(mixed)
    assert judged.verdict == "not decided"
    assert "2 of 2 seeds" in judged.numbers


def test_one_seed_is_decided_by_the_intervals_of_its_measurements() -> None:
    assert lower("a", "b")(outcome(a=[(1, 10.0)], b=[(1, 13.0)])).verdict == "yes"
    assert lower("a", "b")(outcome(a=[(1, 13.0)], b=[(1, 10.0)])).verdict == "no"
    assert lower("a", "b")(outcome(a=[(1, 10.0)], b=[(1, 11.0)])).verdict == "not decided"


def test_what_is_not_measured_is_named() -> None:
    judged = lowest("good", ["bad", "third"])(outcome(good=[(1, 2.0)], bad=[(1, 2.0)], third=[]))
    assert judged.verdict == "not measured"
    assert "third" in judged.numbers


def test_extremes_and_orders() -> None:
    three = CLEAR_ORDER
    assert lowest("a", ["b", "c"])(three).verdict == "yes"
    assert lowest("b", ["a", "c"])(three).verdict == "no"
    assert "0 of 3 seeds" in lowest("b", ["a", "c"])(three).numbers
    assert highest("c", ["a", "b"])(three).verdict == "yes"
    assert "3 of 3 seeds" in highest("c", ["a", "b"])(three).numbers
    assert ordered(["a", "b", "c"])(three).verdict == "yes"
    assert ordered(["a", "c", "b"])(three).verdict == "no"
    assert "0 of 3 seeds" in ordered(["a", "c", "b"])(three).numbers


def test_an_order_is_refuted_by_any_pair_and_shows_it() -> None:
    three = outcome(
        a=[(1, 1.0), (1, 1.1), (1, 0.9)],
        b=[(1, 0.9), (1, 1.2), (1, 0.8)],  # tells nothing, beside either
        c=[(1, 0.7), (1, 0.77), (1, 0.63)],
    )
    judged = ordered(["a", "b", "c"])(three)
    assert judged.verdict == "no"
    assert "c ÷ a = 0.70 [0.70, 0.70]" in judged.numbers
    assert "c ÷ a" not in ordered(["a", "b", "c"])(CLEAR_ORDER).numbers


@pytest.mark.parametrize(
    ("t", "pair", "of_two", "of_three"),
    [
        (4.0, "not decided", "not decided", "not decided"),
        (5.0, "no", "not decided", "not decided"),
        (7.0, "no", "no", "not decided"),
        (8.0, "no", "no", "no"),
    ],
)
def test_one_comparison_of_several_refutes_at_the_corrected_level(
    t: float, pair: str, of_two: str, of_three: str
) -> None:
    # Student's t with 2 degrees of freedom: 4.30 at 95 %, 6.21 for two, 7.65 for three of them.
    step = 0.1
    mean = t * step / math.sqrt(3)
    some = outcome(
        a=[(1, math.exp(mean + step * place)) for place in (-1, 0, 1)],
        b=[(1, 1.0)] * 3,
        c=[(1, 50.0)] * 3,
    )
    assert lower("a", "b")(some).verdict == pair
    assert lowest("a", ["b", "c"])(some).verdict == of_two
    assert highest("b", ["a"])(some).verdict == pair
    assert ordered(["a", "b", "c"])(some).verdict == of_three


def test_of_one_seed_the_intervals_are_widened_for_several_comparisons() -> None:
    some = outcome(a=[(1, 12.3)], b=[(1, 10.0)], c=[(1, 90.0)])
    assert lower("a", "b")(some).verdict == "no"
    assert lowest("a", ["b", "c"])(some).verdict == "not decided"
    assert lowest("b", ["a", "c"])(some).verdict == "yes"  # each at 95 %


def test_several_hold_where_each_does_at_the_usual_level() -> None:
    asked = []

    def says(verdict: Verdict, until: float) -> VerdictAt:
        def at(level: float) -> Verdict:
            asked.append(level)
            return verdict if level <= until else "not decided"

        return at

    assert all_of([says("yes", 0.95), says("yes", 0.96)]) == "yes"
    assert sorted(set(asked)) == pytest.approx([0.95, 0.975])
    assert all_of([says("yes", 1.0), says("no", 0.97)]) == "not decided"
    assert all_of([says("yes", 1.0), says("no", 0.98)]) == "no"


def test_ahead_is_judged_over_all_checkpoints_and_not_at_the_first() -> None:
    late = outcome(
        a=[(100.0, 10.0), (101.0, 12.0), (99.0, 11.0)],  # nothing is learned at step 100
        b=[(99.0, 40.0), (101.5, 41.0), (100.0, 45.0)],
    )
    assert lower("a", "b", place=0)(late).verdict == "not decided"
    judged = ahead("a", "b")(late)
    assert judged.verdict == "yes"
    mean = math.exp(sum(math.log(r) for r in (0.99 * 4, 101.5 / 101 * 41 / 12, 45 / 10.89)) / 6)
    assert judged.numbers.startswith(f"b ÷ a = {mean:.2f} [")
    assert judged.numbers.endswith(" 3 of 3 seeds")
    assert "steps 100 to 200" in judged.numbers
    assert ahead("b", "a")(late).verdict == "no"
    assert ahead("a", "third")(late).verdict == "not measured"


def test_one_seed_is_ahead_only_where_every_checkpoint_says_so() -> None:
    assert ahead("a", "b")(outcome(a=[(10, 10.0)], b=[(20, 20.0)])).verdict == "yes"
    assert ahead("a", "b")(outcome(a=[(10, 10.0)], b=[(10, 20.0)])).verdict == "not decided"


def test_curves_draw_nearer_where_their_factor_shrinks_in_all_seeds() -> None:
    near = outcome(
        a=[(10, 10.0), (10, 10.0), (10, 10.0)],
        b=[(40, 11.0), (42, 11.2), (39, 10.8)],
    )
    judged = drawing_nearer(["a", "b"])(near)
    assert judged.verdict == "yes"
    assert "4.03 at step 100, 1.10 at step 200" in judged.numbers
    assert drawing_nearer(["good", "bad"])(CLEAR).verdict == "yes"


def test_before_the_end_is_the_mean_of_all_earlier_checkpoints() -> None:
    curves = Curves(
        steps=(100, 200, 300),
        designs={
            "a": {seed: points(10.0, 10.0, 10.0) for seed in range(2)},
            "b": {seed: points(10.0, 90.0, 10.0 * factor) for seed, factor in enumerate((1.5, 2))},
        },
    )
    judged = drawing_nearer(["a", "b"])(curves)
    assert re.search(r"= 3\.00 .*steps 100 to 200, 1\.73 at step 300; .*\b2 of 2", judged.numbers)


def test_a_finding_says_paper_and_here_in_one_line() -> None:
    (found,) = judge_all([Claim(text="Good is better", judge=lower("good", "bad"))], CLEAR)
    for fact in ("Good is better: ", str(found.paper), str(found.measured)):
        assert fact in found.line


def test_a_claim_of_a_table_is_judged_by_the_papers_figures_too() -> None:
    claim = JudgedClaim(
        claim="A is B",
        paper=Judgement(verdict="yes", numbers="3 > 2"),
        measured=Judgement(verdict="no", numbers="1 < 2"),
    )
    assert claim.line == "A is B: paper yes (3 > 2); here no (1 < 2)"
    assert claim.paper_claim.numbers == "1 < 2; by the paper's figures 3 > 2"
