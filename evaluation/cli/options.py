"""Options that commands of `latte-eval` share, and what they stand for when they are not given."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latte.data.errors import InputError

if TYPE_CHECKING:
    from evaluation.protocol.fields import Protocol
    from latte.data.sources import VideoSet

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
        ".npy, .npz or .safetensors of uint8 (N, T, H, W, 3), or a file of statistics (mu, sigma).",
    ),
]
Fake = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="Generated videos, likewise. [default: ./samples/<dataset>]"),
]
Checkpoint = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Sample from this model of `latte` first, into --fake, and measure that.",
    ),
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
Weights = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[NETWORK=]FILE",
        help="Weights of the network; repeatable where there are several networks. "
        "[default: found in $LATTE_WEIGHTS, or fetched]",
    ),
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
Name = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Name of the model, for tables. [default: of --fake]"),
]
Out = Annotated[Path, typer.Option(metavar="FILE", help="Results file; a line is added to it.")]
Device = Annotated[
    str, typer.Option(metavar="NAME", help="cpu, cuda or cuda:N. [auto: cuda where there is one]")
]
BatchSize = Annotated[
    int, typer.Option(min=1, metavar="N", help="Clips at a time; on a CPU it moves no number.")
]
Timeout = Annotated[
    float, typer.Option(min=1, metavar="S", help="Seconds that one video may take.")
]
Resamples = Annotated[
    int,
    typer.Option(min=0, metavar="N", help="Samples drawn again for an interval; 0: no intervals."),
]
Store = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Features are kept here. [default: $LATTE_STORE, else the user's cache]",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bars.")]
SkipBroken = Annotated[
    bool,
    typer.Option(
        "--skip-broken", help="Leave out videos that are broken or too short, and list them."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]


def chosen_protocol(
    name: str | None,
    settings: list[str] | None,
    dataset: str | None,
    network: str | None,
    num_videos: int | None,
    num_frames: int | None,
    seed: int | None,
    real: Path | None,
) -> "Protocol":
    """The preset or file, with what the command line changes."""
    from dataclasses import replace

    from evaluation.networks.registry import network as network_spec
    from evaluation.protocol.fields import override
    from evaluation.protocol.presets import for_dataset, load_protocol
    from evaluation.statistics.file import stated_split

    embedded = dataset == "shapes" or (network or "").startswith("shapes")
    protocol = load_protocol(name or ("shapes" if embedded else "stylegan-v"))
    protocol = override(for_dataset(protocol, dataset), settings or [])
    changes: dict[str, Any] = {}
    if num_videos is not None:
        changes |= {"num_real": num_videos, "num_fake": num_videos}
    if num_frames is not None:
        changes["num_frames"] = num_frames
    if seed is not None:
        changes["seed"] = seed
    if real is not None:
        # Whichever it is, it was not taken from a data set here, unless statistics say so.
        changes["split"] = stated_split(real) or "given"
    if network is not None:
        spec = network_spec(network)
        changes |= {"network": network, "output": spec.output, "resize": spec.resize}
    return replace(protocol, **changes)


def real_videos(
    dataset: str | None, real: Path | None, data_root: Path | None, protocol: "Protocol"
) -> "VideoSet | Path":
    """What `--real`, else `--dataset`, stands for; a path is that of a statistics file.

    With both, the videos are those of `--real`, and the result is filed under the data set.
    """
    from latte.data import datasets

    known = None if dataset is None else datasets.dataset(dataset)
    if real is not None:
        return _open(real)
    if known is None:
        raise InputError("no real videos: give --dataset NAME or --real PATH")
    split = known.fvd_split if protocol.split == "published" else protocol.split
    root = data_root_or_default(data_root)
    return datasets.open_dataset(known.name, data_root=root, split=split)


def fake_videos(dataset: str | None, fake: Path | None) -> "VideoSet | Path":
    """What `--fake` stands for, by default `samples/<dataset>`."""
    if fake is None and dataset is None:
        raise InputError("no generated videos: give --fake PATH")
    path = fake or Path("samples") / str(dataset)
    if fake is None and not path.exists():
        raise InputError(f"{path}: no generated videos there; give --fake PATH")
    return _open(path)


def _open(path: Path) -> "VideoSet | Path":
    """The videos at a path; the path itself if it is that of a statistics file."""
    from evaluation.statistics.file import is_statistics_file
    from latte.data.sources import open_video_set

    return path if is_statistics_file(path) else open_video_set(path)


def data_root_or_default(given: Path | None) -> Path:
    """`--data-root`, else `$LATTE_DATA`, else `./data`."""
    return given or Path(os.environ.get("LATTE_DATA", "data"))


def weights_by_network(given: list[str] | None, default: str) -> dict[str, Path]:
    """Files by network; one without a name is that of the default network."""
    from evaluation.networks.registry import NETWORKS

    files: dict[str, Path] = {}
    for text in given or []:
        name, separator, path = text.partition("=")
        named = bool(separator) and name in NETWORKS
        files[name if named else default] = Path(path if named else text)
    return files


def workers_or_default(given: int | None) -> int:
    """`--workers`, else one for each core, at most 8."""
    return min(os.cpu_count() or 1, 8) if given is None else given


def device_or_default(name: str) -> str:
    """The device that `auto` stands for; any other name stays as it is."""
    if name != "auto":
        return name
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
