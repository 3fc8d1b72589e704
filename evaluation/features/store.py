"""Features on disk: each clip's row under the hash of everything that determines it.

    STORE/<space>/space.json               which network, weights and arithmetic
    STORE/<space>/<checksum>.safetensors   rows: `keys` (n, 32) uint8, `features` (n, …) float32
    STORE/sets/<order>.keys                the keys of a measured set, in the order of its clips

A row's key is a hash of the video's content, the frames and their preparation, so a row is found
again by any plan, run or model that needs it; extracting again can only make the same row. Files
are written whole (temporary file, then rename) and named by a checksum of their content, which is
compared when they are read: a killed run leaves whole files, and several runs may share a store.
"""

import contextlib
import hashlib
import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from evaluation.protocol.content import content_key
from latte.data.errors import InputError
from latte.data.files import write_atomically

logger = logging.getLogger(__name__)

MAX_PENDING_ROWS = 256
MAX_PENDING_SECONDS = 10.0
LEFTOVER_SECONDS = 3600.0
KEY_BYTES = 32


def default_store() -> Path:
    """`$LATTE_STORE`, else the user's cache folder."""
    if "LATTE_STORE" in os.environ:
        return Path(os.environ["LATTE_STORE"])
    import pooch

    return Path(pooch.os_cache("latte-eval")) / "features"


class FeatureStore:
    """The rows of one feature space (one network with its weights), on disk and in the making.

    A space that has no folder yet gets one; damaged files in it are set aside. Without a folder of
    all spaces all rows stay in memory, and nothing is written.

    Args:
        root: the folder of all feature spaces; None keeps the rows in memory alone.
        space: what determines rows: the network, its weights and arithmetic.

    Raises:
        InputError: the folder cannot be created or written.
    """

    def __init__(self, root: Path | None, space: Mapping[str, Any]) -> None:
        self.space = content_key(space).hex()[:16]
        self.root = root
        self.folder = root and root / self.space
        self._listed: set[str] = set()  # files whose keys are known
        self._where: dict[bytes, tuple[Path, int]] = {}
        self._pending: dict[bytes, np.ndarray] = {}
        self._last_write = time.monotonic()
        if self.folder is None:
            return
        description = self.folder / "space.json"
        try:
            if not description.exists():
                text = json.dumps(dict(space), indent=1) + "\n"
                write_atomically(description, text, durable=True)
        except OSError as error:
            raise InputError(
                f"{root}: features cannot be kept there ({error.strerror}): choose another folder "
                "with store (--store)"
            ) from None
        _remove_old_leftovers(self.folder)
        self.refresh()

    def refresh(self) -> None:
        """Find the rows that other runs have written meanwhile."""
        if self.folder is None:
            return
        for path in sorted(self.folder.glob("[!.]*.safetensors")):
            if path.name not in self._listed:
                self._listed.add(path.name)
                for row, key in enumerate(_read_keys(path)):
                    self._where.setdefault(key, (path, row))

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
        if self.folder is None:
            return
        for shape in sorted({row.shape for row in self._pending.values()}):
            rows = {key: row for key, row in self._pending.items() if row.shape == shape}
            keys = np.stack([np.frombuffer(key, np.uint8) for key in rows])
            features = np.stack(list(rows.values()))
            checksum = _checksum(keys, features)
            path = self.folder / f"{checksum[:32]}.safetensors"
            data = save({"keys": keys, "features": features}, metadata={"sha256": checksum})
            write_atomically(path, data, durable=True)
            self._where |= {key: (path, index) for index, key in enumerate(rows)}
            self._listed.add(path.name)
        self._pending.clear()

    def rows(self, keys: Sequence[bytes]) -> list[np.ndarray]:
        """The rows of these keys, in this order: each (D,) or, of frames, (T, D), float32."""
        places: dict[Path, dict[bytes, int]] = {}  # keyed by file: each is read once
        for key in keys:
            if key not in self._pending:
                path, index = self._where[key]
                places.setdefault(path, {})[key] = index
        rows = dict(self._pending)
        for path, indices in places.items():
            with safe_open(path, framework="numpy") as file:
                features = file.get_tensor("features")
            rows |= {key: features[index].copy() for key, index in indices.items()}
        return [rows[key] for key in keys]

    def remember(self, order: str, keys: Sequence[bytes]) -> None:
        """Keep which rows make a set, in order, for commands that compare results later."""
        if self.folder is None:
            return
        path = _set_file(self.folder.parent, order)
        try:
            if not path.exists():
                write_atomically(path, b"".join(keys), durable=True)
        except OSError as error:
            raise InputError(
                f"{path}: cannot be written ({error.strerror}): choose another folder "
                "with store (--store)"
            ) from None

    def recall(self, order: str) -> list[bytes] | None:
        """The keys of a set; None if it is not known, or a row of it is not here."""
        if self.folder is None:
            return None
        try:
            content = _set_file(self.folder.parent, order).read_bytes()
        except OSError:
            return None
        keys = [content[start : start + KEY_BYTES] for start in range(0, len(content), KEY_BYTES)]
        return keys if keys and all(key in self for key in keys) else None


def _set_file(root: Path, order: str) -> Path:
    return root / "sets" / f"{order}.keys"


def _read_keys(path: Path) -> list[bytes]:
    """The keys of a file whose checksum holds; a damaged file is set aside and has none."""
    try:
        with safe_open(path, framework="numpy") as file:
            keys, features = file.get_tensor("keys"), file.get_tensor("features")
            if file.metadata().get("sha256") == _checksum(keys, features):
                return [key.tobytes() for key in keys]
    except (SafetensorError, KeyError, AttributeError, ValueError):
        pass
    damaged = path.with_suffix(".damaged")
    path.replace(damaged)
    logger.warning("%s is damaged and set aside, so its features are extracted again", damaged)
    return []


def _checksum(keys: np.ndarray, features: np.ndarray) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(keys).tobytes())
    digest.update(np.ascontiguousarray(features).tobytes())
    return digest.hexdigest()


def _remove_old_leftovers(folder: Path) -> None:
    """Remove unfinished files of killed runs, but none that may still be being written."""
    for path in folder.glob(".partial-*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > LEFTOVER_SECONDS:
                path.unlink()
