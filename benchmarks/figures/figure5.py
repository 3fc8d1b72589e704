"""Figure 5 of the paper: six design choices, each by FVD over training steps."""

from dataclasses import replace
from pathlib import Path

from benchmarks.cells.scale import Scale
from benchmarks.documents.claims import Claim, JudgedClaim
from benchmarks.figures.curve_claims import (
    END,
    ahead,
    drawing_nearer,
    highest,
    lower,
    lowest,
    ordered,
)
from benchmarks.figures.curve_documents import write_curve_figures
from benchmarks.figures.curves import CurveFigure, DesignCells, curves_of, measure_designs
from benchmarks.figures.designs import (
    ALL_TOKENS,
    BASELINE,
    COMPRESSION,
    FROM_IMAGES,
    ROTARY,
    SETUPS,
    STRIDES,
    VARIANTS,
)
from benchmarks.figures.requests import TrainingRequest

LETTERS = ("a", "b", "c", "d", "e", "f")
STAND_IN = (
    "A stand-in for ImageNet: the image model is a run on single frames (which is DiT), trained "
    "as long as the videos are, on {count:,} procedural images of two to four shapes of any kind, "
    "size and colour, which are not scenes of the data set."
)
WHICH_BLOCKS = (
    "The image model's weights go into the blocks of the same number, as the official loader has "
    "it; the paper does not say which."
)
AT_OWN_INTERVAL = (
    "Each model is measured against real clips at its own sampling interval, its own task. The "
    "paper does not say what its Figure 5e measures against; the official evaluation takes real "
    "clips at interval 3 whatever the model's. Against real clips at the baseline's interval "
    "({usual}), at the end: {others}."
)


def figure(letter: str, scale: Scale = "tiny") -> CurveFigure:
    """One of the six figures, as a scale shows it."""
    return {
        "a": _patches,
        "b": _conditioning,
        "c": _positions,
        "d": _initialisation,
        "e": _interval,
        "f": _variants,
    }[letter](scale)


def run(out: Path, request: TrainingRequest, *letters: str) -> list[JudgedClaim]:
    """Train what is not trained yet; write the documents of these figures into `out`.

    Returns:
        The paper's claims, judged.

    Raises:
        InputError: something is missing that the scale needs.
        FailedCellsError: cells failed; the documents of the others are written before.
    """
    figures = [figure(letter, request.scale) for letter in letters]
    cells = measure_designs(figures, request)
    shown = [_with_usual_interval(one, cells, request.scale) for one in figures]
    claims = write_curve_figures(shown, cells, request, out)
    cells.measured.raise_if_failed()
    return claims


def _patches(scale: Scale) -> CurveFigure:
    return CurveFigure(
        name="figure5a",
        number="5",
        letter="a",
        title="Patch embedding",
        designs={"uniform frame": BASELINE, "compression frame": COMPRESSION},
        claims=(
            Claim(
                text="Compression frame falls behind uniform frame over training",
                judge=ahead("uniform frame", "compression frame"),
            ),
            Claim(
                text="Compression frame is behind uniform frame in the end",
                judge=lower("uniform frame", "compression frame"),
            ),
        ),
        remarks=("Compression frame: tubes of 2 frames.",),
    )


def _conditioning(scale: Scale) -> CurveFigure:
    return CurveFigure(
        name="figure5b",
        number="5",
        letter="b",
        title="Timestep and class",
        designs={"S-AdaLN": BASELINE, "all tokens": ALL_TOKENS},
        claims=(
            Claim(
                text="S-AdaLN is better than all tokens in the end",
                judge=lower("S-AdaLN", "all tokens"),
            ),
            Claim(
                text="S-AdaLN is ahead over training (it converges faster)",
                judge=ahead("S-AdaLN", "all tokens"),
            ),
        ),
    )


def _positions(scale: Scale) -> CurveFigure:
    return CurveFigure(
        name="figure5c",
        number="5",
        letter="c",
        title="Temporal positions",
        designs={"absolute": BASELINE, "rotary": ROTARY},
        claims=(
            Claim(
                text="Absolute positions are slightly better than rotary ones",
                judge=lower("absolute", "rotary"),
            ),
        ),
    )


def _initialisation(scale: Scale) -> CurveFigure:
    start = "ImageNet" if scale == "paper" else "image model"
    count = SETUPS[scale].num_images
    return CurveFigure(
        name="figure5d",
        number="5",
        letter="d",
        title="Initialisation",
        designs={"random": BASELINE, start: FROM_IMAGES},
        claims=(
            Claim(
                text="Weights of an image model help at first (at the first checkpoint)",
                judge=lower(start, "random", place=0),
            ),
            Claim(
                text="Random weights are better in the end",
                judge=lower("random", start),
            ),
        ),
        remarks=(*(() if scale == "paper" else (STAND_IN.format(count=count),)), WHICH_BLOCKS),
    )


def _interval(scale: Scale) -> CurveFigure:
    labels = [f"interval {stride}" for stride in SETUPS[scale].strides]
    return CurveFigure(
        name="figure5e",
        number="5",
        letter="e",
        title="Sampling interval",
        designs=dict(zip(labels, STRIDES, strict=True)),
        claims=(
            Claim(
                text="Sampling intervals draw nearer to each other over training",
                judge=drawing_nearer(labels),
            ),
        ),
    )


def _variants(scale: Scale) -> CurveFigure:
    labels = [f"variant {number}" for number in (1, 2, 3, 4)]
    return CurveFigure(
        name="figure5f",
        number="5",
        letter="f",
        title="Variants",
        designs={"variant 1": BASELINE, **{f"variant {n}": each for n, each in VARIANTS.items()}},
        claims=(
            Claim(
                text="Variant 1 has the lowest FVD at the end",
                judge=lowest("variant 1", labels[1:]),
            ),
            Claim(
                text="Then come variant 3, variant 2, variant 4",
                judge=ordered(["variant 3", "variant 2", "variant 4"]),
            ),
            Claim(
                text="Variant 4 has the highest FVD at the end",
                judge=highest("variant 4", labels[:3]),
            ),
        ),
        remarks=("Variants 3 and 4 have the number of blocks that matches the parameters.",),
    )


def _with_usual_interval(one: CurveFigure, cells: DesignCells, scale: Scale) -> CurveFigure:
    """Figure 5e with what its models give against real clips at one interval for all."""
    if one.name != "figure5e":
        return one
    curves = curves_of(one, cells, stride=1)
    means = {label: curves.mean(label, END) for label in one.designs}
    others = ", ".join(f"{label} {mean.value:.4g}" for label, mean in means.items() if mean)
    usual = SETUPS[scale].config_of(BASELINE).data.stride
    remark = AT_OWN_INTERVAL.format(usual=usual, others=others or "not measured")
    return replace(one, remarks=(*one.remarks, remark))
