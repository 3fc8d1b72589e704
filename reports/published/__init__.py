"""Figures as the paper prints them, decimals included, each with its source."""

from importlib.resources import files

import pandas as pd


def published(name: str) -> pd.DataFrame:
    """One of the paper's tables, every entry as the text that is printed there.

    Numbers stay text (`"34.00"`), because a column of floats would forget the paper's decimals.

    Args:
        name: `fvd`, `is_fid`, `in_text`, `sizes`, `variants` or `vbench`.

    Returns:
        A frame in the paper's order, with a `source` column. An empty entry is `""`.
    """
    resource = files(__name__).joinpath(f"{name}.csv")
    with resource.open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype=str, keep_default_na=False)
