"""What differs in how two results were measured."""

from typing import NamedTuple

from evaluation.protocol.deviations import Deviation, differences
from evaluation.results.record import Result, SetRecord

# Fields that decide which real clips there are: if one of them differs, other clips follow from it.
REAL_CLIP_FIELDS = frozenset(
    {
        *("split", "num_real", "real_stride", "real_order", "real_offset", "real_clips"),
        *("short_real", "num_frames", "window", "mirror", "seed"),
        *("recipe", "filter", "size", "storage"),
    }
)
HASH_DIGITS = 12  # digits of a hash that are shown


class ComparedSettings(NamedTuple):
    """What has to be equal for two values of a metric to be comparable."""

    fingerprint: str
    weights: str
    real_clips: str  # digest
    generated_frames: str


def settings_of(result: Result) -> ComparedSettings:
    """The settings that a result was measured with."""
    return ComparedSettings(
        fingerprint=result.fingerprint,
        weights=result.weights_sha256,
        real_clips=result.real.digest if result.real else "",
        generated_frames=_frames(result.fake),
    )


def result_differences(result: Result, reference: Result) -> tuple[Deviation, ...]:
    """Everything in which a result was measured differently from a reference; empty if nothing."""
    ours, theirs = settings_of(result), settings_of(reference)
    if ours == theirs:
        return ()
    fields = [
        *differences(result.protocol_fields, reference.protocol_fields),
        *differences(result.parameters, reference.parameters),
    ]
    named = {deviation.field for deviation in fields}
    if ours.weights != theirs.weights and "weights" not in named:
        fields.append(_hashes("weights", ours.weights, theirs.weights))
    if ours.real_clips != theirs.real_clips and not named & REAL_CLIP_FIELDS:
        fields.append(_hashes("real clips", ours.real_clips, theirs.real_clips))
    if ours.generated_frames != theirs.generated_frames:
        fields.append(
            Deviation(
                field="generated frames",
                value=ours.generated_frames,
                wanted=theirs.generated_frames,
            )
        )
    if not fields:
        fields.append(_hashes("fingerprint", ours.fingerprint, theirs.fingerprint))
    return tuple(fields)


def _hashes(field: str, ours: str, theirs: str) -> Deviation:
    return Deviation(
        field=field, value=ours[:HASH_DIGITS] or None, wanted=theirs[:HASH_DIGITS] or None
    )


def _frames(generated: SetRecord | None) -> str:
    """Size and storage of generated frames; lossless ones agree, however they were stored."""
    if generated is None:
        return ""
    storage = generated.storage
    if storage in ("png", "array", "lossless"):
        storage = "lossless"
    elif storage.startswith("jpeg-75"):  # JPEG frames made here are as good as those that came so
        storage = "jpg"
    return f"{generated.width}×{generated.height} {storage}"
