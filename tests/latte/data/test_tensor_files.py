import json
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from latte.data.errors import InputError
from latte.data.tensor_files import CHECKSUM, read_any, read_safetensors, write_safetensors

TENSORS = {
    "weight": torch.arange(12, dtype=torch.float32).reshape(3, 4),
    "half": torch.ones(5, dtype=torch.bfloat16),
    "counter": torch.tensor(7),
}
METADATA = {"config": json.dumps({"depth": 2}), "format": "ours"}


@pytest.fixture
def ours(tmp_path):
    path = tmp_path / "ours.safetensors"
    write_safetensors(path, TENSORS, METADATA)
    return path


def test_what_was_written_is_read(ours):
    tensors, metadata = read_safetensors(ours)
    assert metadata == METADATA
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        torch.testing.assert_close(tensors[name], tensor, rtol=0, atol=0)


def test_a_changed_bit_anywhere_is_refused_or_changes_nothing(ours):
    content = ours.read_bytes()
    refused = 0
    for place in range(len(content)):
        ours.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        try:
            tensors, metadata = read_safetensors(ours)
        except InputError as error:
            assert str(error).startswith(f"{ours}: ")  # noqa: PT017
            refused += 1
        else:  # the name of the checksum itself
            assert CHECKSUM not in metadata
            assert metadata.items() >= METADATA.items()
            assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)
    assert refused >= len(content) - len(CHECKSUM)


def test_a_file_without_a_checksum_is_read(tmp_path):
    save_file(TENSORS, tmp_path / "theirs.safetensors", METADATA)
    tensors, metadata = read_safetensors(tmp_path / "theirs.safetensors")
    assert metadata == METADATA
    assert torch.equal(tensors["weight"], TENSORS["weight"])


def test_a_changed_bit_in_a_file_of_torch_save_is_refused(tmp_path):
    path = tmp_path / "weights.pt"
    torch.save(TENSORS, path)
    assert torch.equal(read_any(path)[0]["weight"], TENSORS["weight"])
    content = bytearray(path.read_bytes())
    content[content.index(TENSORS["weight"].numpy().tobytes()) + 5] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"{path}: .*checksum"):
        read_any(path)


def test_a_compressed_file_of_torch_save_is_refused_unopened(tmp_path):
    torch.save(TENSORS, tmp_path / "weights.pt")
    with (
        zipfile.ZipFile(tmp_path / "weights.pt") as stored,
        zipfile.ZipFile(tmp_path / "small.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in stored.namelist():
            packed.writestr(name, stored.read(name))
    with pytest.raises(InputError, match=r"small\.pt: .*compressed"):
        read_any(tmp_path / "small.pt")


def header(text, length=None):
    return (len(text) if length is None else length).to_bytes(8, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        header(b'{"a":' * 100_000),
        header(b'{"a":{"dtype":"F32","shape":[999999999999],"data_offsets":[0,3999999999996]}}'),
        header(b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}'),
        header(b'{"a":{"dtype":"F32","shape":[1e99],"data_offsets":[0,4]}}'),
        header(b'{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}') + bytes(4),
        header(b"{}", 99_000_000),
        header(b'{"__metadata__":{"sha256":"00"}}'),
        header(b'{"__metadata__":{"a":1}}'),
        header(b"{\xff}"),
        np.random.default_rng(0).bytes(100),
        b"\x80\x02}q\x00." + bytes(50),
    ],
)
def test_what_lies_or_is_damaged_is_one_sentence(tmp_path, content):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"^{path}: [^\n]*$"):
        read_safetensors(path)
