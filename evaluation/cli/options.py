"""Options of `latte-eval`: each is described once, and what belongs together is one bundle."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from latte.data.errors import InputError
from latte.data.processes.rank import Process

if TYPE_CHECKING:
    from evaluation.features.extraction import ExtractionOptions
    from evaluation.protocol.fields import Protocol
    from latte.data.processes.cluster import Resources
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
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Change one protocol field. Repeatable."),
]
Network = Annotated[
    str | None, typer.Option(metavar="NAME", help="Feature network. [default: the protocol's]")
]
Weights = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[NETWORK=]FILE",
        help="Weights of the network. Repeatable. [default: found in $LATTE_WEIGHTS, or fetched]",
    ),
]
TrustWeights = Annotated[
    bool,
    typer.Option(
        "--trust-weights",
        help="Run weights that are TorchScript, which is code, even if their hash is not "
        "published.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=0,
        metavar="N",
        help="Decoding processes; 0 decodes in the main process. [default: cores, at most 8]",
    ),
]
Device = Annotated[
    str, typer.Option(metavar="NAME", help="cpu, cuda, cuda:N, or auto: cuda if available.")
]
Resamples = Annotated[
    int,
    typer.Option(
        min=0, metavar="N", help="Bootstrap resamples for confidence intervals (0 disables them)."
    ),
]
Store = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder that keeps features. [default: $LATTE_STORE, else in $LATTE_CACHE or the "
        "user's cache]",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress bar.")]
SkipBroken = Annotated[
    bool, typer.Option("--skip-broken", help="Leave out broken or too short videos, and list them.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]


@dataclass(frozen=True, kw_only=True)
class SetOptions:
    """The two sets of videos."""

    dataset: Dataset = None
    real: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Real videos instead of --dataset: a folder of videos or of frame folders, or one "
            ".npy, .npz or .safetensors of uint8 (N, T, H, W, 3), or a file of statistics (mu, "
            "sigma).",
        ),
    ] = None
    fake: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Generated videos, of the same kinds as --real. [default: ./samples/<dataset>]",
        ),
    ] = None
    data_root: DataRoot = None

    def real_videos(self, protocol: "Protocol") -> "VideoSet | Path":
        """What `--real`, else `--dataset`, stands for; a path is that of a statistics file.

        With both, the videos are those of `--real`, and the result is filed under the data set.
        """
        from evaluation.measuring.choice import dataset_videos, videos_at
        from latte.data.datasets import dataset

        if self.dataset is not None:
            dataset(self.dataset)  # an unknown name is refused, used or not
        if self.real is not None:
            return videos_at(self.real)
        if self.dataset is None:
            raise InputError("no real videos: give --dataset NAME or --real PATH")
        return dataset_videos(self.dataset, protocol, self.data_root)

    def fake_videos(self) -> "VideoSet | Path":
        """What `--fake` stands for, by default `samples/<dataset>`."""
        from evaluation.measuring.choice import videos_at

        if self.fake is not None:
            return videos_at(self.fake)
        if self.dataset is None:
            raise InputError("no generated videos: give --fake PATH")
        path = Path("samples") / self.dataset
        if not path.exists():
            raise InputError(f"{path}: no generated videos there: give --fake PATH")
        return videos_at(path)


@dataclass(frozen=True, kw_only=True)
class ProtocolOptions:
    """The protocol and what changes it."""

    protocol: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Preset or .toml file. [default: stylegan-v; shapes for --dataset/--network "
            "shapes]",
        ),
    ] = None
    settings: Settings = None
    network: Network = None
    num_videos: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Clips of each set. [default: the protocol's]"),
    ] = None
    num_frames: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Frames of each clip. [default: the protocol's]"),
    ] = None
    seed: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Random seed. [default: the protocol's]")
    ] = None

    def protocol_for(self, sets: SetOptions) -> "Protocol":
        """The protocol, which depends on the real videos as well."""
        from evaluation.measuring.choice import choose_protocol

        return choose_protocol(**vars(self), dataset=sets.dataset, real=sets.real)


@dataclass(frozen=True, kw_only=True)
class ComputeOptions:
    """How features are extracted; none of it affects results on a CPU."""

    device: Device = "auto"
    batch_size: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", help="Clips in one pass; does not affect results on a CPU."
        ),
    ] = 8
    workers: Workers = None
    timeout: Annotated[
        float, typer.Option(min=1, metavar="S", help="Seconds that decoding one video may take.")
    ] = 120.0
    store: Store = None
    skip_broken: SkipBroken = False
    trust_weights: TrustWeights = False
    exact: Annotated[
        bool,
        typer.Option(
            "--exact",
            help="Run networks as published, not a faster implementation that agrees to rounding.",
        ),
    ] = False
    quiet: Quiet = False
    gpus: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Share the work among N processes, each with a GPU (with --device cpu without).",
        ),
    ] = None
    executor: Annotated[
        Literal["local", "slurm"],
        typer.Option(metavar="local|slurm", help="Run it here, or as a job of Slurm."),
    ] = "local"
    nodes: Annotated[
        int, typer.Option(min=1, metavar="N", help="Nodes of the job of Slurm, with --gpus each.")
    ] = 1
    slurm: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Option of sbatch, as partition=gpu. Repeatable."),
    ] = None

    def resources(self) -> "Resources":
        """Where the command runs, and in how many processes."""
        from latte.data.processes.cluster import Resources

        return Resources(
            executor=self.executor,
            nodes=self.nodes,
            gpus=self.gpus or 1,
            slurm=tuple(self.slurm or ()),
        )

    def launched(self) -> bool:
        """Whether the command was run elsewhere, because these options say so."""
        resources = self.resources()
        if resources.executor == "local" and self.gpus is None:
            return False
        from evaluation.cli.launching import launched

        return launched(resources, self.device)

    @contextmanager
    def extraction(self) -> "Iterator[ExtractionOptions]":
        """The same, with what stands for options that were left out, and the other processes."""
        from evaluation.features.distributed import joined
        from evaluation.features.extraction import ExtractionOptions
        from evaluation.features.store import default_store

        with joined() as processes:
            yield ExtractionOptions(
                store=self.store or default_store(),
                device=device_or_default(self.device, processes.process),
                batch_size=self.batch_size,
                workers=workers_or_default(self.workers),
                timeout=self.timeout,
                skip_broken=self.skip_broken,
                trust_weights=self.trust_weights,
                exact=self.exact,
                progress=not self.quiet and processes.is_first,
                processes=processes,
            )


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """Where results go."""

    name: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help="Name of the model in tables. [default: the name of --fake]"
        ),
    ] = None
    out: Annotated[Path, typer.Option(metavar="FILE", help="Results file to append to.")] = Path(
        "results.jsonl"
    )
    as_json: AsJson = False


def with_bundles(command: Callable[..., None]) -> Callable[..., None]:
    """The command with one option for each field of the bundles among its parameters."""
    bundles: dict[str, Any] = {}
    options: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        kind = parameter.annotation
        if isinstance(kind, type) and is_dataclass(kind):
            bundles[name] = kind
            options += inspect.signature(kind).parameters.values()
        else:
            options.append(parameter.replace(kind=parameter.KEYWORD_ONLY))

    @wraps(command)
    def flat(**values: Any) -> None:
        bundled = {
            name: bundle(**{field.name: values.pop(field.name) for field in fields(bundle)})
            for name, bundle in bundles.items()
        }
        run = next((each for each in bundled.values() if isinstance(each, ComputeOptions)), None)
        if run is not None and run.launched():
            return
        command(**values, **bundled)

    del flat.__wrapped__
    flat.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    flat.__annotations__ = {option.name: option.annotation for option in options}
    return flat


def weights_by_network(given: list[str] | None, default: str) -> dict[str, Path]:
    """Files by network; one without a network's name belongs to the default network."""
    from evaluation.networks.registry import NETWORKS

    files: dict[str, Path] = {}
    for text in given or []:
        name, separator, path = text.partition("=")
        named = bool(separator) and name in NETWORKS
        files[name if named else default] = Path(path if named else text)
    return files


def workers_or_default(given: int | None) -> int:
    """`--workers`, else one for each core of this process, at most 8."""
    from latte.data.processes.workers import default_workers

    return default_workers() if given is None else given


def device_or_default(name: str, process: Process | None = None) -> str:
    """The device that `auto` stands for; of several processes each has a GPU of its own."""
    from evaluation.networks.devices import default_device

    device = default_device() if name == "auto" else name
    if device == "cuda" and process is not None and process.world > 1:
        return f"cuda:{process.local_rank}"
    return device
