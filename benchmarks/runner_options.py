"""Options that the runners of tables and figures share. Imports nothing heavy."""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.scale import MEANINGS, Scale, name_at
from latte.data.errors import InputError

ScaleOption = Annotated[
    str,
    typer.Option(
        "--scale",
        metavar="tiny|small|paper",
        help="; ".join(f"{scale}: {meaning}" for scale, meaning in MEANINGS.items()) + ".",
    ),
]
Seeds = Annotated[
    int, typer.Option(min=1, help="How often everything is trained and measured anew.")
]
Out = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder for the documents. [default: results/NAME; at other scales than tiny "
        "results/NAME-SCALE]",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(min=0, help="Cells measured at a time; 0 works in this process. [default: cores]"),
]


def folder_of(name: str, scale: Scale, out: Path | None) -> Path:
    """Where a runner writes: results at different scales never mix.

    Raises:
        InputError: a file is in the way.
    """
    return documents_folder(name_at(name, scale), out)


def documents_folder(name: str, out: Path | None) -> Path:
    """The folder for documents: checked before the work, made when there is something to write.

    Raises:
        InputError: a file is in the way.
    """
    folder = out if out is not None else Path("results") / name
    for place in (folder, *folder.parents):
        if place.exists() and not place.is_dir():
            raise InputError(f"{place} is a file, not a folder: choose another --out")
    return folder
