"""Features on disk: each clip's row under the hash of everything that determines it.

    STORE/<space>/space.json               which network, weights and arithmetic
    STORE/<space>/<checksum>.safetensors   rows (`evaluation.features.shards`)
    STORE/sets/<order>.keys                the keys of a measured set, in the order of its clips

A row's key is a hash of the video's content, the frames and their preparation, so a row is found
again by any plan, run or model that needs it; extracting again can only make the same row. Files
are written whole (temporary file, then rename) and rows are compared with their checksum whenever
they are read: a killed run leaves whole files, and several runs may share a store.
"""

import contextlib
import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.features.merging import merge_shards, set_aside
from evaluation.features.ownership import remove_leftovers, write_owned
from evaluation.features.shards import (
    KEY_BYTES,
    DamagedShardError,
    Shard,
    open_shard,
    write_shard,
)
from evaluation.protocol.content import content_key
from latte.data.errors import InputError
from latte.data.files import cache_folder

logger = logging.getLogger(__name__)

MAX_PENDING_ROWS = 256
MAX_PENDING_SECONDS = 10.0
LEFTOVER_SECONDS = 3600.0  # how long an unfinished file of another machine may be being written
USED_SECONDS = 3600.0  # how exactly the time of a file's last use is kept


class LostRowsError(InputError):
    """Rows that were in the store are damaged or gone; they are to be extracted again."""

    def __init__(self, folder: Path | None, keys: Sequence[bytes]) -> None:
        super().__init__(
            f"{folder}: features of {len(keys)} clips were removed or damaged while they were "
            "used: run the same command again, which extracts them again"
        )
        self.keys = tuple(keys)


def default_store() -> Path:
    """`$LATTE_STORE`, else a folder in `$LATTE_CACHE` or the user's cache."""
    if "LATTE_STORE" in os.environ:
        return Path(os.environ["LATTE_STORE"])
    return cache_folder("features")


