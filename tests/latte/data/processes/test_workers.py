import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from latte.data.errors import BrokenVideoError, InputError
from latte.data.processes.workers import map_in_order

HERE = Path(__file__).parent


@pytest.fixture
def tasks(monkeypatch):
    """The tasks as a module that worker processes can import, too."""
    monkeypatch.syspath_prepend(HERE)
    import worker_tasks

    return worker_tasks


def is_alive(process_id):
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_the_order_of_the_tasks(tasks, workers):
    results = map_in_order(tasks.square, range(20), workers=workers)
    assert list(results) == [task * task for task in range(20)]


@pytest.mark.parametrize("workers", [0, 2])
def test_no_tasks_give_no_results(tasks, workers):
    assert list(map_in_order(tasks.square, [], workers=workers)) == []


@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_video_is_yielded_in_its_place(tasks, workers):
    first, broken, last = map_in_order(tasks.act, ["a", "broken", "b"], workers=workers)
    assert (first, last) == ("a", "b")
    assert isinstance(broken, BrokenVideoError)
    assert str(broken) == "this video is broken"


@pytest.mark.parametrize(("task", "why"), [("exit", "exit code 7"), ("segfault", "signal SIGSEGV")])
def test_a_task_that_ends_its_process_costs_itself_only(tasks, task, why):
    names = ["a", "b", task, "c", task, "d"]
    results = list(map_in_order(tasks.act, names, workers=2))
    assert [result for result in results if isinstance(result, str)] == ["a", "b", "c", "d"]
    for place in (2, 4):
        assert isinstance(results[place], BrokenVideoError)
        assert task in str(results[place])
        assert why in str(results[place])


