"""Figures as the paper prints them, decimals included, each with its source."""

from importlib.resources import files

import pandas as pd

NAMES = ("fvd", "is_fid", "in_text", "sizes", "variants", "vbench")


def published(name: str) -> pd.DataFrame:
    """One of the paper's tables, every entry as the text that is printed there.

    Numbers stay text (`"34.00"`), because a column of floats would forget the paper's decimals.

    Args:
        name: one of `NAMES`.

    Returns:
        A frame in the paper's order, with a `source` column. An empty entry is `""`.

    Raises:
        ValueError: no such table.
    """
    if name not in NAMES:
        raise ValueError(f"no published table {name!r}: known are {', '.join(NAMES)}")
    resource = files(__name__).joinpath(f"{name}.csv")
    with resource.open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype=str, keep_default_na=False)
