"""`latte-eval`: measure generated videos. Heavy imports happen in the commands that need them."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from evaluation.cli.compare import compare_results
from evaluation.cli.metrics import HELP, measure
from evaluation.cli.options import (
    AsJson,
    DataRoot,
    Dataset,
    Device,
    Fake,
    Network,
    NumFrames,
    NumVideos,
    ProtocolOption,
    Real,
    Seed,
    Settings,
    SkipBroken,
    Weights,
    Workers,
    chosen_protocol,
    data_root_or_default,
    device_or_default,
    fake_videos,
    real_videos,
    weights_by_network,
    workers_or_default,
)
from evaluation.cli.power import power
from evaluation.cli.similarity import similarity
from evaluation.cli.statistics import stats_export, stats_import, stats_show
from latte.data.command_line import new_app, run_app
from latte.data.errors import InputError

app = new_app("latte-eval", "Measure generated videos: a number, how it was made, its uncertainty.")
protocols_app = typer.Typer(no_args_is_help=True, help="Protocols: list, show, compare.")
app.add_typer(protocols_app, name="protocols")
networks_app = typer.Typer(help="Feature networks: list them, check their weights.")
app.add_typer(networks_app, name="networks")
stats_app = typer.Typer(no_args_is_help=True, help="Statistics of a set as one file.")
app.add_typer(stats_app, name="stats")


_OWN = {"similarity": similarity}  # a metric whose command does more than measure two sets
for _name, _help in HELP.items():
    app.command(_name, help=_help)(_OWN.get(_name, measure))
app.command("power")(power)
app.command("compare")(compare_results)
stats_app.command("export")(stats_export)
stats_app.command("import")(stats_import)
stats_app.command("show")(stats_show)


@app.command()
def clips(
    dataset: Dataset = None,
    real: Real = None,
    fake: Fake = None,
    protocol: ProtocolOption = None,
    settings: Settings = None,
    network: Network = None,
    num_videos: NumVideos = None,
    num_frames: NumFrames = None,
    seed: Seed = None,
    as_json: AsJson = False,
    workers: Workers = None,
    skip_broken: SkipBroken = False,
    data_root: DataRoot = None,
) -> None:
    """Print which frames of which videos would be measured.

    Decodes nothing.
    """
    from evaluation.features.extraction import ExtractionOptions
    from evaluation.features.sets import plan_set, some_of
    from evaluation.features.store import default_store

    chosen = chosen_protocol(
        protocol, settings, dataset, network, num_videos, num_frames, seed, real
    )
    options = ExtractionOptions(
        store=default_store(),
        workers=workers_or_default(workers),
        skip_broken=skip_broken,
        progress=False,
    )
    sets = []
    if dataset or real:
        sets.append(("real", real_videos(dataset, real, data_root, chosen)))
    if fake:
        sets.append(("fake", fake_videos(dataset, fake)))
    if not sets:
        raise InputError("no videos: give --dataset NAME, --real PATH or --fake PATH")
    rows: list[dict[str, Any]] = []
    left_out: dict[str, list[str]] = {}
    for label, videos in sets:
        if isinstance(videos, Path):
            raise InputError(f"{videos} is a statistics file: it has no clips to plan")
        selection = chosen.real_selection() if label == "real" else chosen.fake_selection()
        planned = plan_set(
            videos,
            selection,
            chosen.preparation(),
            options,
            label=label,
            at_least=num_videos or 1,
        )
        rows += [
            {"set": label, "index": index, "video": clip.video.name, "frames": list(clip.frames)}
            for index, clip in enumerate(planned.plan.clips)
        ]
        left_out[label] = [*planned.plan.too_short, *planned.plan.broken]
        if left_out[label]:
            typer.echo(f"note: {label}, left out: {some_of(left_out[label])}", err=True)
    if as_json:
        typer.echo(
            json.dumps({"fingerprint": chosen.fingerprint, "clips": rows, "left_out": left_out})
        )
        return
    for row in rows:
        frames = row["frames"]
        stride = frames[1] - frames[0] if len(frames) > 1 else 1
        span = f"{frames[0]}…{frames[-1]} by {stride}"
        typer.echo(f"{row['set']}\t{row['index']}\t{row['video']}\t{span}")


@app.command()
def prepare(
    source: Annotated[Path, typer.Argument(help="Folder of videos.")],
    target: Annotated[Path, typer.Argument(help="Folder to make: TARGET/<video>/000000.jpg.")],
    recipe: Annotated[
        str,
        typer.Option(
            help="stylegan-v: resize the short side, then crop; latte: crop, then resize."
        ),
    ],
    size: Annotated[int, typer.Option(min=1, help="Of the square frames, in pixels.")] = 256,
    image_format: Annotated[
        str, typer.Option("--format", help="jpg (quality 75, as the official tools) or png.")
    ] = "jpg",
    workers: Workers = None,
    skip_broken: SkipBroken = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Turn videos into folders of square frames, as StyleGAN-V or Latte do.

    Goes on where it was interrupted.
    """
    from latte.data.prepare import prepare_folder

    report = prepare_folder(
        source,
        target,
        recipe=recipe,
        size=size,
        image_format=image_format,
        workers=workers_or_default(workers),
        skip_broken=skip_broken,
        progress=not quiet,
    )
    typer.echo(report.sentence())


