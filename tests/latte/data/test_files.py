"""Files and folders appear complete or not at all."""

import pytest

from latte.data.files import atomic_path, folder_if_used, write_atomically


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_has_its_name_once_it_is_complete(tmp_path, durable):
    path = tmp_path / "new" / "a.txt"
    with atomic_path(path, durable=durable) as partial:
        partial.write_text("half")
        assert not path.exists()
        assert partial.name.startswith(".")
        assert partial.suffix == path.suffix
    assert path.read_text() == "half"
    write_atomically(path, "ö")
    assert path.read_bytes() == "ö".encode()
    assert names(path.parent) == ["a.txt"]


def test_a_folder_replaces_the_one_before(tmp_path):
    folder = tmp_path / "frames"
    for name in ("a", "b"):
        with atomic_path(folder, durable=True) as partial:
            partial.mkdir()
            (partial / name).touch()
    assert names(folder) == ["b"]
    assert names(tmp_path) == ["frames"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_what_was_there(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("before")

    def fail(partial):
        partial.write_text("half")
        raise error

    with pytest.raises(type(error)) as failed, atomic_path(path) as partial:
        fail(partial)
    assert path.read_text() == "before"
    assert names(tmp_path) == ["a.txt"]
    if isinstance(error, OSError):
        assert failed.value.filename == str(path)


def test_a_folder_that_nothing_comes_into_is_removed_again(tmp_path):
    with folder_if_used(tmp_path / "a" / "b"):
        pass
    assert names(tmp_path) == []
    with folder_if_used(tmp_path / "a" / "b"):
        (tmp_path / "a" / "c").touch()
    assert names(tmp_path / "a") == ["c"]
