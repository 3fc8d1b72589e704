"""The protocols that have names, and reading others from files."""

import tomllib
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from evaluation.protocol import Protocol, checked
from latte.data.command_line import nearest
from latte.data.datasets import dataset
from latte.data.errors import InputError

STYLEGAN_V = Protocol(
    name="stylegan-v",
    description="fvd2048_16f of StyleGAN-V (Skorokhodov et al., 2022)",
    split="published",
    num_real=2048,
    num_fake=2048,
    num_frames=16,
    real_stride=1,
    fake_stride=1,
    real_order="sorted",
    fake_order="sorted",
    real_offset="random",
    fake_offset="first",
    short_real="discard",
    seed=0,
    recipe="stylegan-v",
    size=256,
    storage="jpeg-75",
    network="i3d",
    weights="i3d_torchscript.pt",
    output="logits",
    covariance="n",
    precision="float32",
)

LATTE = replace(
    STYLEGAN_V,
    name="latte",
    description="fvd2048_16f of the official Latte evaluation: real clips at stride 3",
    real_stride=3,
    real_order="random",
    fake_order="random",
    recipe="latte",
)

SHAPES = replace(
    STYLEGAN_V,
    name="shapes",
    description="the embedded network, trained on moving shapes: runs anywhere, no download",
    split="test",
    num_real=512,
    num_fake=512,
    real_offset="first",
    short_real="error",
    recipe="latte",
    size=32,
    storage="lossless",
    network="shapes",
    weights="bundled",
    output="pooled",
)

PRESETS: Mapping[str, Protocol] = {
    protocol.name: protocol for protocol in (STYLEGAN_V, LATTE, SHAPES)
}


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
    return replace(protocol, num_real=min(protocol.num_real, count or protocol.num_real))


def load_protocol(name_or_file: str) -> Protocol:
    """A preset by name, or a protocol from a TOML file.

    Raises:
        InputError: no such preset or file, or a field that is unknown, missing or impossible.
    """
    if name_or_file in PRESETS:
        return PRESETS[name_or_file]
    path = Path(name_or_file)
    if path.suffix != ".toml" and not path.is_file():
        raise InputError(
            f"unknown protocol {name_or_file!r}: {nearest(name_or_file, list(PRESETS))} "
            "(or give a .toml file)"
        )
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such protocol file; presets: {', '.join(PRESETS)}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path}: not a TOML protocol file: {error}") from None
    return protocol_from_fields(table, where=str(path))


def protocol_from_fields(table: Mapping[str, Any], *, where: str) -> Protocol:
    """A protocol from a complete table of fields, or from a `base` preset and what differs."""
    values = dict(table)
    base = values.pop("base", None)
    known = [field.name for field in fields(Protocol)]
    for key in values:
        if key not in known:
            raise InputError(f"{where}: a protocol has no field {key!r}: {nearest(key, known)}")
    if base is not None:
        if base not in PRESETS:
            raise InputError(
                f"{where}: base {base!r} is no preset: {nearest(str(base), list(PRESETS))}"
            )
        return checked(lambda: replace(PRESETS[base], **values), where)
    missing = [name for name in known if name not in values]
    if missing:
        raise InputError(
            f"{where}: the protocol lacks {', '.join(missing)}; write every field, or "
            'base = "stylegan-v" and the fields that differ'
        )
    return checked(lambda: Protocol(**values), where)
