"""`latte-eval stats export | import | show`: one set's statistics as a file."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from evaluation.cli.options import (
    AsJson,
    ComputeOptions,
    Dataset,
    Network,
    ProtocolOptions,
    SetOptions,
    Settings,
    Weights,
    weights_by_network,
    with_bundles,
)
from latte.data.errors import InputError, escaped, some_of

if TYPE_CHECKING:
    from evaluation.statistics.file import StatisticsFile

StatisticsOut = Annotated[
    Path, typer.Option("--out", metavar="FILE", help="Ends in .safetensors or .npz.")
]


@with_bundles
def stats_export(
    out: StatisticsOut,
    sets: SetOptions,
    protocol: ProtocolOptions,
    run: ComputeOptions,
    weights: Weights = None,
    as_json: AsJson = False,
) -> None:
    """Measure one set of videos, and write its mean and covariance with how they were made.

    A real set by --dataset or --real, or a generated one by --fake. --real FILE and --fake FILE
    of the other commands take the file instead of the videos; other FID packages read its mu and
    sigma.

    latte-eval stats export --dataset ucf101 --out ucf101.safetensors
    """
    from evaluation.measuring.export import export_statistics
    from evaluation.measuring.networks import Networks

    if sets.real is not None and sets.fake is not None:
        raise InputError("--real and --fake: statistics are of one set: give one of the two")
    with run.extraction() as options:
        requested = protocol.protocol_for(sets)
        videos = sets.fake_videos() if sets.fake else sets.real_videos(requested)
        if isinstance(videos, Path):
            raise InputError(
                f"{videos} is a statistics file already: `latte-eval stats show` reads it"
            )
        file = export_statistics(
            videos,
            out,
            requested,
            Networks(options, weights_by_network(weights, requested.network)),
            side="fake" if sets.fake else "real",
            at_least=protocol.num_videos or 1,
            dataset=sets.dataset,
        )
    _show(file, as_json)


def stats_import(
    source: Annotated[
        Path, typer.Argument(help="What pytorch-fid (mu, sigma) or clean-fid (also feats) wrote.")
    ],
    out: StatisticsOut,
    protocol: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="Preset or .toml file by which it was made.")
    ],
    count: Annotated[
        int | None,
        typer.Option(min=2, metavar="N", help="Samples it was made of; needed with mu and sigma."),
    ] = None,
    network: Network = None,
    settings: Settings = None,
    dataset: Dataset = None,
    side: Annotated[
        Literal["real", "fake"],
        typer.Option(metavar="real|fake", help="Which set the statistics describe."),
    ] = "real",
    covariance: Annotated[
        Literal["n", "n-1"],
        typer.Option(metavar="n|n-1", help="The divisor of their sigma; both packages use n-1."),
    ] = "n-1",
    as_json: AsJson = False,
) -> None:
    """Write another package's statistics as a file of ours, with the protocol that you state.

    A result that uses it notes that the importer declared the protocol.

    latte-eval stats import theirs.npz --protocol stylegan-v-fid50k --count 50000 --out ours.npz
    """
    from evaluation.measuring.choice import choose_protocol
    from evaluation.networks.registry import network as find_network
    from evaluation.protocol.presets import load_protocol
    from evaluation.statistics.foreign import import_statistics

    stated = choose_protocol(protocol, settings=settings, dataset=dataset, network=network)
    if network is not None and stated.weights == load_protocol(protocol).weights:
        stated = replace(stated, weights=find_network(stated.network).default_weights)
    file = import_statistics(
        source, out, stated, side=side, count=count, covariance=covariance, dataset=dataset
    )
    _show(file, as_json)


def stats_show(
    path: Annotated[Path, typer.Argument(help="A statistics file, of ours or of others.")],
    as_json: AsJson = False,
) -> None:
    """Print what a statistics file holds and how it was made."""
    from evaluation.statistics.file import is_statistics_file, read_statistics_file

    if not is_statistics_file(path):
        raise InputError(
            f"{path}: no statistics file: there is no such file, or it lacks mu and sigma"
        )
    _show(read_statistics_file(path), as_json)


def _show(file: "StatisticsFile", as_json: bool) -> None:
    from tabulate import tabulate

    origin = file.origin
    facts: dict[str, Any] = {
        "path": str(file.path),
        "sha256": file.digest,
        "features": len(file.statistics.mean),
        "count": file.statistics.count or None,
    }
    if origin is not None:
        facts |= {"fingerprint": origin.fingerprint, **asdict(origin)}
    if as_json:
        typer.echo(json.dumps(facts))
        return
    source = "not stated (`latte-eval stats import` adds it)"
    if origin is not None:
        imported = facts.pop("stated")
        source = "declared by the importer" if imported else "by latte-eval stats export"
    rows: dict[str, object] = {"made": source}
    for key, value in facts.items():
        parts = value if isinstance(value, dict) else {"": value}
        rows |= {f"{key}.{name}".rstrip("."): part for name, part in parts.items()}
    nonempty = [
        (key, some_of(value) if isinstance(value, tuple) else value)
        for key, value in rows.items()
        if value not in (None, "", ())
    ]
    text = tabulate(nonempty, tablefmt="plain", disable_numparse=True)
    typer.echo(escaped(text, keep="\n"))
