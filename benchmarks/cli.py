"""`latte-bench NAME`: one command for each table and figure of the paper, the demo and the speed.

Every command imports what it needs when it runs, so that `--help` is quick.
"""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from latte.data.command_line import nearest, new_app, run_app
from latte.data.errors import InputError


class Runners(TyperGroup):
    """The runners by name; an unknown name gets the nearest ones as an answer."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        command = super().get_command(ctx, cmd_name)
        if command is None:
            known = [name for name, found in self.commands.items() if not found.hidden]
            raise InputError(
                f"no table, figure or benchmark is called {cmd_name!r}: {nearest(cmd_name, known)}"
            )
        return command


app = new_app(
    "latte-bench",
    "Tables and figures of the paper beside measured results, a demo, and the speed.",
    cls=Runners,
)

Out = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder for the documents. [default: results/NAME]"),
]


Results = Annotated[
    list[Path] | None,
    typer.Option(
        "--results",
        metavar="FILE",
        help="Results file of latte-eval; repeatable. Without one: published figures alone.",
    ),
]


@app.command()
def table3(results: Results = None, out: Out = None) -> None:
    """FVD of methods × data sets, the paper's and yours.

    The paper's Table 3, with measured results below it. Also called fvd.

    latte-bench table3 --results results.jsonl
    """
    from benchmarks import table3_fvd

    table3_fvd.run(results or [], _folder(out, "table3"))


app.command("fvd", hidden=True)(table3)


@app.command()
def demo(
    out: Out = None,
    num_videos: Annotated[
        int, typer.Option(min=2, help="Clips of each set; fewer are faster and less certain.")
    ] = 512,
    workers: Annotated[
        int, typer.Option(min=0, help="Processes that make the videos; 0 makes them here.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of every random choice.")] = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    store: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Features are kept here. [default: OUT/features]"),
    ] = None,
) -> None:
    """Every metric on stand-in generators: a report in minutes.

    Uses the embedded data set and networks: needs no download, no GPU and no network access.
    """
    from benchmarks import demo as runner

    runner.run(
        out=_folder(out, "demo"),
        num_videos=num_videos,
        workers=workers,
        seed=seed,
        device=device,
        store=store,
    )


@app.command()
def speed(out: Out = None) -> None:
    """Time and memory on this machine, beside what is promised."""
    from benchmarks import speed as runner

    runner.run(out=_folder(out, "speed"))


def _folder(out: Path | None, name: str) -> Path:
    """The folder for documents: checked before the work, made when there is something to write."""
    folder = out if out is not None else Path("results") / name
    for place in (folder, *folder.parents):
        if place.exists() and not place.is_dir():
            raise InputError(f"{place} is a file, not a folder: choose another --out")
    return folder


def main() -> None:
    """Run the command line; ends the process with 0, 1 or 2."""
    run_app(app, "latte-bench")
