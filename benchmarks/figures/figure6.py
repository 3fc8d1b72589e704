"""Figure 6 of the paper: frames after the spatial blocks of variant 2."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cells.cache import CellRecord
from benchmarks.documents.claims import JudgedClaim
from benchmarks.figures.frame_similarity import SimilarityRequest, run_similarity
from benchmarks.figures.similarity_networks import Look, Part

if TYPE_CHECKING:
    from benchmarks.figures.similarity_drawings import SimilarityFigure
    from evaluation.similarity import Difference

INPUT = "x_embedder"  # patches, before positions are added and any block is run
PAPER_BLOCKS = "0, 7 and 13 of 14"
CHANGING = ("mean", "variance", "inverted")  # numbers that the paper claims something about


def spatial_blocks(depth: int) -> tuple[int, ...]:
    """The first half of the blocks of variant 2."""
    return tuple(range(depth // 2))


def parts(depth: int) -> tuple[Part, ...]:
    """Every spatial block, and what goes into the first."""
    return (INPUT, *spatial_blocks(depth))


def shown_blocks(depth: int) -> tuple[int, ...]:
    """The first, the middle and the last spatial block; fewer where there are fewer.

    >>> shown_blocks(28), shown_blocks(6), shown_blocks(4)
    ((0, 7, 13), (0, 1, 2), (0, 1))
    """
    blocks = spatial_blocks(depth)
    return tuple(dict.fromkeys((blocks[0], blocks[len(blocks) // 2], blocks[-1])))


def differences(depth: int, step: int) -> tuple["Difference", ...]:
    """From each spatial block to the next, and from the first to the last."""
    from evaluation.similarity import Difference

    blocks = spatial_blocks(depth)
    pairs = dict.fromkeys([*pairwise(blocks), (blocks[0], blocks[-1])] if len(blocks) > 1 else [])
    return tuple(
        Difference(number, (f"blocks.{first}", step), (f"blocks.{second}", step))
        for first, second in pairs
        for number in CHANGING
    )


LOOK = Look(figure="figure6", variant=2, parts=parts, differences=differences)


def run(out: Path, request: SimilarityRequest) -> list[JudgedClaim]:
    """Look into the networks, train those that are missing; write the documents into `out`.

    Returns:
        The paper's claims, judged at each timestep.

    Raises:
        InputError: something is missing that the scale needs, or networks could not be measured
            for a reason that the user can mend; what was measured is written before.
        typer.Exit: networks could not be measured by a fault of ours.
    """
    return run_similarity(LOOK, figure, out, request)


def figure(cells: Sequence[CellRecord]) -> "SimilarityFigure":
    """What the figure shows of networks of this depth."""
    from benchmarks.figures.similarity_claims import SimilarityClaim, changing, changing_over
    from benchmarks.figures.similarity_drawings import SimilarityFigure
    from benchmarks.figures.similarity_numbers import Networks

    depth = Networks.of(cells).depth
    every, shown = spatial_blocks(depth), shown_blocks(depth)
    return SimilarityFigure(
        look=LOOK,
        title="Spatial blocks of variant 2",
        parts=lambda networks, step: {
            f"block {block}": networks.at(f"blocks.{block}", step) for block in shown
        },
        beside=lambda networks, step: {"patches, the input": networks.at(INPUT, step)},
        numbers=CHANGING,
        claims=(
            SimilarityClaim(
                text="The mean falls with each further spatial block",
                judge=changing("mean", every, rises=False, told=shown),
            ),
            SimilarityClaim(
                text="The variance grows with each further spatial block",
                judge=changing("variance", every, rises=True, told=shown),
            ),
            SimilarityClaim(
                text="Inverted relations become more from the first to the last spatial block",
                judge=changing_over("inverted", every, rises=True),
            ),
        ),
        remarks=tuple(_remarks(every, shown)),
        matrices_first=True,
        curves={block: f"blocks.{block}" for block in every} if len(every) > 1 else None,
    )


def _remarks(every: Sequence[int], shown: Sequence[int]) -> list[str]:
    """How this differs from the paper's figure."""
    blocks = f"{' and '.join(map(str, shown))} of {len(every)}"
    if len(shown) > 2:
        blocks = f"{', '.join(map(str, shown[:-1]))} and {shown[-1]} of {len(every)}"
    remarks = [
        f"The paper shows spatial blocks {PAPER_BLOCKS}; here {blocks}"
        f"{', which have no middle one' if len(shown) == 2 else ''}.",
        "The input is not part of the paper's figure: it has inverted relations as well, from what "
        "moves to and fro and from the noise, which is another one in each frame.",
    ]
    if len(shown) < len(every):
        remarks.insert(1, "“Each further” is judged by all of them, not by those shown alone.")
    return remarks
