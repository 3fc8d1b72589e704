import errno
import json
import re
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.cells.cache import (
    FILE,
    CellRecord,
    CellValue,
    FailedCellsError,
    cell_key,
    measure_cells,
    read_cells,
)
from latte.data.errors import InputError


@dataclass(frozen=True)
class Task:
    name: str

    @property
    def key(self) -> str:
        return cell_key(name=self.name.partition(" ")[0])


CELL = CellRecord(key="k", name="one", value=1.5, interval=(1.0, 2.0), details={}, seconds=3.0)


def length(task: Task) -> CellValue:
    return CellValue(value=len(task.name), interval=(0.0, 9.0), details={"letters": [*task.name]})


def test_a_key_depends_on_every_value_and_on_no_order() -> None:
    assert cell_key(seed=1, steps=[1, 2]) == cell_key(steps=[1, 2], seed=1)
    keys = [cell_key(seed=1), cell_key(seed=2), cell_key(seed="1"), cell_key(see=1)]
    assert len(set(keys)) == 4


def test_a_finished_cell_is_never_measured_again(tmp_path: Path) -> None:
    calls: list[str] = []

    def measure(task: Task) -> CellValue:
        calls.append(task.name)
        return length(task)

    path = tmp_path / "new" / FILE
    first = measure_cells([Task("abc"), Task("de"), Task("abc again")], measure, path)
    again = measure_cells([Task("de"), Task("f"), Task("abc")], measure, path)
    assert calls == ["abc", "de", "f"]
    assert [cell.value for cell in again.cells.values()] == [2, 1, 3]
    assert again.cells[Task("abc").key] == first.cells[Task("abc").key]
    assert again.cells[Task("abc").key].details == {"letters": ["a", "b", "c"]}
    again.raise_if_failed()


def test_what_fails_costs_no_other_cell_and_is_tried_again(tmp_path: Path) -> None:
    def measure(task: Task) -> CellValue:
        if task.name == "fixable":
            raise InputError("x.mp4: is broken; replace it")
        if task.name == "fault":
            raise ZeroDivisionError("by zero")
        return length(task)

    path = tmp_path / FILE
    outcome = measure_cells([Task("fixable"), Task("good")], measure, path)
    assert [cell.name for cell in outcome.cells.values()] == ["good"]
    with pytest.raises(FailedCellsError, match=r"x\.mp4: is broken") as error:
        outcome.raise_if_failed()
    assert error.value.fixable
    (failed,) = error.value.failed
    assert (failed.key, failed.name) == (Task("fixable").key, "fixable")
    both = measure_cells([Task("fixable"), Task("good"), Task("fault")], measure, path)
    with pytest.raises(FailedCellsError) as error:
        both.raise_if_failed()
    assert not error.value.fixable
    assert [(x.name, x.fixable) for x in error.value.failed] == [
        ("fixable", True),
        ("fault", False),
    ]
    assert error.value.failed[1].reason == "ZeroDivisionError: by zero"
    fixed = measure_cells([Task("fixable")], length, path)
    assert fixed.cells[Task("fixable").key].value == 7


def test_two_commands_at_once_make_a_cell_once(tmp_path: Path) -> None:
    other_began, calls = threading.Event(), []

    def measure(task: Task) -> CellValue:
        calls.append(task.name)
        if task.name == "own":  # the second command has seen no line of "common" yet
            other_began.set()
        else:
            assert other_began.wait(60)
        return length(task)

    first = threading.Thread(
        target=measure_cells, args=([Task("common")], measure, tmp_path / FILE)
    )
    first.start()
    while not calls:
        pass
    second = measure_cells([Task("own"), Task("common")], measure, tmp_path / FILE)
    first.join()
    assert sorted(calls) == ["common", "own"]
    assert len(second.cells) == 2
    assert not second.failed


def test_what_was_worked_with_is_removed_after_the_line_is_written(tmp_path: Path) -> None:
    seen = []

    def tidy(task: Task) -> None:
        seen.append((task.name, task.key in read_cells(tmp_path / FILE)))

    def measure(task: Task) -> CellValue:
        if task.name == "bad":
            raise InputError("it is bad")
        return length(task)

    measure_cells([Task("good"), Task("bad")], measure, tmp_path / FILE, tidy=tidy)
    assert seen == [("good", True)]


def test_a_missing_file_fails_its_cell_and_a_full_disk_the_run(tmp_path: Path) -> None:
    def missing(task: Task) -> CellValue:
        if task.name == "a":
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", "clips.npy")
        return length(task)

    ended = measure_cells([Task("a"), Task("b")], missing, tmp_path / FILE)
    assert [cell.name for cell in ended.cells.values()] == ["b"]
    with pytest.raises(FailedCellsError, match=r"clips\.npy") as error:
        ended.raise_if_failed()
    assert error.value.fixable

    def full(task: Task) -> CellValue:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        measure_cells([Task("c")], full, tmp_path / FILE)


def test_a_run_of_which_nothing_is_left_ends_before_its_documents(tmp_path: Path) -> None:
    def device(task: Task) -> CellValue:
        raise InputError("no such device")

    ended = measure_cells([Task("a"), Task("b")], device, tmp_path / FILE)
    with pytest.raises(FailedCellsError, match=r"\b2 cells .*\n  - a, b: no such device$"):
        ended.raise_if_empty()
    measure_cells([Task("c")], length, tmp_path / "other").raise_if_empty()


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        (["{"], "line 1:"),
        (["[" * 100_000], "line 1:"),
        ([CELL.to_json().replace("1.5", "1" + "0" * 400)], "line 1:"),
        ([CELL.to_json(), "", "[1]"], "line 3:"),
        ([CELL.to_json().replace("1.5", "NaN")], "line 1:"),
        ([CELL.to_json().replace("[1.0, 2.0]", "[2.0, 1.0]")], "line 1:"),
        ([CELL.to_json().replace('"seconds"', '"second"')], "line 1:.*did you mean seconds"),
        ([CELL.to_json(), "", CELL.to_json()], r"lines 1 and 3: two results for one cell \(one\)"),
    ],
)
def test_a_broken_file_is_refused_by_its_line_and_left_as_it_is(
    lines: list[str], place: str, tmp_path: Path
) -> None:
    path = tmp_path / FILE
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=place):
        measure_cells([Task("abc")], length, path)
    assert path.read_text(encoding="utf-8").split("\n")[:-1] == lines


def test_lines_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text(CELL.to_json() + "\n", encoding="utf-8")
    assert read_cells(path) == {"k": CELL}
    assert json.loads(CELL.to_json())["interval"] == [1.0, 2.0]


def test_a_place_that_cannot_be_written_is_noticed_before_the_work(tmp_path: Path) -> None:
    def never(task: Task) -> CellValue:
        raise AssertionError(task)

    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=re.escape(str(tmp_path / "file" / FILE))):
        measure_cells([Task("abc")], never, tmp_path / "file" / FILE)
