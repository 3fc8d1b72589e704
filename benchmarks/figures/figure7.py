"""Figure 7 of the paper: sizes of the model, by FVD over training steps."""

from pathlib import Path

from benchmarks.cells.scale import Scale
from benchmarks.documents.claims import Claim, JudgedClaim
from benchmarks.figures.curves.claims import lowest, ordered
from benchmarks.figures.curves.curves import CurveFigure
from benchmarks.figures.curves.documents import run_curve_figures
from benchmarks.figures.designs import SETUPS, SIZES
from benchmarks.figures.requests import TrainingRequest
from benchmarks.runners import RUNNERS

RUNNER = RUNNERS["figure7"]
STAND_INS = (
    "Stand-ins, about as many times larger than each other as the paper's S, B, L and XL, whose "
    "parameters are as 1 to 4 to 14 to 21: {sizes}."
)


def figure(scale: Scale = "tiny") -> CurveFigure:
    """The figure as a scale shows it: the baseline is one of its sizes."""
    labels = [f"Latte-{size}" for size in SIZES]
    return CurveFigure(
        name=RUNNER.name,
        title=RUNNER.topic,
        heading=RUNNER.title,
        designs=dict(zip(labels, SIZES.values(), strict=True)),
        claims=(
            Claim("Larger models have a lower FVD at the end", ordered(labels[::-1])),
            Claim("The largest has the lowest", lowest(labels[-1], labels[:-1])),
        ),
        remarks=() if scale == "paper" else (STAND_INS.format(sizes=_sizes(scale)),),
    )


def run(out: Path, request: TrainingRequest) -> list[JudgedClaim]:
    """Train what is not trained yet; write the documents into `out`.

    Raises:
        InputError, FailedCellsError: as `run_curve_figures`.
    """
    return run_curve_figures([figure(request.scale)], out, request)


def _sizes(scale: Scale) -> str:
    tables = {name: SETUPS[scale].config_of(size).model for name, size in SIZES.items()}
    return ", ".join(
        f"{name} {table.hidden_size} wide with {table.depth} blocks"
        for name, table in tables.items()
    )
