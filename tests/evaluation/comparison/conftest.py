"""Results as `latte-eval` writes them, with the fingerprint of their fields."""

import json
from dataclasses import replace

import pytest

from evaluation.protocol.content import content_key, fingerprint_of
from evaluation.protocol.fields import REAL_FIELDS
from evaluation.protocol.presets import STYLEGAN_V
from evaluation.results.record import Result, SetRecord

VIDEOS = SetRecord(
    path="ucf101",
    digest="a" * 64,
    num_listed=2048,
    num_clips=2048,
    height=256,
    width=256,
    storage="png",
)
RESULT = Result(
    name="fvd",
    metric="FVD",
    value=100.0,
    interval=(96.0, 104.0),
    level=0.95,
    higher_is_better=False,
    num_real=2048,
    num_fake=2048,
    num_frames=16,
    network="i3d",
    weights_sha256="ab" * 32,
    weights_published=True,
    fingerprint="",
    protocol="",
    protocol_fields={},
    deviations=(),
    dataset="ucf101",
    model="",
    real=VIDEOS,
    fake=None,
    seconds=1.0,
    date="2026-01-02T03:04:05+00:00",
)


@pytest.fixture
def make_result():
    """Maker of FVDs whose interval is ± 4."""

    def make(model="mine", value=100.0, protocol=STYLEGAN_V, **changes):
        fake = replace(VIDEOS, path=model, digest=content_key({"model": model}).hex())
        fields = {
            "model": model,
            "value": value,
            "interval": (value - 4, value + 4),
            "protocol": protocol.name,
            "protocol_fields": protocol.affecting_fields(),
            "fake": fake,
            **changes,
        }
        result = replace(RESULT, **fields)
        if "fingerprint" in changes:
            return result
        own = fingerprint_of(result.protocol_fields, result.name, result.parameters)
        return replace(result, fingerprint=own)

    return make


@pytest.fixture
def make_score(make_result):
    """Maker of Inception Scores whose interval is ± 1."""

    def make(model, value, **changes):
        protocol_fields = {
            key: field
            for key, field in STYLEGAN_V.affecting_fields().items()
            if key not in REAL_FIELDS
        }
        return make_result(
            model,
            value,
            name="is",
            metric="IS",
            interval=(value - 1, value + 1),
            higher_is_better=True,
            num_real=0,
            real=None,
            protocol_fields=protocol_fields,
            **changes,
        )

    return make


@pytest.fixture
def write_results():
    """Write results, or records that are none, as a results file."""

    def write(path, *results):
        lines = [
            json.dumps(result) if isinstance(result, dict) else result.to_json()
            for result in results
        ]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    return write
