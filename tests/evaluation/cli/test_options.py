"""Bundles of options."""

from dataclasses import dataclass, fields
from typing import Annotated

import typer
from typer.main import get_command
from typer.testing import CliRunner

from evaluation.catalogue.registry import METRICS
from evaluation.cli.app import app
from evaluation.cli.options import (
    ComputeOptions,
    OutputOptions,
    ProtocolOptions,
    SetOptions,
    with_bundles,
)


@dataclass(frozen=True, kw_only=True)
class Pair:
    left: Annotated[int, typer.Option()] = 1
    right: Annotated[int, typer.Option()]


def test_a_bundle_becomes_one_option_for_each_field():
    seen = []

    @with_bundles
    def command(pair: Pair, name: Annotated[str, typer.Argument()], loud: bool = False) -> None:
        """Add."""
        seen.append((pair, name, loud))

    single = typer.Typer()
    single.command()(command)
    done = CliRunner().invoke(single, ["x", "--right", "4", "--loud"])
    assert done.exit_code == 0, done.output
    assert seen == [(Pair(left=1, right=4), "x", True)]
    assert CliRunner().invoke(single, ["x"]).exit_code == 2


def test_every_metric_is_a_command_with_the_same_bundles():
    bundles = (SetOptions, ProtocolOptions, OutputOptions, ComputeOptions)
    names = {field.name for bundle in bundles for field in fields(bundle)}
    commands = get_command(app).commands
    for name in (*METRICS, "all"):
        assert names <= {parameter.name for parameter in commands[name].params}
