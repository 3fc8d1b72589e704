"""Figure 6 of the paper: frames after the spatial blocks of variant 2."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.claims import Finding
from benchmarks.finished import FinishedCell
from benchmarks.frame_similarity import Look, Part, SimilarityRequest, run_similarity

if TYPE_CHECKING:
    from benchmarks.similarity_drawings import SimilarityFigure

INPUT = "x_embedder"  # patches, before positions are added and any block is run
PAPER_BLOCKS = "0, 7 and 13 of 14"


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


LOOK = Look(figure="figure6", variant=2, parts=parts, in_order=shown_blocks)


def run(out: Path, request: SimilarityRequest) -> list[Finding]:
    """Look into the networks, train those that are missing; write the documents into `out`.

    Returns:
        The paper's claims, judged at each timestep.

    Raises:
        InputError: something is missing that the scale needs, or networks could not be measured
            for a reason that the user can mend; what was measured is written before.
        typer.Exit: networks could not be measured by a fault of ours.
    """
    return run_similarity(LOOK, figure, out, request)


def figure(cells: Sequence[FinishedCell]) -> "SimilarityFigure":
    """What the figure shows of networks of this depth."""
    from benchmarks.similarity_claims import Networks, SimilarityClaim, changing
    from benchmarks.similarity_drawings import SimilarityFigure

    depth = Networks.of(cells).depth
    every, blocks = spatial_blocks(depth), shown_blocks(depth)
    return SimilarityFigure(
        look=LOOK,
        title="Spatial blocks of variant 2",
        parts=lambda networks, step: {
            f"block {block}": networks.at(f"blocks.{block}", step) for block in blocks
        },
        beside=lambda networks, step: {"patches, the input": networks.at(INPUT, step)},
        numbers=("mean", "variance", "inverted"),
        claims=(
            SimilarityClaim(
                text="The mean falls with each further spatial block",
                judge=changing("mean", blocks, rises=False),
            ),
            SimilarityClaim(
                text="The variance grows with each further spatial block",
                judge=changing("variance", blocks, rises=True),
            ),
            SimilarityClaim(
                text="Inverted relations become more from the first to the last spatial block",
                judge=changing("inverted", blocks, rises=True, ends_only=True),
            ),
        ),
        remarks=(
            f"The paper shows blocks {PAPER_BLOCKS} spatial ones; here "
            f"{' and '.join(map(str, blocks))} of {len(every)}"
            f"{', which have no middle one' if len(blocks) == 2 else ''}.",
            "The input is not part of the paper's figure: it has inverted relations as well, from "
            "what moves to and fro and from the noise, which is another one in each frame.",
        ),
        matrices_first=True,
        curves={block: f"blocks.{block}" for block in every} if len(every) > 1 else None,
    )
