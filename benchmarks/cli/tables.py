"""The commands of the paper's tables.

Without `--scale` a table of published figures stands alone, or with the results that are given;
with it, what that scale can measure is measured as well.
"""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.cells.scale import Scale, as_scale
from benchmarks.cli.options import Out, folder_of
from evaluation.cli.options import DataRoot
from latte.data.errors import InputError

OptionalScale = Annotated[
    str | None,
    typer.Option(
        "--scale",
        metavar="tiny|small|paper",
        help="Measure as well. tiny: methods on the embedded data set, minutes on two cores; "
        "small: the same with more clips and more steps, about an hour on two cores; paper: the "
        "published weights on the paper's data sets, on a GPU.",
    ),
]
SameScale = Annotated[
    str, typer.Option("--scale", metavar="tiny|small|paper", help="Closed forms: all are the same.")
]
Results = Annotated[
    list[Path] | None,
    typer.Option(
        "--results",
        metavar="FILE",
        help="Results file of latte-eval; repeatable. Without one: published figures alone.",
    ),
]
VBenchResults = Annotated[
    list[str] | None,
    typer.Option(
        "--results",
        metavar="[NAME=]FILE",
        help="NAME_eval_results.json of VBench; repeatable, files of one name make one row.",
    ),
]
Seeds = Annotated[
    int,
    typer.Option(
        min=1,
        help="On shapes: repetitions with other real videos and other samples of the one model.",
    ),
]
NumVideos = Annotated[
    int | None,
    typer.Option(min=20, help="Clips of each set. [default: 256 at tiny; else the protocol's]"),
]
Checkpoint = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="On shapes: another model. [default: the shipped one]"),
]
Workers = Annotated[
    int | None,
    typer.Option(min=0, help="Processes that make the clips; 0 makes them here. [default: cores]"),
]
Device = Annotated[
    str | None,
    typer.Option(help="auto, cpu, cuda or cuda:N. [default: cuda at paper scale, else cpu]"),
]
Cells = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="What is measured already: tables share it. [default: results/methods; at other "
        "scales than tiny results/methods-SCALE]",
    ),
]
Store = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Features are kept here. [default: CELLS/features]"),
]
Checkpoints = Annotated[
    Path,
    typer.Option(metavar="DIR", help="At paper scale: folder of the published models of Latte."),
]
Vae = Annotated[
    str | None,
    typer.Option(
        metavar="DIR|NAME", help="At paper scale: Stable Diffusion's autoencoder, if not the hub's."
    ),
]
OnlyAvailable = Annotated[
    bool,
    typer.Option(
        "--only-available", help="At paper scale: measure what can be, leave the rest empty."
    ),
]


# Of the tables that results of latte-eval can stand in.
HELP = {
    "table3": """FVD of methods × data sets, the paper's and yours.

The paper's Table 3, with measured results below it. Also called fvd.

latte-bench table3 --results results.jsonl

latte-bench table3 --scale tiny""",
    "table5": """Inception Score on UCF101 and FID on FaceForensics, the paper's and yours.

The paper's Table 5, with measured results below it. Also called is-fid.

latte-bench table5 --results results.jsonl

latte-bench table5 --scale tiny""",
}


def add_tables(app: typer.Typer) -> None:
    """Put them into `latte-bench`."""
    for name, alias, command in (
        ("table1", "variants", table1),
        ("table2", "sizes", table2),
        ("table3", "fvd", published_table),
        ("table4", "vbench", table4),
        ("table5", "is-fid", published_table),
    ):
        app.command(name, help=HELP.get(name))(command)
        app.command(alias, help=HELP.get(name), hidden=True)(command)


def table1(scale: SameScale = "tiny", out: Out = None) -> None:
    """Parameters and FLOPs of the four variants, the paper's and ours.

    The paper's Table 1. Closed forms: nothing is trained or measured. Also called variants.
    """
    folder = folder_of("table1", _same(scale), out)
    from benchmarks.tables import table1 as table1_variants

    table1_variants.run(folder)