def test_a_process_that_is_killed_costs_nothing(tasks, tmp_path):
    markers = [tmp_path / name for name in "abc"]
    assert list(map_in_order(tasks.be_killed_once, markers, workers=2)) == ["a", "b", "c"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_processes_that_are_killed_before_their_first_task_are_one_sentence(monkeypatch, tmp_path):
    (tmp_path / "killed_at_import.py").write_text("def work(task): return task\n")
    monkeypatch.syspath_prepend(tmp_path)
    import killed_at_import

    (tmp_path / "killed_at_import.py").write_text("import os\nos.kill(os.getpid(), 9)\n")
    with pytest.raises(InputError, match=r"SIGKILL.*--workers"):
        list(map_in_order(killed_at_import.work, ["a"], workers=1))


def test_a_task_that_hangs_is_stopped_and_named(tasks):
    results = list(
        map_in_order(
            tasks.act, ["a", "hang", "b"], workers=1, timeout=0.2, label=lambda task: f"<{task}>"
        )
    )
    assert results[0] == "a"
    assert results[2] == "b"
    assert isinstance(results[1], BrokenVideoError)
    assert "<hang>" in str(results[1])
    assert "0.2 s" in str(results[1])


@pytest.mark.parametrize("workers", [0, 2])
def test_bad_input_that_is_not_one_video_ends_the_map(tasks, workers):
    with pytest.raises(InputError, match="this folder is empty"):
        list(map_in_order(tasks.act, ["a", "input", "b"], workers=workers))


def test_a_fault_in_a_process_carries_its_trace(tasks):
    with pytest.raises(RuntimeError, match="KeyError: 'a fault of ours'") as caught:
        list(map_in_order(tasks.act, ["bug"], workers=1))
    assert "worker_tasks.py" in caught.value.__notes__[0]


def test_a_full_disk_in_a_process_stays_what_it_is(tasks):
    with pytest.raises(OSError, match="No space") as caught:
        list(map_in_order(tasks.act, ["disk"], workers=1))
    assert caught.value.errno == 28
    assert caught.value.filename == "features"


def test_a_result_that_cannot_travel_is_a_fault(tasks):
    with pytest.raises(RuntimeError, match="pickle"):
        list(map_in_order(tasks.act, ["unpicklable"], workers=1))


def test_a_function_that_cannot_be_imported_is_a_fault_not_a_broken_video(monkeypatch, tmp_path):
    (tmp_path / "only_here.py").write_text("def work(task): return task\n")
    monkeypatch.syspath_prepend(tmp_path)
    import only_here

    (tmp_path / "only_here.py").write_text("raise ImportError('gone')\n")
    with pytest.raises(RuntimeError, match="ImportError: gone"):
        list(map_in_order(only_here.work, ["a"], workers=1))


def test_large_arrays_travel(tasks):
    for task, array in enumerate(map_in_order(tasks.large_array, range(5), workers=2)):
        assert array.shape == (64, 128, 128, 3)
        assert (array == task).all()


def test_few_tasks_are_begun_ahead_of_the_consumer(tasks):
    begun = []

    def counted():
        for task in range(100):
            begun.append(task)
            yield task

    with closing(map_in_order(tasks.square, counted(), workers=2)) as results:
        for place in range(10):
            next(results)
            assert len(begun) <= place + 6


def test_closing_the_generator_ends_all_processes(tasks):
    results = map_in_order(tasks.process_id, range(100), workers=2)
    process_ids = {next(results) for _ in range(8)}
    assert process_ids
    results.close()
    assert not any(is_alive(process_id) for process_id in process_ids)


def test_a_consumer_that_is_interrupted_leaves_no_process(tasks):
    process_ids = []

    def consume(results):
        with closing(results):
            for process_id in results:
                process_ids.append(process_id)
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        consume(map_in_order(tasks.process_id, range(100), workers=2))
    assert not is_alive(process_ids[0])


@pytest.mark.skipif(sys.platform == "win32", reason="process groups of POSIX")
def test_ctrl_c_ends_everything_without_a_word_from_the_workers():
    script = (
        "import signal\n"
        "from latte.data.processes.workers import map_in_order\n"
        "import worker_tasks\n"
        "if __name__ == '__main__':\n"
        # Whoever starts the tests in the background of a shell has them ignore it.
        "    signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "    try:\n"
        "        list(map_in_order(worker_tasks.print_process_id_and_hang, range(4), workers=2))\n"
        "    except KeyboardInterrupt:\n"
        "        print('interrupted')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": str(HERE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    workers = [int(process.stdout.readline()) for _ in range(2)]
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert (out, err) == ("interrupted\n", "")
    assert not any(is_alive(worker) for worker in workers)


HANGING = """
import worker_tasks
from latte.data.processes.workers import map_in_order
if __name__ == "__main__":
    results = map_in_order(worker_tasks.print_process_id_and_hang, range(4), workers=2)
    next(results)
"""
FAILING = """
import worker_tasks
from latte.data.processes.workers import map_in_order
if __name__ == "__main__":
    results = map_in_order(worker_tasks.process_id, range(100), workers=2)
    print(next(results), next(results), flush=True)
    raise RuntimeError("of the consumer")
"""


def started(code):
    """A process that runs this code, and can import the tasks."""
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(HERE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_an_error_that_holds_the_generator_does_not_keep_the_process():
    process = started(FAILING)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 1
    assert "of the consumer" in err
    assert not any(is_alive(int(worker)) for worker in out.split())


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_workers_end_with_a_parent_that_is_killed():
    process = started(HANGING)
    assert process.stdout is not None
    for _ in range(2):
        process.stdout.readline()
    process.kill()
    process.communicate(timeout=600)  # its workers hold the pipes until they end


def test_a_negative_number_of_workers_is_refused(tasks):
    with pytest.raises(InputError, match=r"workers.*-1|-1.*(workers|process)"):
        list(map_in_order(tasks.square, [1], workers=-1))


BARS = """
from latte.data.processes.workers import map_in_order
from worker_tasks import show_a_bar
if __name__ == "__main__":
    print(list(map_in_order(show_a_bar, range(3), workers=2)))
"""


def test_bars_of_tasks_leave_nothing_behind(tmp_path):
    (tmp_path / "bars.py").write_text(BARS, encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "bars.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(HERE)},
        capture_output=True,
        text=True,
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("[0, 1, 2]\n", "", 0)
