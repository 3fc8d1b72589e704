"""The claims of Figures 6 and 8 and their numbers, on made-up similarities."""

import re
from itertools import pairwise

import numpy as np
import pytest

from benchmarks.cells.cache import CellRecord
from benchmarks.cells.scale import Scale
from benchmarks.documents.claims import SEVERAL, Claim, JudgedClaim, Judgement, Verdict
from benchmarks.documents.numbers import BoundedNumber
from benchmarks.figures import figure6, figure8
from benchmarks.figures.requests import SimilarityRequest
from benchmarks.figures.similarity import documents as similarity_documents
from benchmarks.figures.similarity.claims import (
    ProbedClaim,
    changing,
    judge_at_timesteps,
)
from benchmarks.figures.similarity.documents import similarity_document, values_table
from benchmarks.figures.similarity.numbers import (
    SHARE,
    Probed,
    ProbedNetworks,
    over_networks,
    overlap,
)
from benchmarks.figures.similarity.probes import ProbeSpec
from evaluation.similarity.summary import RunningSummary, Summary, summary_record

FRAMES = 4


def even(value: float, *, mutual: bool = False, clips: int = 5) -> dict:
    """The record of clips whose frames are all as alike as `value`, or nearly."""
    running = RunningSummary(FRAMES, mutual=mutual)
    for clip in range(clips):
        matrix = np.full((FRAMES, FRAMES), value + 0.001 * clip)
        if not mutual:
            np.fill_diagonal(matrix, 1)
        running.add(matrix)
    return summary_record(running.summary())


def difference(number: str, first: str, second: str, value: float, half: float) -> dict:
    place = {"number": number, "first": first, "second": second, "timestep": 500}
    return {**place, "value": value, "interval": [value - half, value + half]}


def cell(seed: int, details: dict, *, clips: int = 5) -> CellRecord:
    made = {"date": "2024-01-05", "versions": {"torch": "2"}, "host": {"cores": 2}}
    more = {"fingerprint": "0123456789ab", "num_clips": clips, "frame_size": 8}
    return CellRecord(
        key=str(seed), name="", value=0.1, seconds=1.0, provenance=made, details=details | more
    )


def network_of_figure6(seed: int, means: tuple[float, ...]) -> CellRecord:
    """After each of several spatial blocks a mean; the variance grows, inversions stay."""
    blocks = [f"blocks.{block}" for block in range(len(means))]
    sites = [
        {"path": path, "kind": "", "depth": None, "timestep": 500, "summary": even(mean)}
        for path, mean in zip(["x_embedder", *blocks], (0.95, *means), strict=True)
    ]
    pairs = [*pairwise(range(len(means))), (0, len(means) - 1)]
    differences = [
        difference(number, blocks[first], blocks[second], value, half)
        for first, second in pairs
        for number, value, half in (
            ("mean", means[second] - means[first], 0.002),
            ("variance", 0.01 + 0.001 * seed, 0.005),
            ("inverted", 0.01 * (seed - 1), 0.1),
        )
    ]
    config = {"variant": 2, "depth": 2 * len(means), "num_frames": FRAMES, "hidden_size": 8}
    return cell(seed, {"sites": sites, "pairs": [], "differences": differences, "config": config})


def judged(spec: ProbeSpec, cells: list[CellRecord]) -> list[JudgedClaim]:
    networks = ProbedNetworks(cells=cells)
    claims = spec.at_depth(networks.depth).claims
    return [x for claim in claims for x in judge_at_timesteps(claim, networks).lines.values()]


def probed(cells: list[CellRecord], step: int = 500) -> Probed:
    return Probed(networks=ProbedNetworks(cells=cells), step=step)


