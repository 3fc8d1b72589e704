"""Arrays, statistics, pictures and texts that lie, are nested without end or are no files.

Each is one sentence that names it, before it takes any memory, and nothing waits for a pipe.
"""

import io
import json
import os
import struct
import zipfile

import numpy as np
import pytest
from numpy.lib.format import write_array_header_1_0

from evaluation.protocol.presets import load_protocol
from evaluation.results.files import check_writable, read_results
from evaluation.statistics.file import read_statistics_file
from latte.data.errors import InputError
from latte.data.sources import open_video_set
from latte.data.tensor_files import read_any
from latte.training.config import load_config

READERS = {
    "x.npy": open_video_set,
    "x.npz": open_video_set,
    "x.safetensors": open_video_set,
    "s.npz": read_statistics_file,
    "s.safetensors": read_statistics_file,
    "r.jsonl": read_results,
    "p.toml": load_protocol,
    "t.toml": lambda path: load_config(str(path)),
    "w.pt": read_any,
}


def check_refused(name, path):
    with pytest.raises(InputError) as refused:
        READERS[name](path)
    sentence = str(refused.value)
    assert sentence.startswith(str(path))
    assert "\n" not in sentence
    assert "allow_pickle" not in sentence
    assert len(sentence) < 1000


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "link to itself", "link to nowhere"])
def test_what_is_no_regular_file_is_refused_not_waited_for(tmp_path, name, kind):
    path = tmp_path / name
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        target = {"device": "/dev/zero", "link to itself": path, "link to nowhere": "gone"}[kind]
        path.symlink_to(target)
    check_refused(name, path)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 200, b"\xff\xfe" * 100, b"[" * 100_000, b'{"a":' * 100_000, b"PK\x03\x04" * 9],
)
def test_what_is_of_no_kind_is_refused(tmp_path, name, content):
    if name == "r.jsonl" and not content:
        pytest.skip("a results file may be empty")
    (tmp_path / name).write_bytes(content)
    check_refused(name, tmp_path / name)


def header(shape, dtype="|u1"):
    file = io.BytesIO()
    fields = {"descr": dtype, "fortran_order": False, "shape": shape}
    write_array_header_1_0(file, fields)
    return file.getvalue()


SHAPES = [
    (10**12,),
    (2, 16, -16, 16, 3),
    (2, 10**9, 8, 8, 3),
    (2**63, 2, 2, 2, 3),
    (2, 16, 16, 16, 10**30),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["x.npy", "stored.npz", "deflated.npz"])
def test_a_header_that_lies_about_its_size_takes_no_memory(tmp_path, name, shape):
    path, content = tmp_path / name, header(shape) + bytes(1000)
    if name == "x.npy":
        path.write_bytes(content)
    else:
        method = zipfile.ZIP_STORED if name == "stored.npz" else zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("videos.npy", content)
    check_refused("x.npy", path)


def sparse(path, shape):
    """An array of zeros that takes no room on the disk."""
    with path.open("wb") as file:
        file.write(header(shape))
        file.truncate(file.tell() + int(np.prod(shape, dtype=object)))


@pytest.mark.parametrize("shape", [(10**9, 1, 1, 1, 3), (2, 10**9, 1, 1, 3)])
def test_billions_of_videos_or_frames_are_refused(tmp_path, shape):
    sparse(tmp_path / "x.npy", shape)
    check_refused("x.npy", tmp_path / "x.npy")


def test_frames_of_too_many_pixels_are_refused_when_they_are_read(tmp_path):
    sparse(tmp_path / "x.npy", (1, 2, 30_000, 30_000, 3))
    (video,) = open_video_set(tmp_path / "x.npy").videos
    with pytest.raises(InputError, match=r"x\.npy: .*30000×30000.*LATTE_MEMORY_LIMIT"):
        video.read([0])


