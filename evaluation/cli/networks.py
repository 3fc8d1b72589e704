"""`latte-eval networks`: the feature networks, and checks of their weights."""

import json
import logging
from pathlib import Path
from typing import Annotated, Any

import typer

from evaluation.cli.options import (
    AsJson,
    Device,
    TrustWeights,
    Weights,
    device_or_default,
    weights_by_network,
)
from latte.data.errors import InputError

logger = logging.getLogger(__name__)


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


def networks_verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="[default: networks whose weights are available]"),
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
        bool, typer.Option("--quick", help="Skip checks that take minutes on a CPU.")
    ] = False,
    trust_weights: TrustWeights = False,
    as_json: AsJson = False,
) -> None:
    """Check weight files against published outputs: expected, got, difference, verdict.

    latte-eval networks verify i3d --weights i3d_torchscript.pt
    """
    from dataclasses import asdict

    from evaluation.networks.registry import NETWORKS
    from evaluation.networks.verification import all_passed, checks_table, verify
    from evaluation.networks.weights import is_here

    # Files of gigabytes are fetched for those who name the network, not for whoever asks for all.
    files = weights_by_network(weights, names[0] if names else "")
    if "" in files:
        raise InputError(f"--weights {files['']}: of which network? Name it, or give NETWORK=FILE")
    checked = names or [name for name, spec in NETWORKS.items() if name in files or is_here(spec)]
    place = device_or_default(device)
    checks = {}
    for name in checked:
        checks[name] = verify(
            name, files.get(name), place, quick=quick, data=data, trust_weights=trust_weights
        )
        if not as_json:
            typer.echo(f"{name}\n{checks_table(checks[name])}\n")
    if as_json:
        typer.echo(json.dumps({name: list(map(asdict, checks[name])) for name in checked}))
    left_out = [name for name in NETWORKS if name not in checked]
    if left_out and not names:
        logger.warning("no weights of %s were found: not checked", ", ".join(left_out))
    wrong = [name for name in checked if not all_passed(checks[name])]
    if wrong:
        raise InputError(
            f"{', '.join(wrong)}: the file of weights does not give what was published: fetch it "
            "again, and compare its hash"
        )