class FeatureStore:
    """The rows of one feature space (one network with its weights), on disk and in the making.

    A space that has no folder yet gets one. Damaged files are set aside when that is noticed, and
    what is sound in them is kept. Without a folder of all spaces all rows stay in memory, and
    nothing is written.

    Args:
        root: the folder of all feature spaces; None keeps the rows in memory alone.
        space: what determines rows: the network, its weights and arithmetic.

    Raises:
        InputError: the folder cannot be created or written.
    """

    def __init__(self, root: Path | None, space: Mapping[str, Any]) -> None:
        self.space = content_key(space).hex()[:16]
        self._description = (json.dumps(dict(space), indent=1) + "\n").encode()
        self.root = root
        self.folder = root and root / self.space
        self._listed: set[str] = set()  # files whose keys are known
        self._shards: dict[str, Shard] = {}  # those of them that are sound
        self._where: dict[bytes, tuple[Shard, int]] = {}
        self._pending: dict[bytes, np.ndarray] = {}
        # Blocks of files that had their checksums, when the file had this signature.
        self._sound: dict[Path, tuple[tuple[int, int, int], set[int]]] = {}
        self._last_write = time.monotonic()
        if root is None or self.folder is None:
            return
        try:
            self._describe(self.folder)
            for folder in (self.folder, root / "sets"):
                remove_leftovers(folder, LEFTOVER_SECONDS)
        except OSError as error:
            raise _unwritable(root, error) from None
        self.refresh()

    def _describe(self, folder: Path) -> None:
        """Say which space this is; somebody may have removed it as it had no rows yet."""
        path = folder / "space.json"
        if not path.exists():
            write_owned(path, self._description)

    def refresh(self) -> None:
        """Find the rows that other runs have written meanwhile."""
        if self.folder is None:
            return
        for path in sorted(self.folder.glob("[!.]*.safetensors")):
            if path.name in self._listed:
                continue
            try:
                shard = open_shard(path)
            except FileNotFoundError:  # merged with others just now
                continue
            except DamagedShardError:
                set_aside(path, None)
                continue
            self._keep(shard)

    def __contains__(self, key: bytes) -> bool:
        return key in self._where or key in self._pending

    def is_on_disk(self, key: bytes) -> bool:
        """Whether a row is where other runs find it."""
        return key in self._where

    def add(self, key: bytes, row: np.ndarray) -> None:
        """Keep a row, float32; it is on disk after the next `flush`, within seconds by itself."""
        if key in self:
            return
        self._pending[key] = np.asarray(row, np.float32)
        waited = time.monotonic() - self._last_write
        if len(self._pending) >= MAX_PENDING_ROWS or waited > MAX_PENDING_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write pending rows, one file for each shape, since clips may differ in length."""
        self._last_write = time.monotonic()
        if self.folder is None or not self._pending:
            return
        self._describe(self.folder)
        for shape in sorted({row.shape for row in self._pending.values()}):
            rows = {key: row for key, row in self._pending.items() if row.shape == shape}
            self._keep(write_shard(self.folder, list(rows), np.stack(list(rows.values()))))
        self._pending.clear()

    def merge(self) -> None:
        """Make few large files of many small ones; for the end of a run that has written some.

        Other runs may read meanwhile: they find rows again that have moved. Rows stay the same.
        """
        if self.folder is not None:
            with contextlib.suppress(OSError):  # a full disk, say: small files serve as well
                merge_shards(self.folder)

    def rows(self, keys: Sequence[bytes]) -> list[np.ndarray]:
        """The rows of these keys, in this order: each (D,) or, of frames, (T, D), float32.

        Raises:
            LostRowsError: files were damaged or removed since the store was opened. The store
                does not hold these rows any more: they can be extracted and added again.
        """
        rows = self._read(keys, keep=True)
        return [rows[key] for key in keys]

    def check(self, keys: Sequence[bytes]) -> list[bytes]:
        """Read the rows of these keys; those that are damaged or gone, now not in the store."""
        try:
            self._read(keys, keep=False)
        except LostRowsError as error:
            return list(error.keys)
        return []

    def remember(self, order: str, keys: Sequence[bytes]) -> None:
        """Keep which rows make a set, in order, for commands that compare results later."""
        if self.root is None:
            return
        path = _set_file(self.root, order)
        try:
            if path.exists():
                _mark_used(path)
            else:
                write_owned(path, b"".join(keys))
        except OSError as error:
            raise _unwritable(self.root, error) from None

    def recall(self, order: str) -> list[bytes] | None:
        """The keys of a set; None if it is not known, or a row of it is not here."""
        if self.root is None:
            return None
        path = _set_file(self.root, order)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        _mark_used(path)
        keys = [content[start : start + KEY_BYTES] for start in range(0, len(content), KEY_BYTES)]
        return keys if keys and all(key in self for key in keys) else None

    def _keep(self, shard: Shard) -> None:
        self._listed.add(shard.path.name)
        self._shards[shard.path.name] = shard
        for row, key in enumerate(shard.keys):
            self._where.setdefault(key, (shard, row))

    def _forget(self, shard: Shard) -> None:
        self._listed.discard(shard.path.name)
        self._shards.pop(shard.path.name, None)
        for key in shard.keys:
            if key in self._where and self._where[key][0] == shard:
                del self._where[key]
        # A file that was merged from it may be known already.
        for other in list(self._shards.values()):
            self._keep(other)

    def _check_blocks(self, shard: Shard, numbers: set[int]) -> None:
        """Compare blocks with their checksums, unless that was done since the file was changed."""
        _mark_used(shard.path)
        signature = _signature(shard.path)
        known, sound = self._sound.get(shard.path, (signature, set[int]()))
        if known != signature:
            sound = set()
        for number in sorted(numbers - sound):
            shard.block(number)
            sound.add(number)
        self._sound[shard.path] = signature, sound

    def _read(self, keys: Sequence[bytes], *, keep: bool) -> dict[bytes, np.ndarray]:
        """Rows by key; empty if they are not to be kept, but to be read alone."""
        rows = {key: self._pending[key] for key in keys if keep and key in self._pending}
        left = [key for key in dict.fromkeys(keys) if key not in self._pending]
        while left:
            places: dict[Path, tuple[Shard, dict[int, bytes]]] = {}
            lost = [key for key in left if key not in self._where]
            for key in left:
                if key in self._where:
                    shard, row = self._where[key]
                    places.setdefault(shard.path, (shard, {}))[1][row] = key
            if lost:
                raise LostRowsError(self.folder, lost)
            left = []
            for shard, wanted in places.values():
                try:
                    self._check_blocks(shard, {row // shard.block_rows for row in wanted})
                    if keep:
                        places_in_file = sorted(wanted)
                        read = zip(places_in_file, shard.read(places_in_file), strict=True)
                        rows |= {wanted[row]: features for row, features in read}
                except FileNotFoundError:
                    self._forget(shard)
                    left += wanted.values()
                except DamagedShardError:
                    self._forget(shard)
                    self._listed.add(shard.path.name)  # it stays there in a read-only store
                    set_aside(shard.path, shard)
                    left += wanted.values()
            if left:
                self.refresh()  # merged with others, or what was sound
        return rows


def _signature(path: Path) -> tuple[int, int, int]:
    """What changes when a file is written to or replaced."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _set_file(root: Path, order: str) -> Path:
    return root / "sets" / f"{order}.keys"


def _mark_used(path: Path) -> None:
    """Stamp a file with the time of its last use, which `latte-eval cache prune` goes by."""
    with contextlib.suppress(OSError):  # read-only, or gone, which reading it will tell
        if time.time() - path.stat().st_mtime > USED_SECONDS:
            os.utime(path)


def _unwritable(root: Path, error: OSError) -> InputError:
    return InputError(
        f"{root}: features cannot be kept there ({error.strerror}): choose another folder "
        "with store (--store)"
    )
