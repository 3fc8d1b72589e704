"""Options and arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from latte.data.errors import InputError


def _safetensors(target: Path) -> Path:
    if target.suffix != ".safetensors":
        raise InputError(f"{target}: give a name that ends in .safetensors")
    if target.is_dir():
        raise InputError(f"{target}: is a folder: give the name of a file")
    return target


Target = Annotated[
    Path, typer.Argument(help="File to write, ending in .safetensors.", callback=_safetensors)
]
DataRoot = Annotated[
    Path, typer.Option(envvar="LATTE_DATA", metavar="DIR", help="Folder of the data sets.")
]
Device = Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda or cuda:N.")]
NumHeads = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="Attention heads of an official file whose size no preset has."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress bar.")]