def table2(scale: SameScale = "tiny", out: Out = None) -> None:
    """Layers, width, heads and parameters of the sizes, the paper's and ours.

    The paper's Table 2. Closed forms: nothing is trained or measured. Also called sizes.
    """
    folder = folder_of("table2", _same(scale), out)
    from benchmarks.tables import table2 as table2_sizes

    table2_sizes.run(folder)


def published_table(
    context: typer.Context,
    results: Results = None,
    scale: OptionalScale = None,
    seeds: Seeds = 1,
    num_videos: NumVideos = None,
    checkpoint: Checkpoint = None,
    workers: Workers = None,
    device: Device = None,
    cells: Cells = None,
    store: Store = None,
    checkpoints: Checkpoints = Path("checkpoints"),
    data_root: DataRoot = None,
    vae: Vae = None,
    only_available: OnlyAvailable = False,
    out: Out = None,
) -> None:
    """The table that the command is called after."""
    chosen = None if scale is None else as_scale(scale)
    is_fvd = context.info_name in ("table3", "fvd")
    folder = folder_of("table3" if is_fvd else "table5", chosen or "tiny", out)
    from benchmarks.tables import table3 as table3_fvd
    from benchmarks.tables import table5 as table5_is_fid
    from benchmarks.tables.run import TableRequest
    from evaluation.cli.options import device_or_default, workers_or_default

    run = table3_fvd.run if is_fvd else table5_is_fid.run
    if chosen is None:
        _refuse_measuring_options(context)
        run(results or [], folder)
        return
    request = TableRequest(
        scale=chosen,
        cells=folder_of("methods", chosen, cells, option="--cells"),
        num_videos=num_videos,
        seeds=seeds,
        checkpoint=checkpoint,
        workers=workers_or_default(workers),
        device=device and device_or_default(device),
        store=store,
        checkpoints=checkpoints,
        data_root=data_root,
        vae=vae,
        only_available=only_available,
    )
    run(results or [], folder, request)


def table4(
    context: typer.Context,
    results: VBenchResults = None,
    scale: OptionalScale = None,
    seeds: Seeds = 1,
    num_videos: NumVideos = None,
    checkpoint: Checkpoint = None,
    workers: Workers = None,
    device: Device = None,
    cells: Cells = None,
    store: Store = None,
    out: Out = None,
) -> None:
    """VBench's dimensions for text-to-video models, the paper's and yours.

    VBench's own package measures; its results stand below the paper's. At the scales tiny and small
    VBench's formulas are measured on shapes as well, with stand-ins for its networks. Also called
    vbench.

    latte-bench table4 --results "my model=results_eval_results.json"

    latte-bench table4 --scale tiny
    """
    chosen = None if scale is None else as_scale(scale)
    folder = folder_of("table4", chosen or "tiny", out)
    from benchmarks.tables import table4 as table4_vbench
    from benchmarks.tables.run import TableRequest
    from evaluation.cli.options import device_or_default, workers_or_default

    if chosen in (None, "paper"):
        _refuse_measuring_options(context, chosen)
    if chosen is None:
        table4_vbench.run(results or [], folder)
        return
    request = TableRequest(
        scale=chosen,
        cells=folder_of("methods", chosen, cells, option="--cells"),
        num_videos=num_videos,
        seeds=seeds,
        checkpoint=checkpoint,
        workers=workers_or_default(workers),
        device=device and device_or_default(device),
        store=store,
    )
    table4_vbench.run(results or [], folder, request)


def _refuse_measuring_options(context: typer.Context, scale: Scale | None = None) -> None:
    """They would be ignored where nothing is measured.

    Raises:
        InputError: one is given.
    """
    given = [
        f"--{name.replace('_', '-')}"
        for name in context.params
        if name not in ("results", "scale", "out")
        and getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    ]
    if given:
        why = "without --scale; add it" if scale is None else f"at {scale} scale; leave it out"
        raise InputError(f"{', '.join(given)}: nothing is measured {why}")


def _same(scale: str) -> Scale:
    """The scale of a closed form: any of them, and all write to one place."""
    as_scale(scale)
    return "tiny"
