"""Options that the runners of tables and figures share. Imports nothing heavy."""

from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated

import typer

from benchmarks.cells.scale import MEANINGS, Scale, name_at
from latte.data.errors import InputError
from latte.data.files import folder_if_used

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


def folder_of(name: str, scale: Scale, out: Path | None, *, option: str = "--out") -> Path:
    """Where a runner writes: results at different scales never mix.

    Raises:
        InputError: see `documents_folder`.
    """
    return documents_folder(name_at(name, scale), out, option=option)


def documents_folder(name: str, out: Path | None, *, option: str = "--out") -> Path:
    """The folder for documents: checked before the work, made when there is something to write.

    Args:
        option: with which the user chooses it.

    Raises:
        InputError: a file is in the way, or the folder cannot be made or written.
    """
    folder = out if out is not None else Path("results") / name
    try:
        for place in (folder, *folder.parents):
            if place.exists() and not place.is_dir():
                raise InputError(f"{place} is a file, not a folder: choose another {option}")
        _try_to_write(folder)
    except OSError as error:
        raise InputError(
            f"{folder} is no folder that can be written ({error.strerror or error}): choose "
            f"another {option}"
        ) from None
    return folder


def _try_to_write(folder: Path) -> None:
    """Make the folder and a file in it, and remove both: nothing else says whether it works.

    Permissions do not: the superuser has all of them, even where a system takes no files.
    """
    with folder_if_used(folder), TemporaryFile(dir=folder):
        pass
