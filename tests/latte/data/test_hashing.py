"""Hashes are pinned: choices of clips, noise and labels are made of them."""

from latte.data.hashing import file_sha256, hash64


def test_a_text_is_always_the_same_number():
    assert hash64("latte sample 0 7") % 2**63 == 7444996003754635886
    assert hash64("") == 0xE3B0C44298FC1C14  # SHA-256 of nothing
    assert hash64("a\udcff") != hash64("a")  # a file name that is not UTF-8


def test_a_file_is_known_by_its_content(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    assert file_sha256(tmp_path / "a").startswith("e3b0c44298fc1c14")
