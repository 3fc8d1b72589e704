"""Adding results to a results file."""

import errno
import os
from pathlib import Path

from evaluation.results.reading import read_results
from evaluation.results.record import Result
from latte.data.errors import InputError
from latte.data.files import can_write


def append_result(path: Path, result: Result) -> None:
    """Add a line to a results file, whole or not at all; what is there stays, whatever happens.

    Raises:
        InputError: the file cannot be written.
    """
    text = result.to_json().encode()
    try:
        with path.open("a+b", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - 1, 0))
            unfinished = file.read(1) not in (b"", b"\n")  # an editor may have left it so
            line = b"\n" * unfinished + text + b"\n"
            try:
                if file.write(line) < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file.fileno())
            except OSError:
                file.truncate(size)
                raise
    except OSError as error:
        raise InputError(
            f"{path}: the result cannot be written ({error.strerror}): choose another file with "
            "out (--out), for which the kept features are used"
        ) from None


def check_writable(path: Path) -> None:
    """Refuse a results file that cannot be written before hours of work, not after.

    Raises:
        InputError: it is no plain file, or not a file of results, or it may not be written.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder: out (--out) takes a file such as results.jsonl")
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is not a plain file: out (--out) takes one such as results.jsonl")
    if not (os.access(path, os.W_OK) if path.exists() else can_write(path.parent)):
        raise InputError(f"{path} cannot be written: choose another file with out (--out)")
    if path.exists():
        read_results(path)
