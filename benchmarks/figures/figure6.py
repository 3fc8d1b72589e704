"""Figure 6 of the paper: frames after the spatial blocks of variant 2."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

from benchmarks.documents.claims import Claim
from benchmarks.figures.similarity.claims import changing
from benchmarks.figures.similarity.documents import run_similarity
from benchmarks.figures.similarity.probes import ProbeSpec, SimilarityFigure
from benchmarks.runners import RUNNERS

INPUT = "x_embedder"  # patches, before positions are added and any block is run
PAPER_BLOCKS = "0, 7 and 13 of 14"
CHANGING = ("mean", "variance", "inverted")  # numbers that the paper claims something about


def spatial_blocks(depth: int) -> tuple[int, ...]:
    """The first half of the blocks of variant 2."""
    return tuple(range(depth // 2))


def shown_blocks(depth: int) -> tuple[int, ...]:
    """The first, the middle and the last spatial block; fewer where there are fewer.

    >>> shown_blocks(28), shown_blocks(6), shown_blocks(4)
    ((0, 7, 13), (0, 1, 2), (0, 1))
    """
    blocks = spatial_blocks(depth)
    return tuple(dict.fromkeys((blocks[0], blocks[len(blocks) // 2], blocks[-1])))


def figure(depth: int) -> SimilarityFigure:
    """What the figure shows of networks of this depth."""
    blocks, labelled = spatial_blocks(depth), shown_blocks(depth)
    ends = tuple(dict.fromkeys((blocks[0], blocks[-1])))
    return SimilarityFigure(
        title=RUNNERS["figure6"].topic,
        parts={f"block {block}": f"blocks.{block}" for block in labelled},
        beside={"patches, the input": INPUT},
        curves={block: f"blocks.{block}" for block in blocks} if len(blocks) > 1 else {},
        changes=tuple(
            (number, f"blocks.{first}", f"blocks.{second}")
            for first, second in dict.fromkeys([*pairwise(blocks), *pairwise(ends)])
            for number in CHANGING
        ),
        claims=(
            Claim(
                "The mean falls with each further spatial block",
                changing("mean", blocks, rises=False, shown=labelled),
            ),
            Claim(
                "The variance grows with each further spatial block",
                changing("variance", blocks, rises=True, shown=labelled),
            ),
            Claim(
                "Inverted relations become more from the first to the last spatial block",
                changing("inverted", ends, rises=True),
            ),
        ),
        numbers=CHANGING,
        remarks=tuple(_remarks(blocks, labelled)),
        matrices_first=True,
    )


def _remarks(blocks: Sequence[int], shown: Sequence[int]) -> list[str]:
    """How this differs from the paper's figure."""
    remarks = [
        f"The paper shows spatial blocks {PAPER_BLOCKS}; here {', '.join(map(str, shown))} of "
        f"{len(blocks)}{', which have no middle one' if len(shown) == 2 else ''}.",
        "The input is not part of the paper's figure: it has inverted relations as well, from what "
        "moves to and fro and from the noise, which is another one in each frame.",
    ]
    if len(shown) < len(blocks):
        remarks.insert(1, "“Each further” is judged by all of them, not by those shown alone.")
    return remarks


SPEC = ProbeSpec(name="figure6", variant=2, at_depth=figure)
run = partial(run_similarity, SPEC)