@pytest.mark.parametrize(
    ("verdicts", "here", "steps"),
    [
        (("yes", "yes", "yes"), "yes", "yes"),
        (("no", "no", "no"), "no", "no"),
        (("yes", "no", "yes"), "not decided", "yes at t = 100, 900; no at t = 500"),
    ],
)
def test_a_claim_is_told_once_for_all_timesteps(
    verdicts: tuple[Verdict, ...], here: str, steps: str
) -> None:
    judgements = {
        step: Judgement(verdict=verdict, numbers=f"{step} numbers")
        for step, verdict in zip((100, 500, 900), verdicts, strict=True)
    }
    claim = ProbedClaim(
        claim=Claim(text="It falls", judge=lambda probed: Judgement(verdict="yes")),
        lines={
            step: JudgedClaim(claim="It falls", measured=judgement)
            for step, judgement in judgements.items()
        },
    )
    overview = claim.overview(500)
    assert overview.verdict == here
    assert overview.numbers.startswith(steps)
    assert overview.numbers.endswith("t = 500: 500 numbers")
    assert [line.measured.verdict for line in claim.lines.values()] == list(verdicts)


def test_the_claims_of_figure6_are_judged_seed_by_seed() -> None:
    cells = [network_of_figure6(seed, (0.9, 0.8 + 0.01 * seed, 0.5)) for seed in range(3)]
    found = judged(figure6.SPEC, cells)
    assert [claim.measured.verdict for claim in found] == ["yes", "yes", "not decided"]
    assert found[0].claim.endswith("t = 500")
    for fact in (
        "0.902 ± 0.002 → 0.812 ± 0.025 → 0.502 ± 0.002 after blocks 0, 1, 2",
        "−0.0900 ± 0.0249 and −0.310 ± 0.025",
        "3 of 3 seeds",
    ):
        assert fact in found[0].measured.numbers
    assert found[2].measured.numbers.endswith(" 1 of 3 seeds")
    rising = [network_of_figure6(seed, (0.9, 0.8, 0.85 + 0.01 * seed)) for seed in range(3)]
    (falls, *_) = judged(figure6.SPEC, rising)
    assert falls.measured.verdict == "no"
    assert falls.measured.numbers.endswith(" 0 of 3 seeds")
    # One network alone: by the interval over its clips.
    alone = probed(cells[:1])
    assert changing("inverted", (0, 2), rises=True)(alone).verdict == "not decided"
    assert changing("mean", (0, 1, 2), rises=False)(alone).verdict == "yes"


def test_each_further_block_is_every_block_not_those_shown_alone() -> None:
    # Falls from each shown block (0, 3 and 6 of 7) to the next, but rises from block 4 to 5.
    means = (0.9, 0.8, 0.7, 0.6, 0.5, 0.55, 0.3)
    cells = [network_of_figure6(seed, means) for seed in range(2)]
    (falls, *_) = judged(figure6.SPEC, cells)
    assert falls.measured.verdict == "no"
    for fact in ("after blocks 0, 3, 6", "falls in 5, rises in 1", " 0 of 2 seeds"):
        assert fact in falls.measured.numbers
    assert list(figure6.figure(14).parts) == ["block 0", "block 3", "block 6"]
    steady = [network_of_figure6(seed, (*means[:5], 0.4, 0.3)) for seed in range(2)]
    assert judged(figure6.SPEC, steady)[0].measured.verdict == "yes"


def test_of_many_blocks_one_refutes_at_the_corrected_level_alone() -> None:
    # Rises from block 4 to 5 beyond ±0.002, its interval at 95 %; at 99.2 % that is ±0.0035.
    for rise, verdict in ((0.003, "not decided"), (0.004, "no")):
        means = (0.9, 0.8, 0.7, 0.6, 0.5, 0.5 + rise, 0.3)
        alone = probed([network_of_figure6(0, means)])
        found = changing("mean", range(7), rises=False, shown=(0, 3, 6))(alone)
        assert found.verdict == verdict
        assert "falls in 5, rises in 1" in found.numbers
    assert changing("mean", (4, 5), rises=False)(alone).verdict == "no"


def test_figure6_asks_for_the_differences_that_it_judges_by() -> None:
    found = figure6.figure(28).changes
    pairs = dict.fromkeys((first, second) for _, first, second in found)
    blocks = [f"blocks.{block}" for block in range(14)]
    assert list(pairs) == [*pairwise(blocks), ("blocks.0", "blocks.13")]
    assert {number for number, *_ in found} == {"mean", "variance", "inverted"}
    assert len(set(found)) == len(found) == 14 * 3
    assert figure6.figure(2).changes == ()


