"""`latte-eval cache list | prune | verify`: the features that are kept for later runs."""

import json
import re
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from evaluation.cli.options import AsJson, Store
from latte.data.errors import InputError, some_of

UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
SECONDS = {"h": 3600, "d": 86400, "w": 7 * 86400}


def cache_list(store: Store = None, as_json: AsJson = False) -> None:
    """Show feature spaces: network, implementation, rows, size, last use and measured sets.

    The rows of a space are of one network, with its weights and implementation, on one kind of
    device.

    latte-eval cache list
    """
    from tabulate import tabulate

    from evaluation.features.upkeep import spaces

    root = _root(store)
    found = spaces(root)
    if as_json:
        typer.echo(json.dumps({"store": str(root), "spaces": list(map(asdict, found))}))
        return
    rows = [
        {
            "space": space.id,
            "network": "?" if space.network is None else f"{space.network} {space.output}",
            "weights": (space.weights_sha256 or "–")[:12],
            "implementation": f"{space.implementation or '–'} ({space.device or '–'})",
            "rows": f"{space.rows:,}",
            "size": readable_size(space.num_bytes),
            "last used": datetime.fromtimestamp(space.last_used).strftime("%Y-%m-%d %H:%M"),
            "sets": space.sets,
            "notes": ", ".join(
                note
                for note, applies in (
                    ("in use", space.in_use),
                    (f"{space.damaged_files} damaged files set aside", space.damaged_files),
                )
                if applies
            ),
        }
        for space in found
    ]
    if rows:
        typer.echo(tabulate(rows, headers="keys", disable_numparse=True))
    total = readable_size(sum(space.num_bytes for space in found))
    typer.echo(f"{root}: {len(found)} spaces, {total}")


def cache_prune(
    older_than: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Remove rows not used for so long: 12h, 30d, 8w."),
    ] = None,
    max_size: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Remove rows until the store is no larger, longest unused first: 500MB, 10GB.",
        ),
    ] = None,
    space: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Remove a whole space (see cache list). Repeatable."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")
    ] = False,
    store: Store = None,
) -> None:
    """Remove features that are not needed any more; what is removed is extracted again if it is.

    Damaged and unfinished files, and sets without rows, go in any case. Spaces in which a run is
    extracting are left alone.

    latte-eval cache prune --older-than 30d --max-size 10GB
    """
    from evaluation.features.upkeep import prune

    root = _root(store)
    done = prune(
        root,
        older_than=None if older_than is None else seconds_of(older_than),
        max_bytes=None if max_size is None else bytes_of(max_size),
        only=space or (),
        dry_run=dry_run,
    )
    if dry_run:
        for path in done.files:
            typer.echo(path)
    what = "would remove" if dry_run else "removed"
    typer.echo(f"{root}: {what} {len(done.files)} files, {readable_size(done.num_bytes)}")
    if done.in_use:
        typer.echo(f"left alone, as a run is extracting: {', '.join(done.in_use)}")


def cache_verify(store: Store = None) -> None:
    """Compare every file with its checksums; set damaged ones aside and name them.

    Their rows are extracted again when they are needed. Exits with 2 if a file is damaged.

    latte-eval cache verify
    """
    from evaluation.features.upkeep import verify

    root = _root(store)
    found = verify(root)
    for path, problem in found.damaged:
        typer.echo(f"{path}: {problem}")
    typer.echo(f"{root}: checked {found.files} files, {readable_size(found.num_bytes)}")
    if found.damaged:
        names = some_of([path.name for path, _ in found.damaged])
        raise InputError(
            f"{root}: {len(found.damaged)} of {found.files} files were damaged ({names}) and are "
            "set aside: the next run that needs their rows extracts them again"
        )


def readable_size(num_bytes: int) -> str:
    """A size as people read it.

    >>> readable_size(999), readable_size(1_500_000), readable_size(41_000_000_000)
    ('999 B', '1.5 MB', '41.0 GB')
    """
    unit = [name for name in UNITS if num_bytes >= UNITS[name] or name == "B"][-1]
    return f"{num_bytes} B" if unit == "B" else f"{num_bytes / UNITS[unit]:.1f} {unit}"


def bytes_of(text: str) -> int:
    """A size that a user wrote.

    >>> bytes_of("10GB"), bytes_of("1.5 MB")
    (10000000000, 1500000)
    """
    known = {unit.lower(): factor for unit, factor in UNITS.items()}
    match = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*([kmgt]?b)", text.strip().lower())
    if match is None:
        raise InputError(f"--max-size {text}: give a number and a unit, such as 500MB or 10GB")
    return int(float(match[1]) * known[match[2]])


def seconds_of(text: str) -> float:
    """A time that a user wrote.

    >>> seconds_of("30d")
    2592000.0
    """
    match = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*([hdw])", text.strip().lower())
    if match is None:
        raise InputError(f"--older-than {text}: give a number and a unit, such as 12h, 30d or 8w")
    return float(match[1]) * SECONDS[match[2]]


def _root(store: Path | None) -> Path:
    from evaluation.features.store import default_store

    return store or default_store()
