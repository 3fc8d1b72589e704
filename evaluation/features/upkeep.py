"""What a store holds, what of it may go, and whether it is as it was written."""

import contextlib
import hashlib
import json
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.features.claims import live_spaces
from evaluation.features.merging import set_aside
from evaluation.features.ownership import lock_now, remove_leftovers
from evaluation.features.shards import KEY_BYTES, DamagedShardError, Shard, open_shard
from evaluation.protocol.content import content_key
from latte.data.errors import InputError

LEFTOVER_SECONDS = 3600.0  # how long an unfinished file of another machine may be being written
# Names that we give: a folder of that name, or with that option, may hold files of others.
SHARDS = 32 * "[0-9a-f]" + ".safetensors"
SPACES = 16 * "[0-9a-f]" + "/space.json"
SETS = 64 * "[0-9a-f]" + ".keys"
VIDEOS = 32 * "[0-9a-f]" + ".json"


@dataclass(frozen=True, kw_only=True)
class Space:
    """One feature space of a store."""

    id: str  # name of its folder
    network: str | None  # None: its description cannot be read
    weights_sha256: str | None
    output: str | None
    implementation: str | None  # how the network runs
    device: str | None
    rows: int
    files: int
    num_bytes: int
    last_used: float  # seconds since 1970
    sets: int  # measured sets of which all rows are here
    damaged_files: int  # set aside
    in_use: bool  # by a run that is extracting


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """What was removed, or would be."""

    files: tuple[Path, ...]
    num_bytes: int
    in_use: tuple[str, ...]  # spaces of live runs, which were left alone


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What a check of every file found."""

    files: int
    num_bytes: int
    damaged: tuple[tuple[Path, str], ...]  # with what is wrong with it


def spaces(root: Path) -> list[Space]:
    """The feature spaces of a store, the last used first.

    Raises:
        InputError: there is no such folder.
    """
    sets = _sets(root)
    live = live_spaces(root)
    found = []
    for folder in _folders(root):
        paths = list(folder.glob(SHARDS))
        keys = {key for shard in _shards(paths) for key in shard.keys}
        described = _description(folder) or {}
        stamps = [_stamp(path) for path in (paths or [folder])]
        found.append(
            Space(
                id=folder.name,
                network=described.get("network"),
                weights_sha256=described.get("weights_sha256"),
                output=described.get("output"),
                implementation=described.get("run"),
                device=described.get("device"),
                rows=len(keys),
                files=len(paths),
                num_bytes=sum(_size(path) for path in folder.iterdir()),
                last_used=max(stamps),
                sets=sum(of_set <= keys for of_set in sets.values()),
                damaged_files=len(list(folder.glob("*.damaged"))),
                in_use=folder.name in live,
            )
        )
    return sorted(found, key=lambda space: -space.last_used)


def prune(
    root: Path,
    *,
    older_than: float | None = None,
    max_bytes: int | None = None,
    only: Collection[str] = (),
    dry_run: bool = False,
) -> Pruned:
    """Remove files of rows, and what is of no use in any case.

    Of no use are unfinished files of killed runs, damaged ones that were set aside, sets of which
    no space has all rows any more, and spaces without rows. What a live run needs or writes stays:
    spaces from which or into which one is extracting are left alone.

    Args:
        root: the store.
        older_than: seconds since the last use, after which files go.
        max_bytes: size of the whole store; the files that were not used for the longest go first.
        only: spaces that go altogether; by themselves, unless one of the others is given.
        dry_run: remove nothing.

    Raises:
        InputError: no such folder, or no such space.
    """
    folders = {folder.name: folder for folder in _folders(root)}
    unknown = [name for name in only if name not in folders]
    if unknown:
        raise InputError(f"{root}: has no space {unknown[0]} (see `latte-eval cache list`)")
    live = live_spaces(root)
    kept = [(path, space) for space, f in folders.items() for path in f.glob(SHARDS)]
    removed = [path for space, f in folders.items() for path in f.glob("*.damaged")]
    now = time.time()
    removed += [
        path
        for path, space in kept
        if space not in live
        and (space in only or (older_than is not None and now - _stamp(path) > older_than))
    ]
    gone = set(removed)
    if max_bytes is not None:
        total = sum(_size(path) for path in root.rglob("*") if path not in gone)
        for path, space in sorted(kept, key=lambda pair: _stamp(pair[0])):
            if total <= max_bytes:
                break
            if path not in gone and space not in live:
                removed.append(path)
                gone.add(path)
                total -= _size(path)
    left = [path for path, _ in kept if path not in gone]
    removed += _sets_without_rows(root, left)
    removed += _old(root / "videos", older_than, now)
    num_bytes = sum(map(_size, removed))
    if not dry_run:
        for path in removed:
            path.unlink(missing_ok=True)
        for folder in (*folders.values(), root / "sets", root / "videos"):
            if folder.is_dir():
                removed += remove_leftovers(folder, LEFTOVER_SECONDS)
        _remove_empty([f for name, f in folders.items() if name not in live])
    left_alone = tuple(sorted(live & {*folders}))
    return Pruned(files=tuple(removed), num_bytes=num_bytes, in_use=left_alone)


def verify(root: Path) -> Verified:
    """Compare every file with its checksums; damaged ones are set aside, what is sound is kept.

    Raises:
        InputError: there is no such folder.
    """
    damaged: list[tuple[Path, str]] = []
    files, num_bytes = 0, 0
    for folder in _folders(root):
        if _description(folder) is None:
            damaged.append((folder / "space.json", "does not describe this space"))
            with contextlib.suppress(OSError):  # the next run writes it again
                (folder / "space.json").replace(folder / "space.damaged")
        for path in sorted(folder.glob(SHARDS)):
            files, num_bytes = files + 1, num_bytes + _size(path)
            shard = None
            try:
                shard = open_shard(path)
                for _ in shard.blocks():
                    pass
            except FileNotFoundError:  # merged or pruned meanwhile
                continue
            except DamagedShardError as error:
                lost = set_aside(path, shard)
                what = f"features of {len(lost)} clips" if shard else "features"
                damaged.append((path, f"{what} ({error})"))
    for path, content, name in _named_by_content(root):
        files, num_bytes = files + 1, num_bytes + len(content)
        if path.stem != name:
            damaged.append((path, "is not as written"))
            with contextlib.suppress(OSError):
                path.replace(path.with_suffix(".damaged"))
    return Verified(files=files, num_bytes=num_bytes, damaged=tuple(damaged))


def _folders(root: Path) -> list[Path]:
    found = sorted(path.parent for path in root.glob(SPACES))
    if not found and not (root / "runs" / "turn").exists():  # which is left of an empty store
        raise InputError(f"{root}: no store there: give its folder with --store")
    return found


def _description(folder: Path) -> dict[str, Any] | None:
    """What a space says of itself; None if that does not give its name."""
    try:
        described = json.loads((folder / "space.json").read_text(encoding="utf-8"))
        fits = content_key(described).hex()[:16] == folder.name
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return described if fits and isinstance(described, dict) else None


def _shards(paths: list[Path]) -> Iterator[Shard]:
    for path in paths:
        with contextlib.suppress(DamagedShardError, FileNotFoundError):
            yield open_shard(path)


def _sets(root: Path) -> dict[Path, frozenset[bytes]]:
    """The keys of each measured set, by its file."""
    found = {}
    for path in (root / "sets").glob(SETS):
        with contextlib.suppress(FileNotFoundError):
            found[path] = frozenset(_keys(path.read_bytes()))
    return found


def _keys(content: bytes) -> list[bytes]:
    return [content[start : start + KEY_BYTES] for start in range(0, len(content), KEY_BYTES)]


def _sets_without_rows(root: Path, left: list[Path]) -> list[Path]:
    of_space: dict[Path, set[bytes]] = {}
    for shard in _shards(left):
        of_space.setdefault(shard.path.parent, set()).update(shard.keys)
    # A set that was measured just now may be remembered before all see its rows.
    recent = time.time() - LEFTOVER_SECONDS
    return [
        path
        for path, keys in _sets(root).items()
        if _stamp(path) < recent and not any(keys <= there for there in of_space.values())
    ]


def _old(folder: Path, older_than: float | None, now: float) -> list[Path]:
    if older_than is None or not folder.is_dir():
        return []
    return [path for path in folder.glob(VIDEOS) if now - _stamp(path) > older_than]


def _remove_empty(folders: list[Path]) -> None:
    """Remove spaces without rows, unless a run is about to write some."""
    for folder in folders:
        with contextlib.suppress(OSError), lock_now(folder / ".merging") as free:
            ours = {folder / ".merging", folder / "space.json"}
            if free and ours == {*folder.iterdir()}:
                for path in ours:
                    path.unlink()
                folder.rmdir()


def _named_by_content(root: Path) -> Iterator[tuple[Path, bytes, str]]:
    """Small files of a store with the name that their content should have."""
    for path in sorted((root / "sets").glob(SETS)):
        with contextlib.suppress(FileNotFoundError):
            content = path.read_bytes()
            keys = [key.hex() for key in _keys(content)]
            yield path, content, content_key({"clips in order": keys}).hex()
    for path in sorted((root / "videos").glob(VIDEOS)):
        with contextlib.suppress(FileNotFoundError):
            content = path.read_bytes()
            yield path, content, hashlib.sha256(content).hexdigest()[:32]


def _stamp(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0
