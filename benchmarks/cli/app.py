"""`latte-bench NAME`: one command for each table and figure of the paper, the demo and the speed.

Every command imports what it needs when it runs, so that `--help` is quick.
"""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from benchmarks.cells.scale import as_scale
from benchmarks.cli.figures import (
    Gpus,
    InitialiseFrom,
    OnlyAvailable,
    TrainingVae,
    add_figures,
)
from benchmarks.cli.options import ScaleOption, documents_folder
from benchmarks.cli.tables import add_tables
from evaluation.cli.options import DataRoot
from latte.data.command_line import new_app, run_app
from latte.data.errors import InputError, nearest


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
add_tables(app)  # first, as in the paper
add_figures(app)

Out = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder for the documents. [default: results/NAME]"),
]

Workers = Annotated[
    int | None,
    typer.Option(min=0, help="Processes that make the clips; 0 makes them here. [default: cores]"),
]
Device = Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")]
Store = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Features are kept here. [default: OUT/features]"),
]


@app.command()
def demo(
    out: Out = None,
    num_videos: Annotated[
        int, typer.Option(min=10, help="Clips of each set; fewer are faster and less certain.")
    ] = 256,
    workers: Workers = None,
    seed: Annotated[int, typer.Option(min=0, help="Of every random choice.")] = 0,
    device: Device = "cpu",
    store: Store = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Another model of shapes. [default: the shipped one]"),
    ] = None,
) -> None:
    """Every metric on a small Latte and on stand-in generators: a report in minutes.

    Uses the embedded data set and networks: needs no download, no GPU and no network access.
    """
    from benchmarks.demo import run as runner
    from evaluation.cli.options import workers_or_default

    request = runner.DemoRequest(
        num_videos=num_videos,
        workers=workers_or_default(workers),
        seed=seed,
        device=device,
        store=store,
        checkpoint=checkpoint,
    )
    runner.run(documents_folder("demo", out), request)


@app.command()
def training(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder that `latte train` wrote.")],
    fvd: Annotated[
        bool,
        typer.Option("--fvd", help="Measure FVD-shapes of every checkpoint as well; of shapes."),
    ] = False,
    num_videos: Annotated[
        int, typer.Option(min=2, help="Samples of each checkpoint, for --fvd.")
    ] = 256,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Of DDIM, for --fvd. [default: the demo's]")
    ] = None,
    guidance_scale: Annotated[
        float | None, typer.Option(min=0, help="For --fvd. [default: the demo's]")
    ] = None,
    workers: Workers = None,
    device: Device = "cpu",
    store: Store = None,
    out: Out = None,
) -> None:
    """What a run of `latte train` did: losses, what was measured, samples.

    latte-bench training runs/shapes --fvd
    """
    from benchmarks.studies.training import report as runner
    from evaluation.cli.options import workers_or_default

    runner.run(
        folder,
        out=documents_folder("training", out),
        fvd=fvd,
        num_videos=num_videos,
        steps=steps,
        guidance_scale=guidance_scale,
        workers=workers_or_default(workers),
        device=device,
        store=store,
    )


@app.command()
def protocols(
    real: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Real source videos: a folder of videos or of frame folders, or an array file; "
            "frames are prepared anew whatever they are stored as. [default: shapes, 80×60]",
        ),
    ] = None,
    fake: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Generated videos, likewise.")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Protocol that each choice starts from. [default: shapes; stylegan-v with --real]",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Change one of its fields; repeatable."),
    ] = None,
    network: Annotated[
        str | None, typer.Option(metavar="NAME", help="Network of clips. [default: the base's]")
    ] = None,
    weights: Annotated[Path | None, typer.Option(metavar="FILE", help="Its weights.")] = None,
    num_videos: Annotated[
        int | None,
        typer.Option(min=8, help="Clips of each set. [default: 256 of shapes; else the base's]"),
    ] = None,
    workers: Workers = None,
    device: Device = "cpu",
    store: Store = None,
    out: Out = None,
) -> None:
    """How far each single choice of a protocol moves FVD.

    Stride, resizing, storage, which and how many clips, layer, covariance, one at a time: a table
    and a tornado chart. Needs nothing: about five minutes on two cores.

    latte-bench protocols --real real_videos/ --fake my_videos/ --base latte
    """
    from benchmarks.studies.protocols import run as runner
    from evaluation.cli.options import workers_or_default

    runner.run(
        out=documents_folder("protocols", out),
        real=real,
        fake=fake,
        base=base,
        settings=settings or [],
        network_name=network,
        weights=weights,
        num_videos=num_videos,
        workers=workers_or_default(workers),
        device=device,
        store=store,
    )


