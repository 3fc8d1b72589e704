"""The protocols that have names (`presets.toml`), and reading others from files."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from evaluation.protocol.fields import Protocol
from latte.data.datasets import dataset
from latte.data.errors import InputError, nearest
from latte.data.schema import convert, read_toml, shown

PRESETS: dict[str, Protocol] = {}

# What StyleGAN-V calls its metrics, for those who have the names from there.
ALIASES: Mapping[str, str] = {
    "fvd2048_16f": "stylegan-v",
    "fvd2048_128f": "stylegan-v-128f",
    "fvd2048_128f_subsample8f": "stylegan-v-128f-subsample8f",
    "fid50k_full": "stylegan-v-fid50k",
    "isv2048_ucf": "stylegan-v",
}


def protocol_from_fields(table: Mapping[str, Any], *, where: str) -> Protocol:
    """A protocol from a complete table of fields, or from a `base` preset and what differs.

    Raises:
        InputError: a field is unknown, missing or impossible, or there is no such preset.
    """
    values = dict(table)
    base = values.pop("base", None)
    if base is not None:
        if not isinstance(base, str) or base not in PRESETS:
            raise InputError(
                f"{where}: base = {shown(base)} is no preset: {nearest(str(base), list(PRESETS))}"
            )
        values = asdict(PRESETS[base]) | values
    missing = [field.name for field in fields(Protocol) if field.name not in values]
    if missing:
        raise InputError(
            f"{where}: the protocol lacks {', '.join(missing)}: write every field, or "
            'base = "stylegan-v" and the fields that differ'
        )
    return convert(values, Protocol, where)


_FILE = Path(__file__).with_suffix(".toml")
for _name, _table in tomllib.loads(_FILE.read_text(encoding="utf-8")).items():
    PRESETS[_name] = protocol_from_fields({"name": _name, **_table}, where=f"{_FILE}, {_name}")
STYLEGAN_V, LATTE, SHAPES = (PRESETS[name] for name in ("stylegan-v", "latte", "shapes"))


def for_dataset(protocol: Protocol, dataset_name: str | None) -> Protocol:
    """A preset with what its source does differently on one data set.

    The official Latte evaluation takes real clips of Taichi-HD at stride 6 (Vchitect/Latte#115).
    """
    if protocol == LATTE and dataset_name == "taichi-hd":
        return replace(protocol, real_stride=6)
    return protocol


def published_protocol(dataset_name: str | None, protocol: Protocol = LATTE) -> Protocol:
    """The protocol as the papers' figures on this data set were made with it.

    A data set with fewer videos than the protocol takes gives all it has (FaceForensics: 704).
    """
    protocol = for_dataset(protocol, dataset_name)
    if dataset_name is None:
        return protocol
    known = dataset(dataset_name)
    count = known.splits[known.fvd_split]
    if not count or protocol.real_offset == "every" or protocol.real_clips > 1:
        return protocol  # its count is not one of videos
    return replace(protocol, num_real=min(protocol.num_real, count))


def load_protocol(name_or_file: str | Path) -> Protocol:
    """A preset by its name or that of StyleGAN-V's metric, or a protocol from a TOML file.

    >>> load_protocol("fvd2048_16f").name
    'stylegan-v'

    Raises:
        InputError: no such preset or file, or a field that is unknown, missing or impossible.
    """
    if not isinstance(name_or_file, str | Path):
        raise InputError(f"protocol={name_or_file!r}: give the name of a preset or a .toml file")
    name = str(name_or_file)
    preset = PRESETS.get(ALIASES.get(name, name))
    if preset is not None:
        return preset
    path = Path(name_or_file)
    if path.suffix != ".toml" and not path.is_file():
        raise InputError(
            f"unknown protocol {name!r}: {nearest(name, list(PRESETS))} (or give a .toml file)"
        )
    advice = f"give a protocol file, or a preset ({', '.join(PRESETS)})"
    table = read_toml(path, "a TOML protocol file", advice)
    return protocol_from_fields(table, where=str(path))
