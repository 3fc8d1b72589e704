"""`latte-eval`: measure generated videos. Heavy imports happen in the commands that need them."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latte.data.command_line import run_app
from latte.data.errors import InputError

if TYPE_CHECKING:
    from evaluation.protocol import Protocol
    from latte.data.sources import VideoSet

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Measure generated videos: a number, how it was made, and its uncertainty.",
)
protocols_app = typer.Typer(no_args_is_help=True, help="Protocols: list, show, compare.")
app.add_typer(protocols_app, name="protocols")

Dataset = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Real videos: a data set by name (see `latte-eval datasets`)."
    ),
]
DataRoot = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Folder of the data sets. [default: $LATTE_DATA, else ./data]"
    ),
]
Real = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH",
        help="Real videos instead of --dataset: a folder of videos or of frame folders, or one "
        ".npy, .npz or .safetensors of uint8 (N, T, H, W, 3).",
    ),
]
Fake = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="Generated videos, likewise. [default: ./samples/<dataset>]"),
]
ProtocolOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE",
        help="Preset or .toml file. [default: stylegan-v; shapes for --dataset/--network shapes]",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Change one protocol field; repeatable."),
]
Network = Annotated[
    str | None, typer.Option(metavar="NAME", help="Feature network. [default: the protocol's]")
]
NumVideos = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Clips of each set. [default: the protocol's]"),
]
NumFrames = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Frames of each clip. [default: the protocol's]"),
]
Seed = Annotated[
    int | None,
    typer.Option(min=0, metavar="N", help="Of every random choice. [default: the protocol's]"),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=0,
        metavar="N",
        help="Decoding processes; 0 decodes in this one. [default: cores, at most 8]",
    ),
]
SkipBroken = Annotated[
    bool,
    typer.Option(
        "--skip-broken", help="Leave out videos that are broken or too short, and list them."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"latte-eval {version('latte-eval')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
def fvd(
    dataset: Dataset = None,
    real: Real = None,
    fake: Fake = None,
    protocol: ProtocolOption = None,
    settings: Settings = None,
    network: Network = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Weights of the network. [default: found in $LATTE_WEIGHTS, or fetched]",
        ),
    ] = None,
    num_videos: NumVideos = None,
    num_frames: NumFrames = None,
    seed: Seed = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Name of the model, for tables. [default: of --fake]"),
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Results file; a line is added to it.")
    ] = Path("results.jsonl"),
    as_json: AsJson = False,
    device: Annotated[
        str,
        typer.Option(metavar="NAME", help="cpu, cuda or cuda:N. [auto: cuda where there is one]"),
    ] = "auto",
    batch_size: Annotated[
        int, typer.Option(min=1, metavar="N", help="Clips decoded at a time; moves no number.")
    ] = 8,
    workers: Workers = None,
    timeout: Annotated[
        float, typer.Option(min=1, metavar="S", help="Seconds that one video may take.")
    ] = 120.0,
    resamples: Annotated[
        int, typer.Option(min=0, metavar="N", help="Of the bootstrap interval; 0 for none.")
    ] = 1000,
    store: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Features are kept here. [default: $LATTE_STORE, else the user's cache]",
        ),
    ] = None,
    skip_broken: SkipBroken = False,
    data_root: DataRoot = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bars.")] = False,
) -> None:
    """Measure the Fréchet video distance of generated videos from real ones.

    Lower is better.

    latte-eval fvd --dataset ucf101 --fake samples/ucf101

    latte-eval fvd --real real/ --fake fake/ --protocol shapes
    """
    from evaluation.extraction import RunOptions
    from evaluation.run import FvdRequest, run_fvd
    from evaluation.store import default_store

    chosen = _protocol(protocol, settings, dataset, network, num_videos, num_frames, seed)
    options = RunOptions(
        store=store or default_store(),
        device=_device(device),
        batch_size=batch_size,
        workers=_workers(workers),
        timeout=timeout,
        skip_broken=skip_broken,
        progress=not quiet,
    )
    real_set = _real_videos(dataset, real, data_root, chosen)
    fake_set = _fake_videos(dataset, fake)
    result = run_fvd(
        FvdRequest(
            real=real_set,
            fake=fake_set,
            protocol=chosen,
            weights=weights,
            at_least=num_videos or 1,
            dataset=dataset,
            model=name or fake_set.name,
            resamples=resamples,
            out=out,
        ),
        options,
    )
    typer.echo(result.to_json() if as_json else result.sentence())


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
    from evaluation.extraction import RunOptions
    from evaluation.measure import plan_set
    from evaluation.store import default_store

    chosen = _protocol(protocol, settings, dataset, network, num_videos, num_frames, seed)
    options = RunOptions(
        store=default_store(), workers=_workers(workers), skip_broken=skip_broken, progress=False
    )
    sets = []
    if dataset or real:
        sets.append(("real", _real_videos(dataset, real, data_root, chosen)))
    if fake:
        sets.append(("fake", _fake_videos(dataset, fake)))
    if not sets:
        raise InputError("no videos: give --dataset NAME, --real PATH or --fake PATH")
    rows: list[dict[str, Any]] = []
    for label, videos in sets:
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
    if as_json:
        typer.echo(json.dumps({"fingerprint": chosen.fingerprint, "clips": rows}))
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
        workers=_workers(workers),
        skip_broken=skip_broken,
        progress=not quiet,
    )
    typer.echo(report.sentence())


@app.command()
def datasets(data_root: DataRoot = None, as_json: AsJson = False) -> None:
    """Show each data set: found or not, and how to get it."""
    from dataclasses import asdict

    from latte.data.datasets import dataset_status

    statuses = dataset_status(_data_root(data_root))
    if as_json:
        typer.echo(json.dumps([asdict(status) for status in statuses], default=str))
        return
    typer.echo("\n\n".join(status.text() for status in statuses))


@app.command()
def networks(as_json: AsJson = False) -> None:
    """Show each feature network and its weight files."""
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


@protocols_app.command("list")
def protocols_list() -> None:
    """Name, fingerprint and description of each preset."""
    from tabulate import tabulate

    from evaluation.presets import PRESETS

    rows = [(preset.name, preset.fingerprint, preset.description) for preset in PRESETS.values()]
    typer.echo(tabulate(rows, headers=["protocol", "fingerprint", "what it is"]))


@protocols_app.command("show")
def protocols_show(
    name: Annotated[str, typer.Argument(help="Preset or .toml file.")],
    settings: Settings = None,
) -> None:
    """Print every field as a TOML file, which --protocol reads back."""
    from evaluation.presets import load_protocol
    from evaluation.protocol import override, to_toml

    typer.echo(to_toml(override(load_protocol(name), settings or [])), nl=False)


@protocols_app.command("diff")
def protocols_diff(
    first: Annotated[str, typer.Argument(help="Preset or .toml file.")],
    second: Annotated[str, typer.Argument(help="Preset or .toml file.")],
) -> None:
    """Print the fields in which two protocols differ."""
    from tabulate import tabulate

    from evaluation.presets import load_protocol

    one, two = load_protocol(first), load_protocol(second)
    left, right = one.moving_fields(), two.moving_fields()
    rows = [(key, left[key], right[key]) for key in left if left[key] != right[key]]
    if rows:
        typer.echo(tabulate(rows, headers=["field", one.name, two.name], disable_numparse=True))
    else:
        typer.echo(f"{first} and {second} are the same protocol ({one.fingerprint})")


def _protocol(
    name: str | None,
    settings: list[str] | None,
    dataset: str | None,
    network: str | None,
    num_videos: int | None,
    num_frames: int | None,
    seed: int | None,
) -> "Protocol":
    """The preset or file, with what the command line changes."""
    from dataclasses import replace

    from evaluation.networks.registry import network as network_spec
    from evaluation.presets import load_protocol
    from evaluation.protocol import override

    embedded = "shapes" in (dataset, network)
    protocol = load_protocol(name or ("shapes" if embedded else "stylegan-v"))
    protocol = override(protocol, settings or [])
    changes: dict[str, Any] = {}
    if num_videos is not None:
        changes |= {"num_real": num_videos, "num_fake": num_videos}
    if num_frames is not None:
        changes["num_frames"] = num_frames
    if seed is not None:
        changes["seed"] = seed
    if network is not None:
        changes |= {"network": network, "output": network_spec(network).output}
    return replace(protocol, **changes)


def _real_videos(
    dataset: str | None, real: Path | None, data_root: Path | None, protocol: "Protocol"
) -> "VideoSet":
    from latte.data.datasets import dataset as known_dataset
    from latte.data.datasets import open_dataset
    from latte.data.sources import open_video_set

    if dataset is not None:
        known = known_dataset(dataset)
    if real is not None:
        return open_video_set(real)
    if dataset is None:
        raise InputError("no real videos: give --dataset NAME or --real PATH")
    split = known.fvd_split if protocol.split == "published" else protocol.split
    return open_dataset(dataset, data_root=_data_root(data_root), split=split)


def _fake_videos(dataset: str | None, fake: Path | None) -> "VideoSet":
    from latte.data.sources import open_video_set

    if fake is None and dataset is None:
        raise InputError("no generated videos: give --fake PATH")
    path = fake or Path("samples") / str(dataset)
    if fake is None and not path.exists():
        raise InputError(f"{path}: no generated videos there; give --fake PATH")
    return open_video_set(path)


def _data_root(given: Path | None) -> Path:
    return given or Path(os.environ.get("LATTE_DATA", "data"))


def _workers(given: int | None) -> int:
    return min(os.cpu_count() or 1, 8) if given is None else given


def _device(name: str) -> str:
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return name


def main() -> None:
    """Entry point of `latte-eval`."""
    run_app(app, "latte-eval")