def test_an_archive_that_inflates_is_refused_unpacked(tmp_path, monkeypatch):
    monkeypatch.setenv("LATTE_MEMORY_LIMIT", "1M")
    np.savez_compressed(tmp_path / "x.npz", videos=np.zeros((1, 16, 80, 80, 3), np.uint8))
    with pytest.raises(InputError, match=r"x\.npz.*unpacked.*np\.savez.*LATTE_MEMORY_LIMIT"):
        open_video_set(tmp_path / "x.npz")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "x.npz", "w", method) as archive:
        archive.writestr("videos.npy", header((1, 2, 4, 4, 3)) + bytes(96))
    check_refused("x.npz", tmp_path / "x.npz")


@pytest.mark.parametrize("compressed", [False, True])
def test_a_changed_byte_of_an_archive_is_refused(tmp_path, compressed):
    videos = np.random.default_rng(0).integers(0, 256, (2, 3, 8, 8, 3), np.uint8)
    (np.savez_compressed if compressed else np.savez)(tmp_path / "x.npz", videos=videos)
    content = bytearray((tmp_path / "x.npz").read_bytes())
    content[600] ^= 1
    (tmp_path / "x.npz").write_bytes(content)
    check_refused("x.npz", tmp_path / "x.npz")


@pytest.mark.parametrize(
    "arrays",
    [
        {"mu": np.full(4, np.nan)},
        {"mu": np.full(4, 1e308)},
        {"sigma": np.eye(4) * 1e200},
        {"sigma": np.eye(4) * 1j},
        {"sigma": np.eye(5)},
        {"sigma": -np.eye(4)},
        {"count": -1},
        {"count": 1e300},
        {"count": np.nan},
        {"count": np.zeros(3)},
        {"count": "many"},
        {"mu": np.array(["a"] * 4)},
        {"provenance": "[" * 100_000},
        {"provenance": json.dumps({"checksum": "x", "origin": 10**30})},
        {"provenance": "\ud800"},
    ],
)
def test_statistics_that_cannot_be_are_refused(tmp_path, arrays):
    np.savez(tmp_path / "s.npz", **({"mu": np.zeros(4), "sigma": np.eye(4)} | arrays))
    check_refused("s.npz", tmp_path / "s.npz")


@pytest.mark.parametrize(
    "text",
    [
        "seed = " + "9" * 10_000,
        "a = " + "[" * 10_000 + "]" * 10_000,
        "a = " + "[" * 300 + "]" * 300,
        ".".join("a" * 5_000) + " = 1",
        "name = " + "{a = " * 10_000,
        "[" + ".".join("a" * 3_000) + "]",
        "base = [1]",
        "base = {a = 1}",
        "x" * 100_000 + " = 1",
        "seed = 1e999",
        "seed = nan",
        'name = "\\ud800"',
        "a = 1\na = 2",
        "seed = 99-99-99",
    ],
)
@pytest.mark.parametrize("name", ["p.toml", "t.toml"])
def test_configurations_that_cannot_be_are_refused(tmp_path, name, text):
    base = 'base = "shapes"\n' if name == "p.toml" and not text.startswith(("base", "[")) else ""
    (tmp_path / name).write_text(base + text)
    check_refused(name, tmp_path / name)


def test_an_npy_header_of_any_length_is_refused(tmp_path):
    for number, text in enumerate([b"{" * 1000, b"{'shape': " + b"(" * 5000, b" " * 20_000]):
        path = tmp_path / f"{number}.npy"
        path.write_bytes(b"\x93NUMPY\x02\x00" + struct.pack("<I", len(text)) + text)
        check_refused("x.npy", path)


def test_a_results_file_that_is_a_dangling_link_is_refused_first(tmp_path):
    (tmp_path / "r.jsonl").symlink_to(tmp_path / "gone" / "r.jsonl")
    with pytest.raises(InputError, match=r"r\.jsonl.*link"):
        check_writable(tmp_path / "r.jsonl")


def test_control_characters_in_names_are_shown_escaped(tmp_path):
    path = tmp_path / "\x1b[31mred\u202e.npy"
    path.write_bytes(b"no array")
    with pytest.raises(InputError) as refused:
        open_video_set(path)
    assert "\\x1b[31mred\\u202e.npy" in str(refused.value)
    assert str(refused.value).isprintable()
