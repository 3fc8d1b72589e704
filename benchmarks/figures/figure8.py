"""Figure 8 of the paper: frames after the two attentions of a block of variant 4."""

from collections.abc import Mapping
from functools import partial

from benchmarks.documents.claims import Claim
from benchmarks.figures.similarity.claims import LOW, MUCH, differing, lowest, near_zero
from benchmarks.figures.similarity.documents import run_similarity
from benchmarks.figures.similarity.numbers import Part
from benchmarks.figures.similarity.probes import ProbeSpec, SimilarityFigure
from benchmarks.runners import RUNNERS
from evaluation.similarity import SitePair

PAPER_BLOCK, PAPER_DEPTH = 20, 23  # depth at which variant 4 has XL's parameters
BETWEEN = "between the two"


def shown_block(depth: int) -> int:
    """The block at the relative depth of the paper's block 20.

    >>> [shown_block(depth) for depth in (23, 5, 3, 1)]
    [20, 4, 2, 0]
    """
    return round(PAPER_BLOCK * (depth - 1) / (PAPER_DEPTH - 1))


def figure(depth: int) -> SimilarityFigure:
    """What the figure shows of networks of this depth."""
    block = shown_block(depth)
    # Outputs are taken before the gate, and before they are added.
    temporal, spatial = f"blocks.{block}.attn_temporal", f"blocks.{block}.attn"
    pair = SitePair(first=spatial, second=temporal, depth=block)
    parts: Mapping[str, Part] = {
        "temporal attention": temporal,
        "spatial attention": spatial,
        BETWEEN: pair,
    }
    return SimilarityFigure(
        title=RUNNERS["figure8"].topic,
        parts=parts,
        changes=tuple(("mean", pair, path) for path in (temporal, spatial)),
        claims=(
            Claim(
                "The three distributions differ strongly",
                differing(parts),
                meaning=f"Distributions differ strongly here if any two have less than {MUCH:g} in "
                "common, in bins of 0.05: the paper gives no number. The interval of the common "
                "part is rather too wide: over the clips it has all bins at one end of their own.",
            ),
            Claim(
                "The two attentions are less like each other than frames of either are",
                lowest(BETWEEN, parts),
            ),
            Claim(
                "Their mutual similarity is extremely low",
                near_zero(pair),
                meaning=f"A mean cosine within ±{LOW:g} is extremely low here: the paper gives no "
                "number.",
            ),
        ),
        numbers=("mean", "variance", "inverted", "same_frame"),
        remarks=(
            f"The paper shows block {PAPER_BLOCK}, of {PAPER_DEPTH} if its parameters were matched "
            f"as ours are; here block {block} of {depth}, counted from 0.",
            "Between the two: frame i after spatial attention with frame j after temporal "
            "attention, all pairs; “same frame” is i = j.",
        ),
        axes=("frame after temporal attention", "frame after spatial attention"),
    )


SPEC = ProbeSpec(name="figure8", variant=4, at_depth=figure)
run = partial(run_similarity, SPEC)
