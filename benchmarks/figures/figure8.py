"""Figure 8 of the paper: frames after the two attentions of a block of variant 4."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.cells.cache import CellRecord
from benchmarks.documents.claims import Claim, JudgedClaim
from benchmarks.documents.numbers import BoundedNumber
from benchmarks.figures.similarity.claims import LOW, MUCH, differing, lowest_of, near_zero
from benchmarks.figures.similarity.drawings import SimilarityFigure
from benchmarks.figures.similarity.numbers import Probed, ProbedNetworks
from benchmarks.figures.similarity.probes import ProbeSpec, place_name
from benchmarks.figures.similarity.request import SimilarityRequest
from benchmarks.figures.similarity.run import run_similarity
from evaluation.similarity import Difference, SitePair, Summary

PAPER_BLOCK, PAPER_DEPTH = 20, 23  # depth at which variant 4 has XL's parameters
TEMPORAL, SPATIAL, BETWEEN = "temporal attention", "spatial attention", "between the two"


def shown_block(depth: int) -> int:
    """The block at the relative depth of the paper's block 20.

    >>> [shown_block(depth) for depth in (23, 5, 3, 1)]
    [20, 4, 2, 0]
    """
    return round(PAPER_BLOCK * (depth - 1) / (PAPER_DEPTH - 1))


def parts(depth: int) -> tuple[str, str]:
    """Temporal and spatial attention as they come out: before the gate, and before they are added.

    >>> parts(3)
    ('blocks.2.attn_temporal', 'blocks.2.attn')
    """
    block = shown_block(depth)
    return (f"blocks.{block}.attn_temporal", f"blocks.{block}.attn")


def pair(depth: int) -> SitePair:
    """Frames after spatial attention with frames after temporal attention."""
    temporal, spatial = parts(depth)
    return SitePair(first=spatial, second=temporal, depth=shown_block(depth))


def differences(depth: int, step: int) -> tuple[Difference, ...]:
    """What the mean of each attention is above that between the two."""
    return tuple(Difference("mean", (pair(depth), step), (path, step)) for path in parts(depth))


SPEC = ProbeSpec(figure="figure8", variant=4, parts=parts, differences=differences)


def branches(probed: Probed) -> Mapping[str, Sequence[Summary]]:
    """What the figure shows, of each network."""
    temporal, spatial = parts(probed.networks.depth)
    return {TEMPORAL: probed.at(temporal), SPATIAL: probed.at(spatial), BETWEEN: probed.between()}


def leads(probed: Probed) -> Mapping[str, Sequence[BoundedNumber]]:
    """`differences`, of each network."""
    depth = probed.networks.depth
    between = place_name(pair(depth))
    return {
        label: probed.differences("mean", between, path)
        for label, path in zip((TEMPORAL, SPATIAL), parts(depth), strict=True)
    }


def run(out: Path, request: SimilarityRequest) -> list[JudgedClaim]:
    """Look into the networks, train those that are missing; write the documents into `out`.

    Raises:
        InputError, FailedCellsError: as `run_similarity`.
    """
    return run_similarity(SPEC, figure, out, request)


def figure(cells: Sequence[CellRecord]) -> SimilarityFigure:
    """What the figure shows of networks of this depth."""
    depth = ProbedNetworks.of(cells).depth
    return SimilarityFigure(
        number="8",
        title="Attentions of variant 4",
        parts=branches,
        beside=lambda probed: {},
        numbers=("mean", "variance", "inverted", "same_frame"),
        claims=(
            Claim(
                "The three distributions differ strongly",
                differing(branches),
                meaning=f"Distributions differ strongly here if any two have less than {MUCH:g} in "
                "common, in bins of 0.05: the paper gives no number. The interval of the common "
                "part is rather too wide: over the clips it has all bins at one end of their own.",
            ),
            Claim(
                "The two attentions are less like each other than frames of either are",
                lowest_of(branches, leads),
            ),
            Claim(
                "Their mutual similarity is extremely low",
                near_zero(BETWEEN, branches),
                meaning=f"A mean cosine within ±{LOW:g} is extremely low here: the paper gives no "
                "number.",
            ),
        ),
        remarks=(
            f"The paper shows block {PAPER_BLOCK}, of {PAPER_DEPTH} if its parameters were matched "
            f"as ours are; here block {shown_block(depth)} of {depth}, counted from 0.",
            "Between the two: frame i after spatial attention with frame j after temporal "
            "attention, all pairs; “same frame” is i = j.",
        ),
        matrices_first=False,
        mutual={BETWEEN: ("frame after temporal attention", "frame after spatial attention")},
    )
