"""`latte-eval stats export | import | show`: one set's statistics as a file."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evaluation.cli.options import (
    AsJson,
    BatchSize,
    DataRoot,
    Dataset,
    Device,
    Fake,
    Network,
    NumFrames,
    NumVideos,
    ProtocolOption,
    Quiet,
    Real,
    Seed,
    Settings,
    SkipBroken,
    Store,
    Timeout,
    Weights,
    Workers,
    chosen_protocol,
    device_or_default,
    fake_videos,
    real_videos,
    weights_by_network,
    workers_or_default,
)
from latte.data.errors import InputError

if TYPE_CHECKING:
    from evaluation.statistics.file import StatisticsFile

StatisticsOut = Annotated[
    Path, typer.Option("--out", metavar="FILE", help="Ends in .safetensors or .npz.")
]


def stats_export(
    out: StatisticsOut,
    dataset: Dataset = None,
    real: Real = None,
    fake: Fake = None,
    protocol: ProtocolOption = None,
    settings: Settings = None,
    network: Network = None,
    weights: Weights = None,
    num_videos: NumVideos = None,
    num_frames: NumFrames = None,
    seed: Seed = None,
    as_json: AsJson = False,
    device: Device = "auto",
    batch_size: BatchSize = 8,
    workers: Workers = None,
    timeout: Timeout = 120.0,
    store: Store = None,
    skip_broken: SkipBroken = False,
    data_root: DataRoot = None,
    quiet: Quiet = False,
) -> None:
    """Measure one set of videos, and write its mean and covariance with how they were made.

    A real set by --dataset or --real, or a generated one by --fake. --real FILE and --fake FILE
    of the other commands take the file instead of the videos; other FID packages read its mu and
    sigma.

    latte-eval stats export --dataset ucf101 --out ucf101.safetensors
    """
    from evaluation.features.extraction import ExtractionOptions
    from evaluation.features.store import default_store
    from evaluation.statistics.export import ExportRequest, export_statistics

    if real is not None and fake is not None:
        raise InputError("--real and --fake: statistics are of one set: give one of the two")
    chosen = chosen_protocol(
        protocol, settings, dataset, network, num_videos, num_frames, seed, real
    )
    videos = fake_videos(dataset, fake) if fake else real_videos(dataset, real, data_root, chosen)
    if isinstance(videos, Path):
        raise InputError(f"{videos} is a statistics file already: `latte-eval stats show` reads it")
    file = export_statistics(
        ExportRequest(
            videos=videos,
            side="fake" if fake else "real",
            protocol=chosen,
            out=out,
            weights=weights_by_network(weights, chosen.network),
            at_least=num_videos or 1,
            dataset=dataset,
        ),
        ExtractionOptions(
            store=store or default_store(),
            device=device_or_default(device),
            batch_size=batch_size,
            workers=workers_or_default(workers),
            timeout=timeout,
            skip_broken=skip_broken,
            progress=not quiet,
        ),
    )
    _say_written(file, as_json)


def stats_import(
    source: Annotated[
        Path,
        typer.Argument(help="What pytorch-fid (mu, sigma) or clean-fid (also feats) wrote."),
    ],
    out: StatisticsOut,
    protocol: Annotated[
        str,
        typer.Option(metavar="NAME|FILE", help="Preset or .toml file by which it was made."),
    ],
    count: Annotated[
        int | None,
        typer.Option(min=2, metavar="N", help="Samples it was made of; needed with mu and sigma."),
    ] = None,
    network: Network = None,
    settings: Settings = None,
    dataset: Dataset = None,
    side: Annotated[
        str, typer.Option(help="real or fake: whose choice of clips the protocol describes.")
    ] = "real",
    covariance: Annotated[
        str,
        typer.Option(help="n or n-1: what their sigma is divided by; both packages take n-1."),
    ] = "n-1",
    as_json: AsJson = False,
) -> None:
    """Write another package's statistics as a file of ours, with the protocol that you state.

    A result that uses it says that its making is as stated by whoever imported it.

    latte-eval stats import theirs.npz --protocol stylegan-v-fid50k --count 50000 --out ours.npz
    """
    from evaluation.statistics.export import ImportRequest, import_statistics

    if side not in ("real", "fake"):
        raise InputError(f"--side {side}: it is real or fake")
    if covariance not in ("n", "n-1"):
        raise InputError(f"--covariance {covariance}: it is n or n-1")
    chosen = chosen_protocol(protocol, settings, dataset, network, None, None, None, None)
    if network is not None and not any(each.startswith("weights") for each in settings or []):
        chosen = _with_usual_weights(chosen)
    file = import_statistics(
        ImportRequest(
            source=source,
            out=out,
            protocol=chosen,
            side="real" if side == "real" else "fake",
            count=count,
            divisor=covariance,
            dataset=dataset,
        )
    )
    _say_written(file, as_json)


def stats_show(
    path: Annotated[Path, typer.Argument(help="A statistics file, of ours or of others.")],
    as_json: AsJson = False,
) -> None:
    """Print what a statistics file holds and how it was made."""
    from evaluation.statistics.file import is_statistics_file, read_statistics_file

    if not path.exists():
        raise InputError(f"{path}: no such file")
    if not is_statistics_file(path):
        raise InputError(f"{path}: no statistics file: it lacks mu and sigma")
    _print(read_statistics_file(path), as_json)


def described(file: "StatisticsFile") -> dict[str, Any]:
    """What there is to say of a statistics file, in reading order."""
    from dataclasses import asdict

    statistics, origin = file.statistics, file.origin
    found: dict[str, Any] = {
        "path": str(file.path),
        "sha256": file.digest,
        "features": len(statistics.mean),
        "count": statistics.count or None,
    }
    if origin is None:
        return found | {"made": "not said: `latte-eval stats import` adds it"}
    made = "as stated by whoever imported it" if origin.stated else "by latte-eval stats export"
    found |= {"made": made, "fingerprint": origin.fingerprint}
    found |= {key: value for key, value in asdict(origin).items() if key != "stated"}
    return found


def _say_written(file: "StatisticsFile", as_json: bool) -> None:
    found = described(file)
    if as_json:
        typer.echo(json.dumps(found))
        return
    count = found["count"] or "an unknown number of"
    typer.echo(
        f"wrote {file.path}: mean and covariance of {found['features']} features of {count} rows, "
        f"{found['protocol']} {found['fingerprint']} {found['made']} (`latte-eval stats show` "
        "prints all of it)"
    )


def _print(file: "StatisticsFile", as_json: bool) -> None:
    from tabulate import tabulate

    found = described(file)
    if as_json:
        typer.echo(json.dumps(found))
        return
    rows: list[tuple[str, object]] = []
    for key, value in found.items():
        if isinstance(value, dict):
            rows += [(f"{key}.{name}", part) for name, part in value.items()]
        else:
            rows.append((key, value))
    shown = [
        (key, _names(value) if isinstance(value, tuple) else value)
        for key, value in rows
        if value not in (None, "", ())
    ]
    typer.echo(tabulate(shown, tablefmt="plain", disable_numparse=True))


def _names(names: tuple[str, ...], most: int = 5) -> str:
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more


def _with_usual_weights(protocol: Any) -> Any:
    """The protocol with the weights that its network has unless others are named."""
    from dataclasses import replace

    from evaluation.networks.registry import network

    files = network(protocol.network).weight_files
    return replace(protocol, weights=files[0].file_name if files else "bundled")
