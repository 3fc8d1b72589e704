"""Files and folders appear complete or not at all."""

import os
import subprocess
import sys

import pytest

from latte.data.errors import InputError
from latte.data.files import (
    append_line,
    atomic_path,
    folder_if_used,
    write_atomically,
    writing_in,
)

needs_locks = pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="it has no named pipes in folders")
def test_a_pipe_is_not_replaced_by_a_file(tmp_path):
    path = tmp_path / "pipe.npy"
    os.mkfifo(path)
    with pytest.raises(InputError, match=r"pipe\.npy is a pipe"):
        write_atomically(path, "a")
    assert path.is_fifo()
    assert names(tmp_path) == ["pipe.npy"]


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


WRITING = """
import sys
from pathlib import Path
from latte.data.files import writing_in
with writing_in(Path(sys.argv[1]), []):
    print("in", flush=True)
    sys.stdin.read()
"""


@needs_locks
def test_what_killed_writers_left_is_removed_unless_others_write_there(tmp_path):
    left_over = [tmp_path / ".partial-1-a.txt", tmp_path / "b" / ".partial-1-c"]
    (left_over[1] / "frames").mkdir(parents=True)
    left_over[0].touch()
    (tmp_path / "mine.txt").touch()
    with subprocess.Popen(
        [sys.executable, "-c", WRITING, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "in\n"
        with writing_in(tmp_path):
            assert all(path.exists() for path in left_over)
        other.kill()
    with writing_in(tmp_path):
        assert names(tmp_path) == ["b", "mine.txt"]
    assert names(tmp_path / "b") == []


APPEND = """
import sys
from pathlib import Path
from latte.data.files import append_line
for number in range(200):
    append_line(Path(sys.argv[1]), f"{sys.argv[2]} {number}".encode() * 200)
"""


def test_lines_of_several_processes_are_whole(tmp_path):
    path = tmp_path / "lines"
    path.write_bytes(b"without an end")
    command = [sys.executable, "-c", APPEND, str(path)]
    writers = [subprocess.Popen([*command, name]) for name in "abc"]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    first, *lines = path.read_text().splitlines()
    assert first == "without an end"
    assert sorted(lines) == sorted(
        f"{name} {number}" * 200 for name in "abc" for number in range(200)
    )


@pytest.mark.parametrize("others", [b"", b"of a program without locks\n"])
def test_a_line_that_cannot_be_written_costs_no_other(tmp_path, monkeypatch, others):
    path = tmp_path / "lines"
    append_line(path, b"first")

    def full(descriptor):
        with path.open("ab") as file:
            file.write(others)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space") as failed:
        append_line(path, b"second")
    assert failed.value.filename == str(path)
    assert path.read_bytes() == b"first\n" + (b"second\n" + others if others else b"")
