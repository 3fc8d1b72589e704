"""The scales of the runners."""

from collections.abc import Mapping
from typing import Literal, get_args

from latte.data.errors import InputError, nearest

Scale = Literal["tiny", "small", "paper"]
SCALES: tuple[Scale, ...] = get_args(Scale)

MEANINGS: Mapping[Scale, str] = {
    "tiny": "small trainings on the embedded data set: minutes on two cores, nothing to fetch",
    "small": "the embedded data set at 32×32: for figures one GPU, for tables two cores, about an "
    "hour each",
    "paper": "the paper's settings: its data sets, its weights, several GPUs",
}


def as_scale(name: str) -> Scale:
    """The scale of this name.

    Raises:
        InputError: there is none; the message has them all.
    """
    for scale in SCALES:
        if name == scale:
            return scale
    raise InputError(f"no scale is called {name!r}: {nearest(name, SCALES)}")


def name_at(name: str, scale: Scale) -> str:
    """What a folder of results is called: those at different scales never mix.

    >>> name_at("figure7", "tiny"), name_at("figure7", "small")
    ('figure7', 'figure7-small')
    """
    return name if scale == "tiny" else f"{name}-{scale}"
