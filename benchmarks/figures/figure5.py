"""Figure 5 of the paper: six design choices, each by FVD over training steps."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.cells.scale import Scale
from benchmarks.documents.claims import Claim, JudgedClaim
from benchmarks.figures.curves.claims import ahead, drawing_nearer, highest, lower, lowest, ordered
from benchmarks.figures.curves.curves import END, CurveFigure, Curves, curves_of
from benchmarks.figures.curves.documents import run_curve_figures
from benchmarks.figures.designs import (
    ALL_TOKENS,
    BASELINE,
    COMPRESSION,
    FROM_IMAGES,
    ROTARY,
    SETUPS,
    STRIDES,
    VARIANTS,
    Design,
    DesignCells,
)
from benchmarks.figures.requests import TrainingRequest
from benchmarks.runners import RUNNERS

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
    "({stride}), at the end: {others}."
)


def figures(scale: Scale = "tiny") -> dict[str, CurveFigure]:
    """The six figures by their letters, as a scale shows them."""
    stand_in = () if scale == "paper" else (STAND_IN.format(count=SETUPS[scale].num_images),)
    start = "ImageNet" if scale == "paper" else "image model"
    intervals = [f"interval {stride}" for stride in SETUPS[scale].strides]
    variants = [f"variant {number}" for number in (1, *VARIANTS)]
    panels = (
        _panel(
            "a",
            {"uniform frame": BASELINE, "compression frame": COMPRESSION},
            Claim(
                "Compression frame falls behind uniform frame over training",
                ahead("uniform frame", "compression frame"),
            ),
            Claim(
                "Compression frame is behind uniform frame in the end",
                lower("uniform frame", "compression frame"),
            ),
            remarks=("Compression frame: tubes of 2 frames.",),
        ),
        _panel(
            "b",
            {"S-AdaLN": BASELINE, "all tokens": ALL_TOKENS},
            Claim("S-AdaLN is better than all tokens in the end", lower("S-AdaLN", "all tokens")),
            Claim(
                "S-AdaLN is ahead over training (it converges faster)",
                ahead("S-AdaLN", "all tokens"),
            ),
        ),
        _panel(
            "c",
            {"absolute": BASELINE, "rotary": ROTARY},
            Claim(
                "Absolute positions are slightly better than rotary ones",
                lower("absolute", "rotary"),
            ),
        ),
        _panel(
            "d",
            {"random": BASELINE, start: FROM_IMAGES},
            Claim(
                "Weights of an image model help at first (at the first checkpoint)",
                lower(start, "random", place=0),
            ),
            Claim("Random weights are better in the end", lower("random", start)),
            remarks=(*stand_in, WHICH_BLOCKS),
        ),
        _panel(
            "e",
            dict(zip(intervals, STRIDES, strict=True)),
            Claim(
                "Sampling intervals draw nearer to each other over training",
                drawing_nearer(intervals),
            ),
            computed=partial(_at_baseline_interval, scale),
        ),
        _panel(
            "f",
            dict(zip(variants, (BASELINE, *VARIANTS.values()), strict=True)),
            Claim("Variant 1 has the lowest FVD at the end", lowest("variant 1", variants[1:])),
            Claim(
                "Then come variant 3, variant 2, variant 4",
                ordered(["variant 3", "variant 2", "variant 4"]),
            ),
            Claim("Variant 4 has the highest FVD at the end", highest("variant 4", variants[:3])),
            remarks=("Variants 3 and 4 have the number of blocks that matches the parameters.",),
        ),
    )
    return {panel.letter: panel for panel in panels}


def _panel(
    letter: str, designs: Mapping[str, Design], *claims: Claim[Curves], **more: Any
) -> CurveFigure:
    runner = RUNNERS[f"figure5{letter}"]
    return CurveFigure(
        name=runner.name,
        letter=letter,
        title=runner.topic,
        heading=runner.title,
        designs=designs,
        claims=claims,
        **more,
    )


def _at_baseline_interval(scale: Scale, figure: CurveFigure, cells: DesignCells) -> str:
    """What the models of Figure 5e give against real clips at one interval for all."""
    curves = curves_of(figure, cells, stride=1)
    means = {label: curves.mean(label, END) for label in figure.designs}
    others = ", ".join(f"{label} {mean.value:.4g}" for label, mean in means.items() if mean)
    stride = SETUPS[scale].config_of(BASELINE).data.stride
    return AT_OWN_INTERVAL.format(stride=stride, others=others or "not measured")


def run(out: Path, request: TrainingRequest, *letters: str) -> list[JudgedClaim]:
    """Train what is not trained yet; write the documents of these figures into `out`.

    Raises:
        InputError, FailedCellsError: as `run_curve_figures`.
    """
    panels = figures(request.scale)
    return run_curve_figures([panels[letter] for letter in letters], out, request)