def network_of_figure8(
    seed: int, temporal: float, spatial: float, mutual: float, *, clips: int = 5
) -> CellRecord:
    paths = {"blocks.2.attn_temporal": temporal, "blocks.2.attn": spatial}
    shift = 0.001 * seed
    sites = [
        {
            "path": path,
            "kind": "",
            "depth": 2,
            "timestep": 500,
            "summary": even(value + shift, clips=clips),
        }
        for path, value in paths.items()
    ]
    place = {"first": "blocks.2.attn", "second": "blocks.2.attn_temporal", "depth": 2}
    pair = {**place, "timestep": 500, "summary": even(mutual + shift, mutual=True, clips=clips)}
    between = "blocks.2.attn × blocks.2.attn_temporal"
    leads = [
        difference("mean", between, path, value - mutual, 0.001) for path, value in paths.items()
    ]
    config = {"variant": 4, "depth": 3, "num_frames": FRAMES, "hidden_size": 8}
    details = {"sites": sites, "pairs": [pair], "differences": leads, "config": config}
    return cell(seed, details, clips=clips)


@pytest.mark.parametrize(
    ("means", "verdicts"),
    [
        ((0.902, 0.602, 0.022), ["yes", "yes", "yes"]),
        ((0.902, 0.602, -0.522), ["yes", "yes", "no"]),
        ((0.912, 0.915, 0.022), ["no", "yes", "yes"]),
        ((0.902, 0.302, 0.702), ["yes", "no", "no"]),
    ],
)
def test_the_claims_of_figure8_hold_only_where_they_should(
    means: tuple[float, float, float], verdicts: list[str]
) -> None:
    cells = [network_of_figure8(seed, *means) for seed in range(3)]
    for some in (cells, cells[:1]):
        found = judged(figure8.SPEC, some)
        assert [claim.measured.verdict for claim in found] == verdicts


@pytest.mark.parametrize("networks", [1, 3])
def test_distributions_of_very_few_clips_are_not_said_to_differ(networks: int) -> None:
    cells = [network_of_figure8(seed, 0.9, 0.6, 0.02, clips=1) for seed in range(networks)]
    (differ, *_) = judged(figure8.SPEC, cells)
    assert differ.measured.verdict == "not decided"
    assert differ.measured.numbers.endswith("(1) for an interval over them")


def test_attentions_are_compared_clip_by_clip() -> None:
    # Each mean by itself is known to ±0.2 alone, but their difference to ±0.01.
    near = network_of_figure8(0, 0.5, 0.6, 0.45)
    for place in (*near.details["sites"], *near.details["pairs"]):
        mean = place["summary"]["numbers"]["mean"]
        mean["interval"] = [mean["value"] - 0.2, mean["value"] + 0.2]
    for each in near.details["differences"]:
        each["interval"] = [each["value"] - 0.01, each["value"] + 0.01]
    (lowest,) = (each for each in judged(figure8.SPEC, [near]) if "less like" in each.claim)
    assert lowest.measured.verdict == "yes"
    assert "0.0500 ± 0.0100 and 0.150 ± 0.010" in lowest.measured.numbers


def test_captions_say_of_what_the_means_and_intervals_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(similarity_documents, "draw", lambda *_: [])

    def told(count: int, clips: int) -> tuple[str, list[str]]:
        cells = [network_of_figure8(seed, 0.9, 0.6, 0.02, clips=clips) for seed in range(count)]
        made = similarity_document(figure8.SPEC, cells, SimilarityRequest())
        return made.values.caption, list(made.verdicts)

    caption, verdicts = told(3, 5)
    assert "3 seeds" in caption
    assert re.search(r"interval .* seeds and other clips", caption)
    assert "holds 0" in verdicts[0]
    assert verdicts[1] == SEVERAL
    caption, verdicts = told(1, 5)
    assert "seeds" not in caption
    assert re.search(r"interval .* for other clips", caption)
    caption, verdicts = told(1, 2)
    assert "interval" not in caption
    assert "one network" in verdicts[0]
    assert SEVERAL not in verdicts


