"""One file of rows, of which a damaged part is noticed when it is read, and costs that part alone.

    keys       (n, 32) uint8
    features   (n, …) float32
    checksums  (blocks, 32) uint8, SHA-256 of each block of about 1 MB of features
    metadata   block: rows of a block; index: SHA-256 of keys and checksums

Opening a file reads keys and checksums, a hundredth of it. A file without `checksums`, as they were
written before, is one block, whose `sha256` covers keys and features.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from evaluation.features.ownership import write_owned

KEY_BYTES = 32
BLOCK_BYTES = 1 << 20
UNREADABLE = (SafetensorError, KeyError, AttributeError, ValueError, TypeError, OverflowError)


class DamagedShardError(ValueError):
    """A file, or a block of it, is not what was written."""


@dataclass(frozen=True)
class Shard:
    """A file of rows whose keys are known."""

    path: Path
    keys: tuple[bytes, ...]
    block_rows: int
    checksums: tuple[bytes, ...]  # of blocks; one, of keys and features, in an old file
    covers_keys: bool  # whether it is an old file

    def blocks(self) -> Iterator[tuple[range, np.ndarray]]:
        """All blocks, as in `block`."""
        return map(self.block, range(len(self.checksums)))

    def read(self, rows: Sequence[int]) -> list[np.ndarray]:
        """Rows of blocks that are known to be sound, without comparing anything.

        Raises:
            DamagedShardError, FileNotFoundError: as for `block`.
        """
        found: list[np.ndarray] = []
        try:
            with safe_open(self.path, framework="numpy") as file:
                features = file.get_slice("features")
                starts = [i for i in range(len(rows)) if not i or rows[i] != rows[i - 1] + 1]
                for start, stop in pairwise([*starts, len(rows)]):  # neighbours together
                    found += list(features[rows[start] : rows[stop - 1] + 1])
        except UNREADABLE as error:
            raise DamagedShardError(str(error)) from None
        return found

    def block(self, number: int) -> tuple[range, np.ndarray]:
        """The rows that a block has, and their features.

        Raises:
            DamagedShardError: it does not have its checksum.
            FileNotFoundError: the file was removed.
        """
        start = number * self.block_rows
        rows = range(start, min(start + self.block_rows, len(self.keys)))
        try:
            with safe_open(self.path, framework="numpy") as file:
                features = file.get_slice("features")[rows.start : rows.stop]
        except UNREADABLE as error:
            raise DamagedShardError(str(error)) from None
        keys = b"".join(self.keys) if self.covers_keys else b""
        found = hashlib.sha256(keys + np.ascontiguousarray(features).tobytes()).digest()
        if len(features) != len(rows) or found != self.checksums[number]:
            raise DamagedShardError(f"rows {rows.start} to {rows.stop - 1} are not as written")
        return rows, features


def open_shard(path: Path) -> Shard:
    """The keys of a file.

    Raises:
        DamagedShardError: it is not as it was written.
        FileNotFoundError: it was removed.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            facts, keys = file.metadata(), file.get_tensor("keys")
            if keys.dtype != np.uint8 or keys.ndim != 2 or keys.shape[1] != KEY_BYTES:
                raise DamagedShardError("it has no keys")
            shape = file.get_slice("features").get_shape()
            if len(shape) < 2 or shape[0] != len(keys) or not len(keys):
                raise DamagedShardError("it has no row for each key")
            listed = tuple(key.tobytes() for key in keys)
            if "index" not in facts:
                whole = (bytes.fromhex(facts["sha256"]),)
                return Shard(path, listed, len(listed), whole, covers_keys=True)
            checksums = file.get_tensor("checksums")
            block_rows = int(facts["block"])
    except UNREADABLE as error:
        raise DamagedShardError(str(error)) from None
    index = _index(listed, [row.tobytes() for row in checksums])
    if index != facts["index"] or block_rows < 1:
        raise DamagedShardError("its keys are not as written")
    if len(checksums) != -(-len(listed) // block_rows):
        raise DamagedShardError("it has no checksum for each block")
    return Shard(path, listed, block_rows, tuple(row.tobytes() for row in checksums), False)


def write_shard(folder: Path, keys: Sequence[bytes], features: np.ndarray) -> Shard:
    """Write rows as one file, which is there whole or not at all, named by its checksum.

    Args:
        folder: of the feature space.
        keys: n of them.
        features: (n, …) float32.
    """
    features = np.ascontiguousarray(features, np.float32)
    block_rows = max(1, BLOCK_BYTES // max(1, features[0].nbytes))
    checksums = [
        hashlib.sha256(features[start : start + block_rows].tobytes()).digest()
        for start in range(0, len(keys), block_rows)
    ]
    index = _index(keys, checksums)
    tensors = {
        "keys": np.stack([np.frombuffer(key, np.uint8) for key in keys]),
        "features": features,
        "checksums": np.stack([np.frombuffer(checksum, np.uint8) for checksum in checksums]),
    }
    path = folder / f"{index[:32]}.safetensors"
    write_owned(path, save(tensors, metadata={"index": index, "block": str(block_rows)}))
    return Shard(path, tuple(keys), block_rows, tuple(checksums), covers_keys=False)


def sound_rows(shard: Shard) -> tuple[list[bytes], list[np.ndarray]]:
    """The keys and rows of all blocks that are as they were written."""
    keys, features = list[bytes](), list[np.ndarray]()
    for number in range(len(shard.checksums)):
        try:
            rows, block = shard.block(number)
        except (DamagedShardError, FileNotFoundError):
            continue
        keys += shard.keys[rows.start : rows.stop]
        features += list(block)
    return keys, features


def _index(keys: Sequence[bytes], checksums: Sequence[bytes]) -> str:
    return hashlib.sha256(b"".join(keys) + b"".join(checksums)).hexdigest()
