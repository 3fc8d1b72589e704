"""Damage to a file's bytes. The seed of a mutant decides all of it.

A damage changes bytes by a random stream, and says what it did. `mutated` draws those that fit the
file.
"""

import io
import re
import zipfile
from collections.abc import Callable
from random import Random
from typing import Literal, NamedTuple

HEADER = 512  # most formats describe themselves here; half of all damage is done to it
EXTREMES = (b"\x00", b"\xff", b"\x7f", b"\x80", b"\x01")
HEADER_TEXT = 4_096  # the headers of tensor files are longer
NESTED = 10_000  # parsers that recurse fail before that
# What stands in place of a number in a text or a header: limits, no numbers, other types.
VALUES = (
    *("0", "-1", "1", "2147483648", "-9223372036854775809", "18446744073709551616", "1e308"),
    *("1e-320", "NaN", "Infinity", "nan", "inf", "null", "true", '""', '"a"', "[]", "{}", "0x10"),
    *("9" * 5_000, "[" * NESTED, "[" * NESTED + "]" * NESTED, '{"a":' * NESTED, "1" + "0" * 30),
)
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")

Damage = Callable[[bytearray, Random], str]
Style = Literal["bytes", "text", "header", "zip"]


class Mutation(NamedTuple):
    """A damaged file, and what was done to it."""

    data: bytes
    note: str


def mutated(data: bytes, seed: str, styles: tuple[Style, ...]) -> Mutation:
    """The mutant of these bytes with this seed.

    Args:
        styles: what fits the file: "bytes" any; "text" numbers and lines of a text; "header"
            numbers of its first bytes; "zip" the same inside a member, whose checksum is made anew.
    """
    random = Random(seed)
    style = random.choice(styles)
    if style == "zip":
        return _inside_zip(data, random)
    changed = bytearray(data)
    notes = []
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        damage = random.choice(_DAMAGES[style])
        notes.append(damage(changed, random))
    return Mutation(bytes(changed), "; ".join(notes))


def _place(data: bytearray, random: Random) -> int:
    """An offset, in the header every other time."""
    end = len(data) if random.random() < 0.5 else min(HEADER, len(data))
    return random.randrange(max(end, 1))


def _range(data: bytearray, random: Random) -> tuple[int, int]:
    """A range of at most a quarter of the file, mostly short."""
    start = _place(data, random)
    longest = max(len(data) // 4, 1)
    return start, min(start + 1 + int(longest ** random.random()), len(data))


def _flip_bits(data: bytearray, random: Random) -> str:
    if not data:
        return "no bit to flip"
    places = [_place(data, random) for _ in range(random.choice((1, 1, 8, 64)))]
    for place in places:
        data[place] ^= 1 << random.randrange(8)
    return f"flipped a bit of {len(places)} bytes from {min(places)} to {max(places)}"


def _overwrite(data: bytearray, random: Random) -> str:
    start, end = _range(data, random)
    data[start:end] = random.randbytes(end - start)
    return f"wrote random bytes over {start}–{end}"


def _set_extreme(data: bytearray, random: Random) -> str:
    """Fields of 1, 2, 4 or 8 bytes to a limit of theirs, of either order."""
    size = random.choice((1, 2, 4, 8))
    start = _place(data, random) // size * size
    value = random.choice(EXTREMES)
    field = random.choice(
        (value * size, value + b"\xff" * (size - 1), value + b"\x00" * (size - 1))
    )
    data[start : start + size] = field if random.random() < 0.5 else field[::-1]
    return f"set bytes {start}–{start + size} to {field.hex()}"


def _zero(data: bytearray, random: Random) -> str:
    start, end = _range(data, random)
    data[start:end] = bytes(end - start)
    return f"zeroed {start}–{end}"


def _truncate(data: bytearray, random: Random) -> str:
    kept = _place(data, random) if random.random() < 0.5 else random.randrange(len(data) + 1)
    del data[kept:]
    return f"cut off after {kept} bytes"


def _insert(data: bytearray, random: Random) -> str:
    start = _place(data, random)
    piece = random.randbytes(random.choice((1, 2, 4, 16, 1_000)))
    data[start:start] = piece
    return f"inserted {len(piece)} bytes at {start}"


def _remove(data: bytearray, random: Random) -> str:
    start, end = _range(data, random)
    del data[start:end]
    return f"removed {start}–{end}"


def _repeat(data: bytearray, random: Random) -> str:
    start, end = _range(data, random)
    data[end:end] = data[start:end]
    return f"repeated {start}–{end}"


def _swap(data: bytearray, random: Random) -> str:
    """Two ranges of one size change places."""
    start, end = _range(data, random)
    size = min(end - start, len(data) // 2)
    other = random.randrange(max(len(data) - size, 1))
    if abs(other - start) < size:
        return _repeat(data, random)
    first, second = sorted((start, other))
    data[first : first + size], data[second : second + size] = (
        data[second : second + size],
        data[first : first + size],
    )
    return f"swapped {first}–{first + size} and {second}–{second + size}"


def _append(data: bytearray, random: Random) -> str:
    size = random.choice((1, 100, 10_000))
    data += random.randbytes(size)
    return f"appended {size} bytes"


def _replace_number(data: bytearray, random: Random, end: int | None = None) -> str:
    numbers = list(_NUMBER.finditer(bytes(data[:end])))
    if not numbers:
        return _flip_bits(data, random)
    number = random.choice(numbers)
    value = random.choice(VALUES)
    data[number.start() : number.end()] = value.encode()
    shown = value if len(value) < 40 else f"{value[:20]}… ({len(value)} characters)"
    return f"wrote {shown} over the number at {number.start()}"


def _replace_header_number(data: bytearray, random: Random) -> str:
    return _replace_number(data, random, HEADER_TEXT)


def _swap_lines(data: bytearray, random: Random) -> str:
    """Two lines change places, or one is repeated or lost."""
    lines = bytes(data).split(b"\n")
    first, second = random.randrange(len(lines)), random.randrange(len(lines))
    what = random.choice(("swapped", "repeated", "removed"))
    if what == "swapped":
        lines[first], lines[second] = lines[second], lines[first]
    elif what == "repeated":
        lines.insert(second, lines[first])
    else:
        del lines[first]
    data[:] = b"\n".join(lines)
    return f"{what} line {first + 1}"


def _inside_zip(data: bytes, random: Random) -> Mutation:
    """Damage to a member of an archive, whose directory and checksums are right again."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info, archive.read(info)) for info in archive.infolist()]
    chosen = random.randrange(len(members))
    content = bytearray(members[chosen][1])
    note = random.choice((*_ANYWHERE, _replace_header_number))(content, random)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for number, (info, member) in enumerate(members):
            copy = zipfile.ZipInfo(info.filename)
            archive.writestr(
                copy, bytes(content) if number == chosen else member, info.compress_type
            )
    return Mutation(written.getvalue(), f"{members[chosen][0].filename}: {note}")


_ANYWHERE: tuple[Damage, ...] = (
    *(_flip_bits, _flip_bits, _overwrite, _set_extreme, _set_extreme, _zero, _truncate, _insert),
    *(_remove, _repeat, _swap, _append),
)
_DAMAGES: dict[str, tuple[Damage, ...]] = {
    "bytes": _ANYWHERE,
    "text": (_replace_number, _replace_number, _replace_number, _swap_lines),
    "header": (_replace_header_number, _set_extreme),
}
