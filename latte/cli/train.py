"""`latte train`."""

import os
from pathlib import Path
from typing import Annotated

import typer


def train(
    config: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG",
            help="A configuration that comes with the package (see --list), or a .toml file.",
        ),
    ] = "",
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The run. [default: runs/CONFIG]")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="TABLE.FIELD=VALUE", help="Change a field; repeatable."),
    ] = None,
    data_root: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where data sets lie. [default: $LATTE_DATA, or data]"),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes that decode clips. [default: cores]")
    ] = None,
    evaluate: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:FUNCTION",
            help="Called every output.evaluate_every steps with the averaged network; its numbers "
            "go into the log, as benchmarks.studies.training.fvd:fvd does.",
        ),
    ] = None,
    list_configs: Annotated[
        bool, typer.Option("--list", help="List the configurations, and stop.")
    ] = False,
    show: Annotated[
        bool, typer.Option("--show", help="Print the configuration as it would be run, and stop.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Train a Latte, or go on where a run was left.

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
    chosen = load_config(config, settings or [])
    if show:
        typer.echo(to_toml(chosen))
        return
    from latte.training.callback import open_callback
    from latte.training.run import RunOptions
    from latte.training.run import train as run

    options = RunOptions(
        out=out or Path("runs") / Path(config).stem,
        data_root=data_root or Path(os.environ.get("LATTE_DATA", "data")),
        device=device,
        workers=default_workers(workers),
        evaluate=open_callback(evaluate, chosen),
        progress=not quiet,
    )
    last = run(chosen, options)
    if os.environ.get("RANK", "0") == "0":
        typer.echo(f"trained {chosen.training.steps} steps: {last}")


def default_workers(workers: int | None) -> int:
    """As many decoding processes as cores, up to 8; torchrun's processes share the cores."""
    if workers is not None:
        return workers
    processes = os.environ.get("LOCAL_WORLD_SIZE", "1")
    sharing = int(processes) if processes.isdigit() else 1
    return min(max((os.cpu_count() or 1) // max(sharing, 1), 1), 8)
