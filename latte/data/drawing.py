"""Anti-aliased shapes as arrays, the same to the last bit on every machine.

Only +, −, ×, ÷, √, |·|, floor, min and max are used, which IEEE 754 defines to the last bit, each
in a numpy call of its own, which no compiler can fuse with the next. Sines therefore are a
polynomial of ours and not the C library's. What is drawn depends on no other frame or pixel.

Coordinates: the frame is the unit square, x to the right, y downwards. A shape's own coordinates
have its centre at 0, v upwards, and reach a radius of about 1.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

Array = np.ndarray

# Taylor coefficients of the sine in y = 2π·turns, up to y¹⁵: the error is below 1e-11 on ±π/2.
_TAU = 6.283185307179586
_SINE = (
    1.0,
    -1 / 6,
    1 / 120,
    -1 / 5040,
    1 / 362880,
    -1 / 39916800,
    1 / 6227020800,
    -1 / 1307674368000,
)
_SIN_36, _COS_36 = 0.5877852522924731, 0.8090169943749475
_SIN_60 = 0.8660254037844386


def sine(turns: Array) -> Array:
    """sin(2π · turns)."""
    within = turns - np.floor(turns + 0.5)  # −½ … ½
    mirrored = np.copysign(0.5, within) - within
    y = _TAU * np.where(np.abs(within) > 0.25, mirrored, within)
    square = y * y
    total = np.full_like(y, _SINE[-1])
    for coefficient in _SINE[-2::-1]:
        total = total * square + coefficient
    return y * total


def cosine(turns: Array) -> Array:
    """cos(2π · turns)."""
    return sine(turns + 0.25)


def reflect(position: Array, low: float, high: float) -> Array:
    """A point that moves at constant speed between two walls: a triangle wave in [low, high]."""
    width = high - low
    laps = (position - low) / (2 * width)
    return low + width * np.abs(2 * (laps - np.floor(laps + 0.5)))


# Distances from the outline, negative inside, in the shape's own coordinates. Outside a corner the
# distance is that to the nearest edge's line, or to the circle around the tips: it differs from the
# true one by less than a pixel where coverage is neither 0 nor 1.


def _circle(x: Array, v: Array, radius: float = 1.0) -> Array:
    return np.sqrt(x * x + v * v) - radius


def _ring(x: Array, v: Array) -> Array:
    return np.abs(_circle(x, v, 0.76)) - 0.24


def _square(x: Array, v: Array) -> Array:
    return np.maximum(np.abs(x), np.abs(v)) - 0.84


def _triangle(x: Array, v: Array) -> Array:
    slanted = _SIN_60 * np.abs(x) + 0.5 * v
    return np.maximum(np.maximum(slanted, -v) - 0.56, _circle(x, v, 1.1))


def _star(x: Array, v: Array) -> Array:
    """Five points: folded into the tenth of the plane from a tip to a notch, one line is left."""
    around = _circle(x, v, 1.15)
    x = np.abs(x)
    for _ in range(2):
        beyond = 2 * np.maximum(_COS_36 * x - _SIN_36 * v, 0.0)
        x, v = np.abs(x - beyond * _COS_36), v + beyond * _SIN_36
    # The edge goes from the tip (0, 1.16) to the notch at radius 0.52.
    edge_x, edge_v = 0.52 * _SIN_36, 0.52 * _COS_36 - 1.16
    length = math.sqrt(edge_x * edge_x + edge_v * edge_v)
    return np.maximum((edge_x * (v - 1.16) - edge_v * x) / length, around)


OUTLINES: Mapping[str, Callable[[Array, Array], Array]] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "ring": _ring,
}


@dataclass(frozen=True, kw_only=True)
class Pose:
    """Where a shape is in each of T frames: arrays (T,)."""

    x: Array  # centre, 0 … 1
    y: Array
    radius: Array  # share of the frame
    turns: Array  # anticlockwise


def background(near: Array, far: Array, direction: float, size: int) -> Array:
    """A linear gradient from one colour (3,) to another, float64 (S, S, 3), in grey levels."""
    centres = (np.arange(size) + 0.5) / size - 0.5
    turns = np.array([direction])
    across, down = cosine(turns)[0], sine(turns)[0]
    along = across * centres[None, :] + down * centres[:, None]
    reach = (abs(across) + abs(down)) / 2
    share = (along / (2 * reach) + 0.5)[..., None]
    return near + share * (far - near)


def paint(canvas: Array, pose: Pose, shape: str, colour: Array, light: Array) -> None:
    """Draw one shape, lighter at its own upper left, and its soft shadow, over each frame in place.

    Args:
        canvas: float64 (T, S, S, 3), grey levels 0 … 255.
        colour: (3,), in the shade; `light` (3,) is the colour in full light.
    """
    size = canvas.shape[1]
    shadow = _coverage(pose, shape, size, softness=3.5 + 0.06 * size, shift=0.035)[0]
    canvas *= (1.0 - 0.3 * shadow)[..., None]
    coverage, x, v = _coverage(pose, shape, size)
    lit = np.clip(0.45 + 0.4 * v - 0.25 * x, 0.0, 1.0)[..., None]
    canvas += coverage[..., None] * (colour + lit * (light - colour) - canvas)


def to_uint8(canvas: Array) -> Array:
    """Grey levels, rounded."""
    return np.clip(np.floor(canvas + 0.5), 0, 255).astype(np.uint8)


def _coverage(
    pose: Pose, shape: str, size: int, *, softness: float = 1.0, shift: float = 0.0
) -> tuple[Array, Array, Array]:
    """Share of each pixel inside the shape, (T, S, S), and the shape's own coordinates there.

    The edge is a ramp of `softness` pixels; `shift` moves the shape right and down by that share of
    the frame.
    """
    centres = (np.arange(size) + 0.5) / size - shift
    inverse = 1.0 / pose.radius
    cos, sin = cosine(pose.turns) * inverse, sine(pose.turns) * inverse
    dx = centres[None, :] - pose.x[:, None]  # (T, S)
    dv = pose.y[:, None] - centres[None, :]
    x = (cos[:, None] * dx)[:, None, :] + (sin[:, None] * dv)[:, :, None]  # (T, S, S)
    v = (cos[:, None] * dv)[:, :, None] - (sin[:, None] * dx)[:, None, :]
    distance = OUTLINES[shape](x, v) * (pose.radius * (size / softness))[:, None, None]
    return np.clip(0.5 - distance, 0.0, 1.0), x, v