@app.command()
def sensitivity(
    real: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Real videos: a folder of videos or of frame folders, or an array file. "
            "[default: shapes]",
        ),
    ] = None,
    network: Annotated[
        str | None, typer.Option(metavar="NAME", help="Network of clips. [default: shapes; or i3d]")
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(metavar="NETWORK=FILE", help="Weights of a network; repeatable."),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this metric; repeatable. [default: all]"),
    ] = None,
    num_videos: Annotated[
        int | None, typer.Option(min=20, help="Clips of each set. [default: 256, or what there is]")
    ] = None,
    draws: Annotated[int, typer.Option(min=3, help="Undistorted sets that say what is usual.")] = 8,
    workers: Workers = None,
    seed: Annotated[int, typer.Option(min=0, help="Of every random choice.")] = 0,
    device: Device = "cpu",
    store: Store = None,
    out: Out = None,
) -> None:
    """Which metric sees what: distorted real videos by every metric.

    Blur, noise, JPEG, … in space, freezing, shuffling, speed, … in time, at growing strength: from
    which strength on each metric notices. Needs nothing: about five minutes on two cores.

    latte-bench sensitivity --metric fvd --metric fid
    """
    from benchmarks.studies.sensitivity import run as runner
    from evaluation.cli.options import weights_by_network, workers_or_default

    runner.run(
        out=documents_folder("sensitivity", out),
        real=real,
        network_name=network,
        weights=weights_by_network(weights, network or ("shapes" if real is None else "i3d")),
        metrics=metric or [],
        num_videos=num_videos,
        draws=draws,
        workers=workers_or_default(workers),
        seed=seed,
        device=device,
        store=store,
    )


@app.command()
def coverage(
    repetitions: Annotated[
        int, typer.Option(min=2, help="Of each simulated case; 300 take about half an hour.")
    ] = 300,
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="Processes that share the cases. [default: cores]"),
    ] = None,
    out: Out = None,
) -> None:
    """How often the 95 % intervals cover the value that they are about, in simulations."""
    from benchmarks.studies import coverage as runner
    from evaluation.cli.options import workers_or_default

    folder = documents_folder("coverage", out)
    runner.run(out=folder, repetitions=repetitions, workers=workers_or_default(workers))


@app.command()
def speed(
    what: Annotated[
        str, typer.Argument(metavar="[evaluation|generator]", help="What is timed.")
    ] = "evaluation",
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Of the generator, a preset; repeatable. [default: Latte-B/2 and XL/2]",
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Of the generator: B/2 alone, few repetitions.")
    ] = False,
    compiled: Annotated[
        bool, typer.Option("--compile/--no-compile", help="Of the generator: torch.compile too.")
    ] = True,
    device: Annotated[str, typer.Option(help="Of the generator: auto, cpu, cuda …")] = "auto",
    out: Out = None,
) -> None:
    """Time and memory on this machine, beside what is promised or beside others.

    generator: forward, training step and sampling, ours beside the plain formulation and
    diffusers' blocks, as ratios of one run.
    """
    if what == "evaluation":
        from benchmarks.studies.speed import evaluation as runner

        runner.run(out=documents_folder("speed", out))
    elif what == "generator":
        from benchmarks.studies.speed import generator as speed_generator

        speed_generator.run(
            out=documents_folder("speed-generator", out),
            models=model,
            device=device,
            compiled=compiled,
            quick=quick,
        )
    else:
        raise InputError(
            f"nothing called {what!r} is timed: {nearest(what, ['evaluation', 'generator'])}"
        )


@app.command()
def reproduce(
    scale: ScaleOption = "tiny",
    seeds: Annotated[
        int, typer.Option(min=1, help="How often every design is trained anew; for figures.")
    ] = 3,
    workers: Workers = None,
    data_root: DataRoot = None,
    checkpoints: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="At paper scale: folder of the published models of Latte. [default: checkpoints]",
        ),
    ] = None,
    vae: TrainingVae = None,
    initialise_from: InitialiseFrom = None,
    gpus: Gpus = None,
    vbench: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]FILE", help="At paper scale: results of VBench for table4; repeatable."
        ),
    ] = None,
    only_available: OnlyAvailable = False,
    results: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder for the folders of all of them.")
    ] = Path("results"),
) -> None:
    """Every table and figure of the paper, the demo and what moves a number; then the report.

    Goes on where it was. One that fails costs no other, and fails the run at the end. Needs
    nothing at the scale tiny: under an hour on two cores. At the scale paper everything that any of
    them lacks is listed before anything starts.

    latte-bench reproduce --seeds 1
    """
    from benchmarks.reproduce import run as runner

    runner.run(
        documents_folder("", results, option="--results"),
        runner.ReproduceRequest(
            scale=as_scale(scale),
            seeds=seeds,
            workers=workers,
            only_available=only_available,
            data_root=data_root,
            checkpoints=checkpoints,
            vae=vae,
            initialise_from=initialise_from,
            gpus=gpus,
            vbench=tuple(vbench or ()),
        ),
    )


@app.command()
def report(
    results: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder with the folders of the commands.")
    ] = Path("results"),
    scale: Annotated[
        str, typer.Option("--scale", metavar="tiny|small|paper", help="Which results to show.")
    ] = "tiny",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder for the report. [default: that of the results; at other scales than tiny "
            "report-SCALE in it]",
        ),
    ] = None,
) -> None:
    """One report of all that was measured: report.md and report.html, with every .csv and .tex.

    Measures nothing: it reads what the other commands left.

    latte-bench report --results results
    """
    chosen = as_scale(scale)
    beside = results if chosen == "tiny" else results / f"report-{chosen}"
    # Results that can be read do, whether or not the report can be written beside them.
    option = "--out" if out is not None or results.is_dir() else "--results"
    folder = documents_folder("report", out or beside, option=option)
    from benchmarks.reproduce import report as collector

    collector.run(results=results, scale=chosen, out=folder)


def main() -> None:
    """Run the command line; ends the process with 0, 1 or 2."""
    run_app(app, "latte-bench")
