"""The files of a report: written all or none, and listed, so that a later report removes them."""

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path

from latte.data.errors import InputError
from latte.data.files import read_bytes
from latte.data.schema import decode_json
from reports.joined_report import PICTURES

COPIED = (".csv", ".tex")
LIST = ".report-files"  # JSON list of the report's files
# Kinds of files, by folder, that one report may leave and a later one not have.
KINDS = {Path(): COPIED, Path(PICTURES): (".svg", ".png")}


def write_files(out: Path, contents: Mapping[str, bytes]) -> None:
    """Write the files of a report into a folder, and remove those of the report before.

    Other files stay: a list beside the report says which are its own.

    Raises:
        InputError: a file cannot be written, or the list is broken; nothing has changed then.
    """
    outdated = written_before(out) - contents.keys()
    listed = {LIST: json.dumps(list(contents), indent=0).encode()}
    write_all({out / name: content for name, content in {**contents, **listed}.items()})
    for path in (out / name for name in outdated):
        if path.is_file():
            path.unlink()


def written_before(out: Path) -> set[str]:
    """Names of pictures and tables that an earlier report left in a folder.

    Whatever the list says, only files of the kinds that a report leaves are removed.

    Raises:
        InputError: the list is broken.
    """
    path = out / LIST
    if not path.exists():
        return set()
    text = read_bytes(path, "the list of what an earlier report left", "remove it")
    where = f"{path} is not the list of what an earlier report left, remove it"
    names = decode_json(text, list[str], where)
    return {name for name in names if Path(name).suffix in KINDS.get(Path(name).parent, ())}


def write_all(contents: Mapping[Path, bytes]) -> None:
    """Write files, all or none: what is there is replaced when every new one is on the disk.

    Raises:
        InputError: one cannot be written.
    """
    parts = {path: path.with_name(f".{path.name}.part") for path in contents}
    path = next(iter(contents))
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            parts[path].write_bytes(content)
        for path, part in parts.items():
            part.replace(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}): choose another folder with --out"
        ) from None
    finally:
        for part in parts.values():
            if part.exists():
                part.unlink()
