"""The script of commands that several figures add to."""

import stat
import threading
from pathlib import Path

import pytest

from benchmarks.cells.cache import alone_with
from benchmarks.figures.paper_commands import ScriptPart, write_script


def part(name: str) -> ScriptPart:
    return ScriptPart(name=name, key=f"key{name}", text=f"echo {name}")


def test_a_command_waits_for_another_one_that_adds_to_the_script(tmp_path: Path) -> None:
    path = tmp_path / "cells" / "commands.sh"
    adding = threading.Thread(target=write_script, args=(path, [part("b")]))
    with alone_with(path, path.name):
        adding.start()
        adding.join(timeout=0.2)
        assert adding.is_alive()
        path.write_text("#!/bin/sh\nset -e\n\n# a [keya]\necho a\n", encoding="utf-8")
    adding.join()
    blocks = path.read_text(encoding="utf-8").rstrip("\n").split("\n\n")
    assert blocks == ["#!/bin/sh\nset -e", "# a [keya]\necho a", "# b [keyb]\necho b"]


def test_commands_that_start_together_lose_nothing(tmp_path: Path) -> None:
    path, names = tmp_path / "commands.sh", [f"{number:02d}" for number in range(12)]
    threads = [threading.Thread(target=write_script, args=(path, [part(name)])) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    text = path.read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line.startswith("echo")] == [
        f"echo {name}" for name in names
    ]


def test_a_script_that_cannot_be_written_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_script(tmp_path / "commands.sh", [part("a")])
    before, write = path.read_bytes(), Path.write_text

    def fill_the_disk(file: Path, text: str, **options: str) -> int:
        write(file, text[:20], **options)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", fill_the_disk)
    with pytest.raises(OSError, match="No space left") as error:
        write_script(path, [part("b")])
    assert error.value.filename == str(path)
    assert path.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["commands.sh", "locks"]


def test_a_script_that_may_be_run_stays_so(tmp_path: Path) -> None:
    path = write_script(tmp_path / "commands.sh", [part("a")])
    path.chmod(0o755)
    write_script(path, [part("b")])
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
