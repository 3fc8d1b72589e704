"""`latte train`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from latte.cli.options import DataRoot, Device, Quiet


def train(
    config: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG", help="Bundled configuration (see --list), or a .toml file."
        ),
    ] = "",
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the run. [default: runs/CONFIG]")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="TABLE.FIELD=VALUE", help="Change a field. Repeatable."),
    ] = None,
    data_root: DataRoot = Path("data"),
    device: Device = "auto",
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=0, help="Processes that decode clips. [default: cores, up to 8]"
        ),
    ] = None,
    evaluate: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:FUNCTION",
            help="Function to call with the averaged network every output.evaluate_every steps, "
            "whose numbers go into the log, as those of benchmarks.shapes.training_fvd:fvd.",
        ),
    ] = None,
    skip_broken: Annotated[
        bool,
        typer.Option(
            "--skip-broken",
            help="Leave out videos that cannot be read (data.skip_broken=true).",
        ),
    ] = False,
    list_configs: Annotated[
        bool, typer.Option("--list", help="List the bundled configurations and exit.")
    ] = False,
    show: Annotated[
        bool, typer.Option("--show", help="Print the configuration with all changes and exit.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Train a Latte, or resume an interrupted run.

    latte train shapes --out runs/shapes

    torchrun --nproc_per_node 8 -m latte train ucf101 --data-root data
    """
    from latte.data.errors import InputError
    from latte.training.config import config_names, load_config, to_toml

    if list_configs:
        typer.echo("\n".join(config_names()))
        return
    if not config:
        raise InputError(f"give a configuration: {', '.join(config_names())}, or a .toml file")
    changes = [*(settings or []), *["data.skip_broken=true"] * skip_broken]
    configuration = load_config(config, changes)
    if show:
        typer.echo(to_toml(configuration))
        return
    from latte.data.processes.workers import default_workers
    from latte.training.run import RunOptions
    from latte.training.run import train as run
    from latte.training.snapshot import open_callback

    options = RunOptions(
        out=out or Path("runs") / Path(config).stem,
        data_root=data_root,
        device=device,
        workers=default_workers() if workers is None else workers,
        evaluate=open_callback(evaluate, configuration),
        progress=not quiet,
    )
    last = run(configuration, options)
    if os.environ.get("RANK", "0") == "0":
        typer.echo(f"trained {configuration.training.steps} steps: {last}")
