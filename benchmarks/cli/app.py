"""`latte-bench NAME`: one command for each runner of the registry, `reproduce` and `report`.

Every command imports what it needs when it runs, so that `--help` is quick.
"""

from collections.abc import Callable, Mapping
from inspect import Signature
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from benchmarks.cells.scale import Scale, as_scale, name_at
from benchmarks.cli.options import OPTIONS, documents_folder, field_of, flag, parameters
from benchmarks.runners import RUNNERS, Runner
from latte.data.command_line import new_app, run_app
from latte.data.errors import InputError, nearest


class Runners(TyperGroup):
    """The runners by name; an unknown name gets the nearest ones as an answer."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        command = super().get_command(ctx, cmd_name)
        if command is None:
            known = [name for name, command in self.commands.items() if not command.hidden]
            raise InputError(
                f"no table, figure or benchmark is called {cmd_name!r}: {nearest(cmd_name, known)}"
            )
        return command


app = new_app(
    "latte-bench",
    "Tables and figures of the paper beside measured results, a demo, and studies of the metrics.",
    cls=Runners,
)
REPRODUCE = Runner(
    name="reproduce",
    summary="Every table and figure of the paper and every study, then the report of all",
    details=(
        "Run it again to resume. A runner that fails does not stop the others, and fails the run "
        "at the end. Needs nothing at the scale tiny: under an hour on two cores. At the scale "
        "paper everything that any runner lacks is listed before anything starts.\n\n"
        "latte-bench reproduce --seeds 1"
    ),
    kind="study",
    options=(
        *("scale", "seeds", "workers", "data_root", "checkpoints", "vae", "initialise_from"),
        *("executor", "nodes", "gpus", "slurm", "vbench", "only_available", "results_folder"),
    ),
    module="benchmarks.reproduce.run",
    request="benchmarks.reproduce.request:ReproduceRequest",
)


def command_of(runner: Runner) -> Callable[..., None]:
    """The function of a command, whose parameters are the runner's options."""

    def command(**options: Any) -> None:
        changed = {key: value for key, value in options.items() if value not in ([], unset[key])}
        out, request = prepared(runner, changed)
        runner.run(out, request)

    signature = Signature(parameters(runner.options))
    unset = {name: option.default for name, option in signature.parameters.items()}
    command.__signature__ = signature  # type: ignore[attr-defined]
    return command


def prepared(runner: Runner, given: Mapping[str, Any]) -> tuple[Path, dict[str, Any]]:
    """The folder of a runner and the fields of its request, checked before anything heavy loads.

    Raises:
        InputError: no such scale or executor, an option that would have no effect, or a folder
            that cannot be written.
    """
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in given.items()
    }
    out = values.pop("out", None)
    scale: Scale = as_scale(values.get("scale", "tiny"))
    _refuse_ignored(runner, values, scale)
    _refuse_resources(runner, values)
    if "any_scale" in runner.options:
        values.pop("scale", None)
        scale = "tiny"
    elif "scale" in runner.options:
        values["scale"] = scale
    if "results_folder" in runner.options:
        folder = documents_folder("", out or Path("results"), option="--results")
    else:
        folder = documents_folder(name_at(runner.name, scale), out)
    return folder, values | _resolved(runner, values)


def _refuse_ignored(runner: Runner, given: Mapping[str, Any], scale: Scale) -> None:
    if runner.measures_only_if_asked and "scale" not in given:
        unused = [
            flag(key)
            for key in runner.options
            if field_of(key) in given and flag(key) != "--results"
        ]
        if unused:
            raise InputError(f"{', '.join(unused)}: nothing is measured without --scale, so add it")
    ignored = [
        flag(key) for key in runner.options if OPTIONS[key].paper_only and field_of(key) in given
    ]
    if ignored and scale != "paper":
        raise InputError(
            f"{', '.join(ignored)}: has an effect at paper scale only: leave it out, or add "
            "--scale paper"
        )


def _refuse_resources(runner: Runner, given: Mapping[str, Any]) -> None:
    from benchmarks.cells.executors import training_resources
    from latte.data.processes.cluster import Resources

    make = training_resources if "nodes" in runner.options else Resources
    make(**{key: given[key] for key in ("executor", "nodes", "gpus", "slurm") if key in given})


def _resolved(runner: Runner, values: Mapping[str, Any]) -> dict[str, Any]:
    """What the number of workers, the device and the weights stand for."""
    from evaluation.cli.options import device_or_default, weights_by_network, workers_or_default

    resolved: dict[str, Any] = {}
    if "workers" in runner.options and runner.name != "reproduce":
        resolved["workers"] = workers_or_default(values.get("workers"))
    if "device" in values:
        resolved["device"] = device_or_default(values["device"])
    if "network_weights" in runner.options:
        default = values.get("network") or ("i3d" if "real" in values else "shapes")
        resolved["weights"] = weights_by_network([*values.get("weights", ())], default)
    return resolved


for _runner in (*RUNNERS.values(), REPRODUCE):
    app.command(_runner.name, help=_runner.help)(command_of(_runner))
    if _runner.alias:
        app.command(_runner.alias, help=_runner.help, hidden=True)(command_of(_runner))


@app.command()
def report(
    results: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder with the folders of the commands.")
    ] = Path("results"),
    scale: Annotated[
        str, typer.Option(metavar="tiny|small|paper", help="Which results to show.")
    ] = "tiny",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder for the report. [default: the folder of the results; at other scales "
            "than tiny report-SCALE in it]",
        ),
    ] = None,
) -> None:
    """One report of all that was measured: report.md and report.html, with every .csv and .tex.

    Measures nothing: it reads what the other commands left.

    latte-bench report --results results
    """
    scale_name = as_scale(scale)
    beside = results if scale_name == "tiny" else results / f"report-{scale_name}"
    # A report can go elsewhere where the results can only be read.
    option = "--out" if out is not None or results.is_dir() else "--results"
    folder = documents_folder("report", out or beside, option=option)
    from benchmarks.reproduce.report import run

    run(results=results, scale=scale_name, out=folder)


@app.command(hidden=True)
def cell(
    job: Annotated[Path, typer.Argument(metavar="FILE", help="A file of the folder `jobs`.")],
    show: Annotated[bool, typer.Option("--show", help="Print its commands instead.")] = False,
) -> None:
    """Measure one cell of the scale `paper`, as --executor does for each of them.

    Run it again to resume.
    """
    from benchmarks.reproduce.cell import commands, measure_cell

    if show:
        print("\n".join(commands(job)))
    else:
        measure_cell(job)


def main() -> None:
    """Run the command line; ends the process with 0, 1 or 2."""
    run_app(app, "latte-bench")