@pytest.mark.parametrize(
    ("scale", "steps", "dataset"),
    [("tiny", "800", "shapes"), ("paper", "200,000", "faceforensics")],
)
def test_networks_are_said_to_be_those_of_the_scale(
    scale: Scale, steps: str, dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(similarity_documents, "draw", lambda *_: [])
    cells = [network_of_figure8(seed, 0.9, 0.6, 0.02) for seed in range(2)]
    told = similarity_document(figure8.SPEC, cells, SimilarityRequest(scale=scale)).method
    assert f"{steps} steps on {dataset}, from 2 seeds" in told
    assert ("small" in told) == (scale == "tiny")


def test_intervals_end_where_the_numbers_do() -> None:
    cells = [network_of_figure8(seed, 0.98 - 0.4 * seed, 0.6, 0.02) for seed in range(2)]
    table = values_table(figure8.figure(3), ProbedNetworks(cells=cells))
    for row in table.rows:
        for name, one in row.cells.items():
            if one.low is not None and one.high is not None:
                assert one.low >= (0 if name in ("variance", "inverted") else -1)
                assert one.high <= 1
    assert table.rows[0].cells["mean"].spread == "[−1.000, 1.000]"
    (lowest,) = (each for each in judged(figure8.SPEC, cells) if "less like" in each.claim)
    assert "0.782 [−1.000, 1.000]" in lowest.measured.numbers
    share = over_networks([BoundedNumber(value=0.1), BoundedNumber(value=0.4)], SHARE)
    assert (share.low, share.high) == (0, 1)


def test_numbers_and_overlaps_by_hand() -> None:
    mean = over_networks([BoundedNumber(value=value) for value in (1.0, 2.0, 3.0)])
    half = 4.302652729911275 / 3**0.5  # Student's t with 2 degrees of freedom
    assert (mean.value, mean.low, mean.high) == pytest.approx((2, 2 - half, 2 + half))
    # What the clips leave open does not average out over networks that see the same clips.
    alike = over_networks([BoundedNumber(value=1.0, low=0.5, high=1.5)] * 3)
    assert (alike.value, alike.low, alike.high) == pytest.approx((1, 0.5, 1.5))

    # At another level both parts are wider, as Student's t is with their degrees of freedom.
    wide = over_networks([BoundedNumber(value=1.0, low=0.5, high=1.5)] * 3, level=0.99, clips=5)
    assert wide.high - 1 == pytest.approx(0.5 * 4.604094871415897 / 2.7764451051977987)
    strict = over_networks(
        [BoundedNumber(value=value) for value in (1.0, 2.0, 3.0)], level=0.99, clips=5
    )
    assert strict.high - 2 == pytest.approx(9.924843200918287 / 3**0.5)

    # Each side by itself: what lies close to an end of its range has a short one.
    lopsided = over_networks([BoundedNumber(value=0.1, low=0.0, high=0.5)] * 2)
    assert (lopsided.value, lopsided.low, lopsided.high) == pytest.approx((0.1, 0.0, 0.5))

    def summary(*clips: list[float]) -> Summary:
        running = RunningSummary(3)
        for values in clips:
            matrix = np.eye(3)
            matrix[np.triu_indices(3, 1)] = values
            running.add(matrix)
        return running.summary()

    first, second = summary([0.01, 0.26, 0.51]), summary([0.02, 0.26, 0.91])
    assert overlap(first, first).value == pytest.approx(1)
    assert overlap(first, second).value == pytest.approx(2 / 3)
    assert overlap(first, second).low is None  # one clip has no interval
    assert overlap(first, summary([-0.5, -0.5, -0.5])).value == 0

    # Halves of clips that never meet: what is common is between nothing and all.
    clips = [[0.01] * 3, [0.01] * 3, [0.26] * 3, [0.26] * 3]
    swaying = overlap(summary(*clips), summary(*clips[1:], [0.51] * 3))
    assert swaying.value == pytest.approx(0.75)
    assert (swaying.low, swaying.high) == (0, 1)
    steady = overlap(summary(*[[0.01, 0.26, 0.51]] * 4), summary(*[[0.02, 0.26, 0.91]] * 4))
    assert (steady.low, steady.high) == pytest.approx((2 / 3, 2 / 3))
