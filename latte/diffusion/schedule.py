"""Noise schedules and the choice of fewer steps, in float64."""

import math
from itertools import accumulate
from typing import Literal, get_args

import numpy as np

from latte.data.errors import InputError, nearest

Schedule = Literal["linear", "cosine"]
OTHER_NAMES = {"squaredcos_cap_v2": "cosine"}  # names in diffusers and the official code
Array = np.ndarray


def make_betas(schedule: str, num_steps: int) -> Array:
    """β of each step, float64 (num_steps,).

    linear: 1e-4 … 0.02 at 1000 steps (DDPM, section 4), scaled so that fewer steps end alike.
    cosine: ᾱ(s) = cos²((s + 0.008) / 1.008 · π/2), β at most 0.999 (improved DDPM, eq. 17).

    Raises:
        InputError: there is no such schedule, or no step.
    """
    if num_steps < 1:
        raise InputError(f"num_steps = {num_steps}: a diffusion needs at least 1 step")
    if schedule == "linear":
        scale = 1000 / num_steps
        betas = np.linspace(scale * 1e-4, scale * 0.02, num_steps, dtype=np.float64)
        if betas[-1] >= 1:
            raise InputError(f"num_steps = {num_steps}: the linear schedule needs at least 21")
        return betas
    if schedule == "cosine":
        ends = np.arange(num_steps + 1, dtype=np.float64) / num_steps
        alpha_bars = np.cos((ends + 0.008) / 1.008 * math.pi / 2) ** 2
        return np.minimum(1 - alpha_bars[1:] / alpha_bars[:-1], 0.999)
    if schedule in OTHER_NAMES:
        raise InputError(f"no noise schedule {schedule!r}: did you mean {OTHER_NAMES[schedule]}?")
    raise InputError(f"no noise schedule {schedule!r}: {nearest(schedule, get_args(Schedule))}")


def respaced_timesteps(num_steps: int, respacing: str | int | None) -> list[int]:
    """The kept steps of `num_steps`, ascending.

    Args:
        respacing: None or "" keeps all; "250" keeps 250 at even distances, the first and the last
            included; "10,15,25" takes so many of each of three equal sections; "ddim25" takes
            every k-th from 0, with the k that gives 25.

    >>> respaced_timesteps(1000, "4")
    [0, 333, 666, 999]
    >>> respaced_timesteps(1000, "ddim4")
    [0, 250, 500, 750]

    Raises:
        InputError: not so many steps can be taken.
    """
    if not respacing:
        return list(range(num_steps))
    respacing = str(respacing)
    counts = _counts(respacing)
    if respacing.startswith("ddim"):
        for stride in range(1, num_steps + 1):
            if len(range(0, num_steps, stride)) == counts[0]:
                return list(range(0, num_steps, stride))
        raise InputError(f"no whole stride takes {counts[0]} of {num_steps} steps: {respacing!r}")
    timesteps: list[int] = []
    start = 0
    for index, count in enumerate(counts):
        size = num_steps // len(counts) + (index < num_steps % len(counts))
        if not 1 <= count <= size:
            raise InputError(f"{count} steps cannot be taken of {size}: {respacing!r}")
        between = (size - 1) / (count - 1) if count > 1 else 1.0
        # Added up step by step, as the official code does: the same roundings.
        places = accumulate([0.0, *[between] * (count - 1)])
        timesteps += [start + round(place) for place in places]
        start += size
    return timesteps


def _counts(respacing: str) -> list[int]:
    try:
        counts = [int(part) for part in respacing.removeprefix("ddim").split(",")]
    except ValueError:
        counts = []
    if not counts or min(counts) < 1 or (respacing.startswith("ddim") and len(counts) > 1):
        raise InputError(f'respacing {respacing!r}: give a number of steps, as "250" or "ddim25"')
    return counts
