"""Runs that need the same rows of one store share the work instead of doing it twice.

    STORE/runs/<machine>-<random>.run    spaces of a live run, one on a line, and the rows that it
                                         is making: one `space key` on a line
    STORE/runs/turn                      locked while a run looks for work

A run takes a few clips at a time, the first of its plan that no live run has taken. Where others
have taken all that is left, it waits for their rows. The file is locked by its run
(`evaluation.features.ownership`), so what a killed run had taken is free at once; on another
machine, when the file has not been touched for a minute and a half. Whoever makes a row makes the
same one, so nothing here can change a result: where locks do not work, work is done twice.
"""

import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from io import BufferedRandom
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.features.ownership import (
    file_system_time,
    is_abandoned,
    lock,
    open_to_lock,
    owned_file,
    owned_name,
)
from latte.data.errors import InputError, named

if TYPE_CHECKING:
    from evaluation.features.store import FeatureStore

logger = logging.getLogger(__name__)

CLIPS_AT_ONCE = 16  # clips that a run takes at a time
POLL_SECONDS = 0.2
BEAT_SECONDS = 10.0  # how often a run touches its file
LEASE_SECONDS = 90.0  # how long a file of another machine is believed without
PATIENCE_SECONDS = 600.0  # how long others may keep rows that are needed, without any progress


def rounds(
    stores: Sequence["FeatureStore"],
    keys: Iterable[bytes],
    *,
    clips_at_once: int = CLIPS_AT_ONCE,
    patience: float = PATIENCE_SECONDS,
) -> Iterator[Iterator[bytes]]:
    """The clips that this run has to extract, in rounds; together with other runs, all of them.

    Each round is an iterator of keys, in the order given, that takes more clips as it is read and
    never waits. Take all of a round, put the rows into all stores (a flush is made here), and ask
    for the next: between rounds this run owns nothing, and waits until others have made what they
    have taken. After the last round the stores have all rows but those of clips that were taken
    here and not put into them, such as broken ones.

        for keys in rounds(stores, missing):
            for key in keys: …

    Args:
        stores: the stores of all networks of the run, of one folder.
        keys: of the clips of which a row is missing.
        clips_at_once: clips that are taken at a time.
        patience: seconds to wait for runs that make no progress before their work is done again.

    Raises:
        InputError: the store cannot be written.
    """
    left = dict.fromkeys(keys)
    root = next((store.root for store in stores if store.root is not None), None)
    if root is None:
        yield iter(left)
        return
    with _run_of(root, [store.space for store in stores]) as run:
        waiting_since, waiting_for, said = time.monotonic(), len(left), False
        while left:
            impatient = time.monotonic() - waiting_since > patience
            work = run.take(stores, left, clips_at_once, also_claimed=impatient)
            if work:
                yield _round(run, stores, left, work, clips_at_once)
                for store in stores:
                    store.flush()
                run.release()
            elif left:
                if len(left) != waiting_for or not said:
                    waiting_since, waiting_for = time.monotonic(), len(left)
                if not said:
                    logger.info("waiting for %d clips that another run is extracting", len(left))
                    said = True
                time.sleep(POLL_SECONDS)


def _round(
    run: "_Run",
    stores: Sequence["FeatureStore"],
    left: dict[bytes, None],
    work: list[bytes],
    clips_at_once: int,
) -> Iterator[bytes]:
    while work:
        for key in work:
            left.pop(key, None)
            yield key
        work = run.take(stores, left, clips_at_once)


