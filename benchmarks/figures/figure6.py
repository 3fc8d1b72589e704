"""Figure 6 of the paper: frames after the spatial blocks of variant 2."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from benchmarks.cells.cache import CellRecord
from benchmarks.documents.claims import Claim, JudgedClaim
from benchmarks.figures.similarity.claims import changing, changing_over
from benchmarks.figures.similarity.drawings import SimilarityFigure
from benchmarks.figures.similarity.numbers import ProbedNetworks
from benchmarks.figures.similarity.probes import Part, ProbeSpec
from benchmarks.figures.similarity.request import SimilarityRequest
from benchmarks.figures.similarity.run import run_similarity
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


def differences(depth: int, step: int) -> tuple[Difference, ...]:
    """Changes from each spatial block to the next, and from the first to the last."""
    blocks = spatial_blocks(depth)
    pairs = dict.fromkeys([*pairwise(blocks), (blocks[0], blocks[-1])] if len(blocks) > 1 else [])
    return tuple(
        Difference(number, (f"blocks.{first}", step), (f"blocks.{second}", step))
        for first, second in pairs
        for number in CHANGING
    )


SPEC = ProbeSpec(figure="figure6", variant=2, parts=parts, differences=differences)


def run(out: Path, request: SimilarityRequest) -> list[JudgedClaim]:
    """Look into the networks, train those that are missing; write the documents into `out`.

    Raises:
        InputError, FailedCellsError: as `run_similarity`.
    """
    return run_similarity(SPEC, figure, out, request)


def figure(cells: Sequence[CellRecord]) -> SimilarityFigure:
    """What the figure shows of networks of this depth."""
    depth = ProbedNetworks.of(cells).depth
    blocks, shown = spatial_blocks(depth), shown_blocks(depth)
    return SimilarityFigure(
        number="6",
        title="Spatial blocks of variant 2",
        parts=lambda probed: {f"block {block}": probed.at(f"blocks.{block}") for block in shown},
        beside=lambda probed: {"patches, the input": probed.at(INPUT)},
        numbers=CHANGING,
        claims=(
            Claim(
                "The mean falls with each further spatial block",
                changing("mean", blocks, rises=False, shown=shown),
            ),
            Claim(
                "The variance grows with each further spatial block",
                changing("variance", blocks, rises=True, shown=shown),
            ),
            Claim(
                "Inverted relations become more from the first to the last spatial block",
                changing_over("inverted", blocks, rises=True),
            ),
        ),
        remarks=tuple(_remarks(blocks, shown)),
        matrices_first=True,
        curves={block: f"blocks.{block}" for block in blocks} if len(blocks) > 1 else None,
    )


def _remarks(blocks: Sequence[int], shown: Sequence[int]) -> list[str]:
    """How this differs from the paper's figure."""
    listed = f"{' and '.join(map(str, shown))} of {len(blocks)}"
    if len(shown) > 2:
        listed = f"{', '.join(map(str, shown[:-1]))} and {shown[-1]} of {len(blocks)}"
    remarks = [
        f"The paper shows spatial blocks {PAPER_BLOCKS}; here {listed}"
        f"{', which have no middle one' if len(shown) == 2 else ''}.",
        "The input is not part of the paper's figure: it has inverted relations as well, from what "
        "moves to and fro and from the noise, which is another one in each frame.",
    ]
    if len(shown) < len(blocks):
        remarks.insert(1, "“Each further” is judged by all of them, not by those shown alone.")
    return remarks
