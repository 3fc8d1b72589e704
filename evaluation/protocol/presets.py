"""The protocols that have names, and reading others from files."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from evaluation.protocol.fields import Protocol
from latte.data.datasets import dataset
from latte.data.errors import InputError, nearest
from latte.data.schema import convert

STYLEGAN_V = Protocol(
    name="stylegan-v",
    description="fvd2048_16f of StyleGAN-V (Skorokhodov et al., 2022)",
    metrics=("fvd", "is", "fid"),
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
    window="kept",
    short_real="discard",
    real_clips=1,
    fake_clips=1,
    mirror="none",
    seed=0,
    recipe="stylegan-v",
    filter="lanczos",
    size=256,
    storage="jpeg-75",
    network="i3d",
    weights="i3d_torchscript.pt",
    output="logits",
    resize="squash",
    covariance="n",
    precision="float32",
)

STYLEGAN_V_128F = replace(
    STYLEGAN_V,
    name="stylegan-v-128f",
    description="fvd2048_128f of StyleGAN-V: clips of 128 frames",
    metrics=("fvd",),
    num_frames=128,
)

STYLEGAN_V_128F_SUBSAMPLE8F = replace(
    STYLEGAN_V,
    name="stylegan-v-128f-subsample8f",
    description="fvd2048_128f_subsample8f of StyleGAN-V: 16 frames, each the 8th, of both sets",
    metrics=("fvd",),
    real_stride=8,
    fake_stride=8,
)

STYLEGAN_V_FID50K = replace(
    STYLEGAN_V,
    name="stylegan-v-fid50k",
    description="fid50k_full of StyleGAN-V: every real frame, the first 50,000 generated ones",
    metrics=("fid",),
    num_real=0,
    num_fake=50_000,
    real_offset="every",
    fake_offset="every",
    network="inception",
    weights="inception-2015-12-05.pt",
    output="pooled",
    resize="legacy-tensorflow",
)

LATTE = replace(
    STYLEGAN_V,
    name="latte",
    description="fvd2048_16f of the official Latte evaluation: real clips at stride 3",
    metrics=("fvd",),
    real_stride=3,
    real_order="random",
    fake_order="random",
    recipe="latte",
)

CD_FVD = replace(
    STYLEGAN_V,
    name="cd-fvd",
    description="cd-fvd 0.1.1 with I3D: all real videos, 2048 generated clips (Ge et al., 2024)",
    metrics=("fvd",),
    num_real=0,
    real_order="random",
    fake_order="random",
    fake_offset="random",
    fake_clips=2048,
    recipe="cd-fvd",
    filter="bilinear",
    storage="lossless",
    network="i3d-videogpt",
    weights="i3d_pretrained_400.pt",
)

CD_FVD_VIDEOMAE = replace(
    CD_FVD,
    name="cd-fvd-videomae",
    description="content-debiased FVD: cd-fvd 0.1.1 with VideoMAE-v2 (Ge et al., 2024)",
    network="videomae",
    weights="vit_g_hybrid_pt_1200e_ssv2_ft.pth",
    output="pooled",
)

VIDEOGPT = replace(
    CD_FVD,
    name="videogpt",
    description="compute_fvd of VideoGPT (Yan et al., 2021): 256 of all test clips",
    split="test",
    num_real=256,
    num_fake=256,
    real_order="clips",
    fake_order="sorted",
    fake_offset="first",
    real_clips=256,
    fake_clips=1,
    recipe="videogpt",
    size=64,
    resize="crop",
    covariance="n-1",
)

TATS = replace(
    VIDEOGPT,
    name="tats",
    description="FVD and KVD of TATS (Ge et al., 2022): 2048 of all training clips",
    metrics=("fvd", "kvd"),
    split="train",
    num_real=2048,
    num_fake=2048,
    real_clips=2048,
    size=128,
    resize="squash",
)

DIGAN = replace(
    TATS,
    name="digan",
    description="compute_fvd_kvd of DIGAN (Yu et al., 2022): 2048 of all clips",
    split="published",
    recipe="digan",
    resize="crop",
)

PVDM = replace(
    DIGAN,
    name="pvdm",
    description="FVD of PVDM (Yu et al., 2023), as far as its code is released",
    metrics=("fvd",),
    split="train",
    real_order="random",
    real_clips=1,
    size=256,
)

COMMON_METRICS = replace(
    STYLEGAN_V,
    name="common-metrics",
    description="common_metrics_on_video_quality (JunyaoHu): every clip as it is, cropped for I3D",
    metrics=("fvd",),
    num_real=0,
    num_fake=0,
    real_offset="first",
    short_real="error",
    recipe="none",
    storage="lossless",
    resize="crop",
    covariance="n-1",
)

SHAPES = replace(
    STYLEGAN_V,
    name="shapes",
    description="the embedded network, trained on moving shapes: runs anywhere, no download",
    metrics=("fvd", "fid", "is", "kvd", "kid", "precision-recall", "density-coverage"),
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
    protocol.name: protocol
    for protocol in (
        STYLEGAN_V,
        STYLEGAN_V_128F,
        STYLEGAN_V_128F_SUBSAMPLE8F,
        STYLEGAN_V_FID50K,
        LATTE,
        CD_FVD,
        CD_FVD_VIDEOMAE,
        VIDEOGPT,
        TATS,
        DIGAN,
        PVDM,
        COMMON_METRICS,
        SHAPES,
    )
}


# What StyleGAN-V calls its metrics, for those who have the names from there.
ALIASES: Mapping[str, str] = {
    "fvd2048_16f": "stylegan-v",
    "fvd2048_128f": "stylegan-v-128f",
    "fvd2048_128f_subsample8f": "stylegan-v-128f-subsample8f",
    "fid50k_full": "stylegan-v-fid50k",
    "isv2048_ucf": "stylegan-v",
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
    if count is None or protocol.real_offset == "every" or protocol.real_clips > 1:
        return protocol  # its count is not one of videos
    return replace(protocol, num_real=min(protocol.num_real, count))


def load_protocol(name_or_file: str | Path) -> Protocol:
    """A preset by its name or that of StyleGAN-V's metric, or a protocol from a TOML file.

    >>> load_protocol("fvd2048_16f").name
    'stylegan-v'

    Raises:
        InputError: no such preset or file, or a field that is unknown, missing or impossible.
    """
    name = str(name_or_file)
    preset = PRESETS.get(ALIASES.get(name, name))
    if preset is not None:
        return preset
    path = Path(name_or_file)
    if path.suffix != ".toml" and not path.is_file():
        raise InputError(
            f"unknown protocol {name!r}: {nearest(name, list(PRESETS))} (or give a .toml file)"
        )
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such protocol file: give one, or a preset ({', '.join(PRESETS)})"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path}: not a TOML protocol file: {error}") from None
    return protocol_from_fields(table, where=str(path))


def protocol_from_fields(table: Mapping[str, Any], *, where: str) -> Protocol:
    """A protocol from a complete table of fields, or from a `base` preset and what differs.

    Raises:
        InputError: a field is unknown, missing or impossible, or there is no such preset.
    """
    values = dict(table)
    base = values.pop("base", None)
    if base is not None:
        if base not in PRESETS:
            raise InputError(
                f"{where}: base = {base!r} is no preset: {nearest(str(base), list(PRESETS))}"
            )
        values = asdict(PRESETS[base]) | values
    missing = [field.name for field in fields(Protocol) if field.name not in values]
    if missing:
        raise InputError(
            f"{where}: the protocol lacks {', '.join(missing)}: write every field, or "
            'base = "stylegan-v" and the fields that differ'
        )
    return convert(values, Protocol, where)
