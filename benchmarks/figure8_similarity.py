"""Figure 8 of the paper: frames after the two attentions of a block of variant 4."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.claims import Finding
from benchmarks.finished import FinishedCell
from benchmarks.frame_similarity import Look, Part, SimilarityRequest, run_similarity

if TYPE_CHECKING:
    from benchmarks.similarity_claims import Networks
    from benchmarks.similarity_drawings import SimilarityFigure
    from evaluation.similarity import Summary

PAPER_BLOCK, PAPER_DEPTH = 20, 23  # with as many blocks variant 4 has XL's parameters
BETWEEN = "between the two"


def shown_block(depth: int) -> int:
    """The block at the relative depth of the paper's block 20.

    >>> [shown_block(depth) for depth in (23, 5, 3, 1)]
    [20, 4, 2, 0]
    """
    return round(PAPER_BLOCK * (depth - 1) / (PAPER_DEPTH - 1))


def parts(depth: int) -> tuple[Part, ...]:
    """Both attentions as they come out: before the gate, and before they are added."""
    block = shown_block(depth)
    return (f"blocks.{block}.attn_temporal", f"blocks.{block}.attn")


def no_blocks(depth: int) -> tuple[int, ...]:
    """Nothing is compared from block to block."""
    return ()


LOOK = Look(figure="figure8", variant=4, parts=parts, in_order=no_blocks)


def branches(networks: "Networks", step: int) -> Mapping[str, Sequence["Summary"]]:
    """What the figure shows, of each network."""
    temporal, spatial = parts(networks.depth)
    return {
        "temporal attention": networks.at(str(temporal), step),
        "spatial attention": networks.at(str(spatial), step),
        BETWEEN: networks.between(step),
    }


def run(out: Path, request: SimilarityRequest) -> list[Finding]:
    """Look into the networks, train those that are missing; write the documents into `out`.

    Returns:
        The paper's claims, judged at each timestep.

    Raises:
        InputError, typer.Exit: as `benchmarks.figure6_similarity.run`.
    """
    return run_similarity(LOOK, figure, out, request)


def figure(cells: Sequence[FinishedCell]) -> "SimilarityFigure":
    """What the figure shows of networks of this depth."""
    from benchmarks.similarity_claims import (
        Networks,
        SimilarityClaim,
        differing,
        lowest_of,
        near_zero,
    )
    from benchmarks.similarity_drawings import SimilarityFigure

    depth = Networks.of(cells).depth
    return SimilarityFigure(
        look=LOOK,
        title="Attentions of variant 4",
        parts=branches,
        beside=lambda networks, step: {},
        numbers=("mean", "variance", "inverted", "same_frame"),
        claims=(
            SimilarityClaim(
                text="The three distributions differ strongly", judge=differing(branches)
            ),
            SimilarityClaim(
                text="The two attentions are less like each other than frames of either are",
                judge=lowest_of(BETWEEN, branches),
            ),
            SimilarityClaim(
                text="Their mutual similarity is extremely low", judge=near_zero(BETWEEN, branches)
            ),
        ),
        remarks=(
            f"The paper shows block {PAPER_BLOCK}, of {PAPER_DEPTH} if its parameters were matched "
            f"as ours are; here block {shown_block(depth)} of {depth}, counted from 0.",
            "Between the two: frame i after spatial attention with frame j after temporal "
            "attention, all pairs; “same frame” is i = j.",
        ),
        matrices_first=False,
    )
