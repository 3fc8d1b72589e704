"""Progress bars on stderr."""

import sys
from typing import Any

from tqdm import tqdm


def progress_bar(
    total: int, label: str, unit: str, *, shown: bool, initial: int = 0
) -> "tqdm[Any]":
    """A bar; where stderr is no terminal but a log, it is written every 15 seconds alone."""
    return tqdm(
        total=total,
        initial=initial,
        desc=label,
        unit=unit,
        disable=not shown,
        mininterval=0.5 if sys.stderr.isatty() else 15.0,
    )