class _Run:
    """What this run has taken, in a file that others read while it lives."""

    def __init__(self, path: Path, file: BufferedRandom, spaces: Sequence[str]) -> None:
        self.path, self._file, self._spaces = path, file, spaces
        self._taken: list[bytes] = []
        self._write((), [])

    def take(
        self,
        stores: Sequence["FeatureStore"],
        left: dict[bytes, None],
        count: int,
        *,
        also_claimed: bool = False,
    ) -> list[bytes]:
        """The first `count` keys of which rows are missing and that nobody has taken, now taken.

        Keys before them of which all rows are there by now are removed from `left`.
        """
        with _turn(self.path.parent):
            claimed = set() if also_claimed else self._claimed_by_others()
            for store in stores:
                store.refresh()
            work: list[bytes] = []
            made: list[bytes] = []
            for key in left:  # no further than needed: there may be many
                if all(key in store for store in stores):
                    made.append(key)
                elif claimed.isdisjoint(_lines(stores, key)):
                    work.append(key)
                    if len(work) == count:
                        break
            for key in made:
                del left[key]
            if work:
                self._write(stores, [key for key in self._taken if _lines(stores, key)] + work)
        return work

    def release(self) -> None:
        """Nothing is taken any more."""
        self._write((), [])

    def beat(self) -> None:
        """Show to other machines that this run is alive."""
        with suppress(OSError):
            os.utime(self.path)

    def _write(self, stores: Sequence["FeatureStore"], keys: list[bytes]) -> None:
        self._taken = keys
        lines = [*self._spaces, *(line for key in keys for line in _lines(stores, key))]
        text = "".join(line + "\n" for line in lines)
        with named(self.path):
            # Whoever reads it meanwhile finds the spaces, which stay the same, at its beginning.
            self._file.seek(0)
            self._file.write(text.encode())
            self._file.flush()
            self._file.truncate()

    def _claimed_by_others(self) -> set[str]:
        return _lines_of_live_runs(self.path.parent, self.path)


def live_spaces(root: Path) -> set[str]:
    """Feature spaces of a store in which a run is extracting."""
    if not (root / "runs").is_dir():
        return set()
    with ExitStack() as stack:
        with suppress(OSError):  # a store that may only be read
            stack.enter_context(_turn(root / "runs"))  # a run that begins has locked its file then
        return {line for line in _lines_of_live_runs(root / "runs") if " " not in line}


def _lines_of_live_runs(folder: Path, own: Path | None = None) -> set[str]:
    """Lines of the files of live runs but this one; files of dead ones are removed."""
    lines: set[str] = set()
    now = file_system_time(folder)
    for path in folder.glob("*.run"):
        if path == own:
            continue
        with suppress(FileNotFoundError, PermissionError):
            if is_abandoned(path, path.name.partition("-")[0], LEASE_SECONDS, now):
                path.unlink()
            else:
                lines.update(path.read_text(encoding="ascii", errors="replace").splitlines())
    return lines


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """One run at a time looks for work, or becomes one."""
    turn = open_to_lock(folder / "turn")
    try:
        lock(turn)
        yield
    finally:
        os.close(turn)


@contextmanager
def _run_of(root: Path, spaces: Sequence[str]) -> Iterator[_Run]:
    path = root / "runs" / owned_name("", ".run")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            with _turn(path.parent):  # nobody sees it before it is locked
                run = _Run(path, stack.enter_context(owned_file(path)), spaces)
            ended = threading.Event()

            def beat() -> None:
                while not ended.wait(BEAT_SECONDS):
                    run.beat()

            beating = threading.Thread(target=beat, name="store-heartbeat", daemon=True)
            beating.start()
            try:
                yield run
            finally:
                ended.set()
                beating.join()
                path.unlink(missing_ok=True)
    except OSError as error:
        if error.filename is None or not str(error.filename).startswith(str(root / "runs")):
            raise
        raise InputError(
            f"{root}: features cannot be kept there ({error.strerror}): choose another folder "
            "with store (--store)"
        ) from None


def _lines(stores: Sequence["FeatureStore"], key: bytes) -> list[str]:
    """What stands in the file of a run for a clip: a line for each store without its row."""
    return [f"{store.space} {key.hex()}" for store in stores if not store.is_on_disk(key)]
