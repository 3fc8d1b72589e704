"""Rows that are damaged or removed, whenever that happens, are extracted again."""

import numpy as np
import pytest

from evaluation import measure
from evaluation.features.extraction import ExtractionOptions
from evaluation.features.store import FeatureStore, LostRowsError

CLIPS = np.random.default_rng(0).integers(0, 256, (8, 16, 32, 32, 3), dtype=np.uint8)


def value(store, metrics=("fvd",)):
    options = ExtractionOptions(store=store, workers=0, progress=False)
    return [
        result.value
        for result in measure(
            CLIPS[:4], CLIPS[4:], metrics=metrics, protocol="shapes", options=options
        )
    ]


def shards(store):
    return list(store.glob("*/*.safetensors"))


def damage(path):
    data = bytearray(path.read_bytes())
    length = int.from_bytes(data[:8], "little")
    data[8 + length] ^= 1  # the first byte of the features
    path.write_bytes(data)


def test_a_damaged_file_is_noticed_by_the_next_run_and_said(tmp_path, caplog):
    first = value(tmp_path)
    for path in shards(tmp_path):
        damage(path)
    caplog.clear()
    assert value(tmp_path) == first
    assert "damaged and set aside" in caplog.text
    caplog.clear()
    assert value(tmp_path) == first
    assert "damaged" not in caplog.text


@pytest.mark.parametrize("what", ["damaged", "removed"])
def test_what_is_lost_between_extraction_and_reading_is_extracted_again(
    tmp_path, monkeypatch, what
):
    first = value(tmp_path / "sound", ("fvd", "kvd"))
    reads, rows = [], FeatureStore.rows

    def lossy(store, keys):
        reads.append(keys)
        if len(reads) in (1, 4):
            for path in shards(tmp_path):
                damage(path) if what == "damaged" else path.unlink()
        return rows(store, keys)

    monkeypatch.setattr(FeatureStore, "rows", lossy)
    assert value(tmp_path, ("fvd", "kvd")) == first
    assert len(reads) > 4


def test_a_store_that_loses_everything_at_once_is_one_sentence(tmp_path, monkeypatch):
    rows = FeatureStore.rows

    def lossy(store, keys):
        for path in shards(tmp_path):
            path.unlink()
        return rows(store, keys)

    monkeypatch.setattr(FeatureStore, "rows", lossy)
    with pytest.raises(LostRowsError, match=r"removed or damaged while they were used.*again"):
        value(tmp_path)
