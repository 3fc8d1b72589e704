"""The kinds of files that are damaged: how a sound one is made, and the command that reads it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.studies.torture.mutations import Style
from benchmarks.studies.torture.originals import (
    MEASURE,
    TRAINING,
    VIDEOS,
    Encoding,
    can_encode,
    make_array,
    make_configuration,
    make_official,
    make_pictures,
    make_protocol,
    make_results,
    make_statistics,
    make_store,
    make_training,
    make_videos,
    make_weights,
)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of file.

    `make` writes sound files into an empty folder, in which the command then works. It is to give
    the same bytes on every call.
    """

    name: str
    group: str  # heads its rows in the table
    make: Callable[[Path], None]
    file: str  # the file that is damaged, in that folder
    command: str  # works in that folder, and ends with 0 before the damage
    styles: tuple[Style, ...] = ("bytes",)
    is_video: bool = False
    product: str = ""  # a file that the command writes, which says more than what it prints


def _video(name: str, encoding: Encoding) -> Kind:
    return Kind(
        name=name.replace(".", "-"),
        group="Videos",
        make=partial(make_videos, name, encoding),
        file=f"fake/a-{name}",
        command=MEASURE.format(fake="fake"),
        is_video=True,
    )


def _measured(name: str, make: Callable[[str, Path], None], *styles: Style) -> Kind:
    return Kind(
        name=name.replace(".", "-"),
        group="Arrays",
        make=partial(make, name),
        file=name,
        command=MEASURE.format(fake=name),
        styles=styles,
    )


_picture = partial(Kind, group="Pictures", command=MEASURE.format(fake="fake"))
_of_statistics = partial(Kind, group="Statistics")
_KINDS = (
    *(_video(name, encoding) for name, encoding in VIDEOS.items()),
    _measured("fake.npy", make_array, "bytes", "header"),
    _measured("stored.npz", make_array, "bytes", "zip"),
    _measured("deflated.npz", make_array, "bytes", "zip"),
    _measured("fake.safetensors", make_array, "bytes", "header"),
    _picture(name="png", make=partial(make_pictures, "png"), file="fake/a/000003.png"),
    _picture(name="jpg", make=partial(make_pictures, "jpg"), file="fake/a/000003.jpg"),
    _of_statistics(
        name="statistics-npz",
        make=partial(make_statistics, "ours.npz"),
        file="ours.npz",
        command="latte-eval stats show ours.npz --json",
        styles=("bytes", "zip"),
    ),
    _of_statistics(
        name="statistics-safetensors",
        make=partial(make_statistics, "ours.safetensors"),
        file="ours.safetensors",
        command=MEASURE.format(fake="fake.npy").replace("real.npy", "ours.safetensors"),
        styles=("bytes", "header"),
    ),
    _of_statistics(
        name="statistics-foreign",
        make=partial(make_statistics, "foreign.npz"),
        file="foreign.npz",
        command="latte-eval stats import foreign.npz --protocol shapes --count 80 --out new.npz",
        styles=("bytes", "zip"),
    ),
    Kind(
        name="results",
        group="Results",
        make=make_results,
        file="results.jsonl",
        command="latte-eval compare results.jsonl --permutations 0 --quiet",
        styles=("bytes", "text"),
    ),
    Kind(
        name="store",
        group="Store",
        make=make_store,
        file="store/**/*.safetensors",
        command=f"{MEASURE.format(fake='fake.npy')} --store store",
    ),
    Kind(
        name="checkpoint",
        group="Checkpoints",
        make=make_training,
        file="run/checkpoints/0000002/ema.safetensors",
        command="latte convert run/checkpoints/0000002/ema.safetensors new.safetensors",
        styles=("bytes", "header"),
        product="new.safetensors",
    ),
    Kind(
        name="checkpoint-official",
        group="Checkpoints",
        make=make_official,
        file="official.pt",
        command="latte convert official.pt new.safetensors --num-heads 2",
        styles=("bytes", "zip"),
        product="new.safetensors",
    ),
    Kind(
        name="training-state",
        group="Checkpoints",
        make=make_training,
        file="run/checkpoints/0000002/state.safetensors",
        command=f"latte train shapes-tiny {TRAINING.format(3)}",
        styles=("bytes", "header"),
        product="run/checkpoints/0000003/ema.safetensors",
    ),
    Kind(
        name="weights",
        group="Checkpoints",
        make=make_weights,
        file="weights.safetensors",
        command=f"{MEASURE.format(fake='fake.npy')} --weights weights.safetensors",
        styles=("bytes", "header"),
    ),
    Kind(
        name="protocol",
        group="Configurations",
        make=make_protocol,
        file="protocol.toml",
        command="latte-eval protocols show protocol.toml",
        styles=("bytes", "text", "text"),
    ),
    Kind(
        name="configuration",
        group="Configurations",
        make=make_configuration,
        file="training.toml",
        command="latte train training.toml --show",
        styles=("bytes", "text", "text"),
    ),
)
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _KINDS}


def available_kinds() -> list[Kind]:
    """The kinds whose sound files can be made here."""
    return [kind for kind in KINDS.values() if not kind.is_video or can_encode(_encoding_of(kind))]


def _encoding_of(kind: Kind) -> Encoding:
    return VIDEOS[kind.file.removeprefix("fake/a-")]
