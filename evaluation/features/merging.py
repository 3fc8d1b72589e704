"""Files of rows are made few where they are many, and mended where they are damaged."""

import contextlib
import logging
import os
from pathlib import Path

import numpy as np

from evaluation.features.ownership import lock_now
from evaluation.features.shards import (
    DamagedShardError,
    Shard,
    open_shard,
    sound_rows,
    write_shard,
)

logger = logging.getLogger(__name__)

MERGED_BYTES = 32 << 20  # size of a merged file
MIN_SMALL_FILES = 16  # so many are merged; fewer do no harm
MAX_MERGE_BYTES = 512 << 20  # read by one run, which does not make a user wait


def merge_shards(folder: Path) -> None:
    """Merge small files of a feature space, unless another process is at it.

    A new file is complete before those that it replaces are removed, so a killed run leaves rows
    twice at most, and others find each row at any time.
    """
    with contextlib.suppress(FileNotFoundError), lock_now(folder / ".merging") as mine:
        if not mine:
            return
        small = [
            path
            for path in sorted(folder.glob("[!.]*.safetensors"))
            if path.stat().st_size < MERGED_BYTES / 2
        ]
        if len(small) < MIN_SMALL_FILES:
            return
        _merge(folder, small)


def _merge(folder: Path, small: list[Path]) -> None:
    batches: dict[tuple[int, ...], _Batch] = {}
    read = 0
    for path in small:
        try:
            shard = open_shard(path)
            parts = list(shard.blocks())
        except (DamagedShardError, FileNotFoundError):
            continue  # whoever needs its rows sees to it
        read += path.stat().st_size
        batch = batches.setdefault(parts[0][1].shape[1:], _Batch(folder))
        batch.add(shard, np.concatenate([features for _, features in parts]))
        if batch.num_bytes >= MERGED_BYTES:
            batch.write()
        if read >= MAX_MERGE_BYTES:
            break
    for batch in batches.values():
        batch.write()


class _Batch:
    """Rows of one shape that become one file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows: dict[bytes, np.ndarray] = {}
        self._sources: list[Path] = []

    @property
    def num_bytes(self) -> int:
        return sum(row.nbytes for row in self._rows.values())

    def add(self, shard: Shard, features: np.ndarray) -> None:
        self._sources.append(shard.path)
        for key, row in zip(shard.keys, features, strict=True):
            self._rows.setdefault(key, row)

    def write(self) -> None:
        if len(self._sources) > 1:
            used = max(path.stat().st_mtime for path in self._sources)
            merged = write_shard(self._folder, list(self._rows), np.stack([*self._rows.values()]))
            os.utime(merged.path, (used, used))
            for path in self._sources:
                if path != merged.path:
                    path.unlink(missing_ok=True)
        self._rows, self._sources = {}, []


def set_aside(path: Path, shard: Shard | None) -> list[bytes]:
    """Rename a damaged file, after its sound rows were written again; the keys of the others.

    Args:
        path: the file.
        shard: what its keys are; None if they are damaged.
    """
    keys, rows = sound_rows(shard) if shard else ([], [])
    damaged = path.with_suffix(".damaged")
    total = len(shard.keys) if shard else 0
    with contextlib.suppress(OSError):  # read-only, or another run was first
        if rows:
            write_shard(path.parent, keys, np.stack(rows))
        path.replace(damaged)
    which = f"features of {total - len(keys)} clips" if shard else "its features"
    logger.warning("%s is damaged and set aside, so %s are extracted again", damaged, which)
    return [key for key in shard.keys if key not in set(keys)] if shard else []
