"""Reference statistics by name, from a server on this machine."""

import io

import numpy as np
import pytest

from evaluation.statistics import references
from evaluation.statistics.file import read_statistics_file
from evaluation.statistics.references import REFERENCES, reference_statistics
from latte.data.errors import InputError

NAME = "cifar10_train_32"


def content() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, mu=np.arange(3.0), sigma=np.eye(3))
    return stream.getvalue()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where references are kept; nothing of the user's own, and no connection."""
    monkeypatch.setenv("LATTE_CACHE", str(tmp_path))
    monkeypatch.setattr(references, "BASE_URL", "http://127.0.0.1:9")
    return references.cache_folder("statistics")


def fetch(name=NAME, *, network="inception", resize="clean"):
    return reference_statistics(name, network=network, resize=resize)


@pytest.mark.parametrize(
    ("resize", "file_name"),
    [
        ("clean", "cifar10_clean_train_32.npz"),
        ("legacy-tensorflow", "cifar10_legacy_tensorflow_train_32.npz"),
        ("legacy-pytorch", "cifar10_legacy_pytorch_train_32.npz"),
    ],
)
def test_a_reference_is_fetched_once_under_clean_fids_name(
    folder, serve, monkeypatch, resize, file_name
):
    with serve({f"/{file_name}": content()}) as address:
        monkeypatch.setattr(references, "BASE_URL", address)
        path = fetch(resize=resize)
    assert path == folder / file_name
    assert read_statistics_file(path).statistics.mean.tolist() == [0, 1, 2]
    assert fetch(resize=resize) == path  # no server is needed


def test_every_reference_has_the_address_that_clean_fid_asks(folder, monkeypatch):
    features = pytest.importorskip("cleanfid.features")
    theirs, ours = [], []
    monkeypatch.setattr(
        features, "check_download_url", lambda local_folder, url: theirs.append(url) or io.BytesIO()
    )
    monkeypatch.setattr(features.np, "load", lambda _: {"mu": 0, "sigma": 0})
    monkeypatch.setattr(references, "obtain", lambda file, *_: ours.append(file.url))
    monkeypatch.setattr(references, "BASE_URL", "https://www.cs.cmu.edu/~clean-fid/stats")
    for name in REFERENCES:
        fetch(name)
        dataset, split, resolution = name.rsplit("_", 2)
        features.get_reference_statistics(dataset, resolution, mode="clean", split=split)
    assert ours == [url.replace("stats//", "stats/") for url in theirs]


def test_a_file_that_was_put_there_is_taken_and_then_held_to(folder):
    folder.mkdir(parents=True)
    path = folder / "cifar10_clean_train_32.npz"
    path.write_bytes(content())
    assert fetch() == path
    path.write_bytes(b"another")
    with pytest.raises(InputError, match=r"cifar10_clean_train_32\.npz.*first use"):
        fetch()


def test_a_failed_download_is_one_sentence_that_says_where_to_put_the_file(folder):
    with pytest.raises(InputError, match="no connection") as caught:
        fetch()
    assert len(str(caught.value).splitlines()) == 1
    assert str(folder / "cifar10_clean_train_32.npz") in str(caught.value)
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "cifar10"}, "did you mean cifar10_"),
        ({"network": "i3d", "resize": "squash"}, r"i3d.*\bsquash\b"),
        ({"resize": "squash"}, r"inception.*\bsquash\b"),
        (
            {"name": "lsun_horse_trainfull_256", "resize": "legacy-pytorch"},
            r"lsun_horse.*\bclean\b",
        ),
    ],
)
def test_what_clean_fid_does_not_publish_is_refused(folder, arguments, message):
    with pytest.raises(InputError, match=message):
        fetch(**arguments)
