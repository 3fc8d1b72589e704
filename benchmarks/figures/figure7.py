"""Figure 7 of the paper: sizes of the model, by FVD over training steps."""

from pathlib import Path

from benchmarks.cells.scale import Scale
from benchmarks.documents.claims import Claim, Finding
from benchmarks.figures.ablations import Ablation, Request, make_cells
from benchmarks.figures.curve_claims import lowest, ordered
from benchmarks.figures.designs import SETUPS, SIZES

STAND_INS = (
    "Stand-ins, about as many times larger than each other as the paper's S, B, L and XL, whose "
    "parameters are as 1 to 4 to 14 to 21: {sizes}."
)


def ablation(scale: Scale = "tiny") -> Ablation:
    """The figure as a scale shows it: the baseline is one of its sizes."""
    labels = [f"Latte-{size}" for size in SIZES]
    return Ablation(
        name="figure7",
        title="Model size",
        designs=dict(zip(labels, SIZES.values(), strict=True)),
        claims=(
            Claim(text="Larger models have a lower FVD at the end", judge=ordered(labels[::-1])),
            Claim(text="The largest has the lowest", judge=lowest(labels[-1], labels[:-1])),
        ),
        remarks=() if scale == "paper" else (STAND_INS.format(sizes=_sizes(scale)),),
    )


def run(out: Path, request: Request) -> list[Finding]:
    """Train what is not trained yet; write the documents into `out`.

    Raises:
        InputError, typer.Exit: as `benchmarks.figures.figure5.run`.
    """
    from benchmarks.figures.ablation_documents import write_ablations

    figure = ablation(request.scale)
    cells = make_cells([figure], request)
    found = write_ablations([figure], cells, request, out)
    cells.finished.raise_if_failed()
    return found


def _sizes(scale: Scale) -> str:
    tables = {name: SETUPS[scale].config_of(size).model for name, size in SIZES.items()}
    return ", ".join(
        f"{name} {table.hidden_size} wide with {table.depth} blocks"
        for name, table in tables.items()
    )
