import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

from benchmarks.finished import FILE, FinishedCell, Measured, cell_key, finish, read_cells
from latte.data.errors import InputError


@dataclass(frozen=True)
class Task:
    name: str

    @property
    def key(self) -> str:
        return cell_key(name=self.name.partition(" ")[0])


CELL = FinishedCell(key="k", name="one", value=1.5, interval=(1.0, 2.0), details={}, seconds=3.0)


def length(task: Task) -> Measured:
    return Measured(value=len(task.name), interval=(0.0, 9.0), details={"letters": [*task.name]})


def test_a_key_depends_on_every_value_and_on_no_order() -> None:
    assert cell_key(seed=1, steps=[1, 2]) == cell_key(steps=[1, 2], seed=1)
    keys = [cell_key(seed=1), cell_key(seed=2), cell_key(seed="1"), cell_key(see=1)]
    assert len(set(keys)) == 4


def test_a_finished_cell_is_never_measured_again(tmp_path: Path) -> None:
    calls: list[str] = []

    def measure(task: Task) -> Measured:
        calls.append(task.name)
        return length(task)

    path = tmp_path / "new" / FILE
    first = finish([Task("abc"), Task("de"), Task("abc again")], measure, path)
    again = finish([Task("de"), Task("f"), Task("abc")], measure, path)
    assert calls == ["abc", "de", "f"]
    assert [cell.value for cell in again.cells.values()] == [2, 1, 3]
    assert again.cells[Task("abc").key] == first.cells[Task("abc").key]
    assert again.cells[Task("abc").key].details == {"letters": ["a", "b", "c"]}
    again.end()


def test_what_fails_costs_no_other_cell_and_is_tried_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(task: Task) -> Measured:
        if task.name == "mendable":
            raise InputError("x.mp4: is broken; replace it")
        if task.name == "fault":
            raise ZeroDivisionError("by zero")
        return length(task)

    path = tmp_path / FILE
    ended = finish([Task("mendable"), Task("good")], measure, path)
    assert [cell.name for cell in ended.cells.values()] == ["good"]
    with pytest.raises(InputError, match=r"^1 cell could not be measured.*\n.*x\.mp4: is broken"):
        ended.end()
    both = finish([Task("mendable"), Task("good"), Task("fault")], measure, path)
    with pytest.raises(typer.Exit) as exit_:
        both.end()
    assert exit_.value.exit_code == 1
    assert "fault: ZeroDivisionError: by zero" in capsys.readouterr().err
    mended = finish([Task("mendable")], length, path)
    assert mended.cells[Task("mendable").key].value == 8


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["{"], r"cells\.jsonl, line 1: not JSON"),
        ([CELL.to_json(), "", "[1]"], r"line 3: not a measured cell"),
        ([CELL.to_json().replace("1.5", "NaN")], r"line 1: not a measured cell"),
        ([CELL.to_json().replace("[1.0, 2.0]", "[2.0, 1.0]")], r"line 1: not a measured cell"),
        ([CELL.to_json().replace('"seconds"', '"second"')], r"line 1: not a measured cell"),
        ([CELL.to_json(), "", CELL.to_json()], r"lines 1 and 3: two results for one cell \(one\)"),
    ],
)
def test_a_broken_file_is_refused_by_its_line_and_left_as_it_is(
    lines: list[str], sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / FILE
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=sentence):
        finish([Task("abc")], length, path)
    assert path.read_text(encoding="utf-8").split("\n")[:-1] == lines


def test_lines_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text(CELL.to_json() + "\n", encoding="utf-8")
    assert read_cells(path) == {"k": CELL}
    assert json.loads(CELL.to_json())["interval"] == [1.0, 2.0]


def test_a_place_that_cannot_be_written_is_noticed_before_the_work(tmp_path: Path) -> None:
    def never(task: Task) -> Measured:
        raise AssertionError(task)

    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="not a file of measured cells"):
        finish([Task("abc")], never, tmp_path / "file" / FILE)