@app.command()
def datasets(data_root: DataRoot = None, as_json: AsJson = False) -> None:
    """Show each data set: found or not, and how to get it."""
    from dataclasses import asdict

    from latte.data.datasets import dataset_status

    statuses = dataset_status(data_root_or_default(data_root))
    if as_json:
        typer.echo(json.dumps([asdict(status) for status in statuses], default=str))
        return
    typer.echo("\n\n".join(status.text() for status in statuses))


@networks_app.callback(invoke_without_command=True)
def networks(context: typer.Context, as_json: AsJson = False) -> None:
    """Show each feature network and its weight files, or check them: networks verify."""
    if context.invoked_subcommand is not None:
        return
    from evaluation.networks.registry import NETWORKS

    rows: list[dict[str, Any]] = [
        {
            "name": spec.name,
            "title": spec.title,
            "features": spec.num_features,
            "output": spec.output,
            "weights": [file.file_name for file in spec.weight_files] or ["bundled"],
        }
        for spec in NETWORKS.values()
    ]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    from tabulate import tabulate

    table = [[*list(row.values())[:-1], " or ".join(row["weights"])] for row in rows]
    typer.echo(tabulate(table, headers=list(rows[0])))


@networks_app.command("verify")
def networks_verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="[default: those whose weights are here]"),
    ] = None,
    weights: Weights = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Files that some answers are made from (see docs/networks.md)."
        ),
    ] = None,
    device: Device = "auto",
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave out what takes minutes on a CPU.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check weight files against published outputs: expected, got, difference, verdict.

    latte-eval networks verify i3d --weights i3d_torchscript.pt
    """
    from dataclasses import asdict

    from evaluation.networks.known_answers import all_passed, table, verify
    from evaluation.networks.registry import NETWORKS
    from evaluation.networks.weights import is_here

    # Files of gigabytes are fetched for those who name the network, not for whoever asks for all.
    files = weights_by_network(weights, names[0] if names else "")
    if "" in files:
        raise InputError(f"--weights {files['']}: of which network? Name it, or give NETWORK=FILE")
    here = [name for name, spec in NETWORKS.items() if name in files or is_here(spec)]
    chosen = names or here
    place = device_or_default(device)
    checks = {}
    for name in chosen:
        checks[name] = verify(name, files.get(name), place, quick=quick, data=data)
        if not as_json:
            typer.echo(f"{name}\n{table(checks[name])}\n")
    if as_json:
        found = {name: [asdict(check) for check in each] for name, each in checks.items()}
        typer.echo(json.dumps(found))
    left_out = [name for name in NETWORKS if name not in chosen]
    if left_out and not names:
        typer.echo(f"note: no weights here of {', '.join(left_out)}: not checked", err=True)
    wrong = [name for name, each in checks.items() if not all_passed(each)]
    if wrong:
        raise InputError(
            f"{', '.join(wrong)}: the file of weights does not give what was published: fetch it "
            "again, and compare its hash"
        )


@protocols_app.command("list")
def protocols_list() -> None:
    """Name, fingerprint and description of each preset."""
    from tabulate import tabulate

    from evaluation.protocol.presets import PRESETS

    rows = [(preset.name, preset.fingerprint, preset.description) for preset in PRESETS.values()]
    typer.echo(tabulate(rows, headers=["protocol", "fingerprint", "what it is"]))


@protocols_app.command("show")
def protocols_show(
    name: Annotated[str, typer.Argument(help="Preset or .toml file.")],
    settings: Settings = None,
) -> None:
    """Print every field as a TOML file, which --protocol reads back."""
    from evaluation.protocol.fields import override, to_toml
    from evaluation.protocol.presets import load_protocol

    typer.echo(to_toml(override(load_protocol(name), settings or [])), nl=False)


@protocols_app.command("diff")
def protocols_diff(
    first: Annotated[str, typer.Argument(help="Preset or .toml file.")],
    second: Annotated[str, typer.Argument(help="Preset or .toml file.")],
) -> None:
    """Print the fields in which two protocols differ."""
    from tabulate import tabulate

    from evaluation.protocol.presets import load_protocol

    one, two = load_protocol(first), load_protocol(second)
    left, right = one.moving_fields(), two.moving_fields()
    rows = [(key, left[key], right[key]) for key in left if left[key] != right[key]]
    if rows:
        typer.echo(tabulate(rows, headers=["field", one.name, two.name], disable_numparse=True))
    else:
        typer.echo(f"{first} and {second} are the same protocol ({one.fingerprint})")


def main() -> None:
    """Entry point of `latte-eval`."""
    run_app(app, "latte-eval")
