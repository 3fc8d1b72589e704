"""`latte-eval protocols list | show | diff`."""

from typing import Annotated

import typer

from evaluation.cli.options import Settings

PresetOrFile = Annotated[str, typer.Argument(help="Preset or .toml file.")]


def protocols_list() -> None:
    """Name, fingerprint and description of each preset."""
    from tabulate import tabulate

    from evaluation.protocol.presets import PRESETS

    rows = [(preset.name, preset.fingerprint, preset.description) for preset in PRESETS.values()]
    typer.echo(tabulate(rows, headers=["protocol", "fingerprint", "description"]))


def protocols_show(name: PresetOrFile, settings: Settings = None) -> None:
    """Print every field as a TOML file, which --protocol reads back."""
    from evaluation.protocol.fields import override, to_toml
    from evaluation.protocol.presets import load_protocol

    typer.echo(to_toml(override(load_protocol(name), settings or [])), nl=False)


def protocols_diff(first: PresetOrFile, second: PresetOrFile) -> None:
    """Print the fields in which two protocols differ."""
    from tabulate import tabulate

    from evaluation.protocol.presets import load_protocol

    one, two = load_protocol(first), load_protocol(second)
    left, right = one.affecting_fields(), two.affecting_fields()
    rows = [(key, left[key], right[key]) for key in left if left[key] != right[key]]
    if rows:
        typer.echo(tabulate(rows, headers=["field", one.name, two.name], disable_numparse=True))
    else:
        typer.echo(f"{first} and {second} are the same protocol ({one.fingerprint})")
