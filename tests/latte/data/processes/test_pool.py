"""Processes that stay, what goes to which of them, and the memory that they share with this one."""

import gc
import multiprocessing
import os
import select
import signal
import sys
import threading
from contextlib import closing, suppress
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from latte.data.errors import InputError
from latte.data.processes import handover
from latte.data.processes.pool import Pool
from latte.data.processes.workers import map_in_order

HERE = Path(__file__).parent
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="anonymous files of Linux")


@pytest.fixture
def tasks(monkeypatch):
    """The tasks as a module that worker processes can import, too."""
    monkeypatch.syspath_prepend(HERE)
    import worker_tasks

    return worker_tasks


def shared_files() -> int:
    """Descriptors and mappings of shared arrays in this process."""
    links = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            links.append(str(entry.readlink()))
    return sum("memfd:latte" in link for link in links)


def test_processes_stay_from_one_map_to_the_next(tasks):
    with Pool(1) as pool:
        first = set(map_in_order(tasks.process_id, range(3), workers=pool))
        assert list(map_in_order(tasks.square, range(3), workers=pool)) == [0, 1, 4]
        assert set(map_in_order(tasks.process_id, range(3), workers=pool)) == first
    with pytest.raises(ProcessLookupError):
        os.kill(first.pop(), 0)


def test_a_map_that_is_given_up_leaves_a_pool_that_works(tasks):
    with Pool(2) as pool:
        with closing(map_in_order(tasks.act, ["a", "hang", "hang"], workers=pool)) as results:
            assert next(results) == "a"
        assert list(map_in_order(tasks.square, range(4), workers=pool)) == [0, 1, 4, 9]


def test_a_process_that_is_killed_between_two_maps_is_replaced(tasks):
    with Pool(1) as pool:
        (process_id,) = map_in_order(tasks.process_id, [0], workers=pool)
        os.kill(process_id, signal.SIGTERM)  # ignored: the parent alone ends its processes
        os.kill(process_id, signal.SIGKILL)
        assert list(map_in_order(tasks.square, range(3), workers=pool)) == [0, 1, 4]


def test_tasks_that_belong_together_go_to_one_process(tasks):
    names = [place // 5 for place in range(30)]
    with Pool(3) as pool:
        ids = list(map_in_order(tasks.process_id, names, workers=pool, together=lambda task: task))
    for _, group in groupby(zip(names, ids, strict=True), key=lambda pair: pair[0]):
        assert len({process_id for _, process_id in group}) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes of POSIX")
def test_tasks_are_done_while_the_consumer_does_something_else(tasks, tmp_path):
    pipes = [tmp_path / str(place) for place in range(3)]
    ends = []
    for pipe in pipes:
        os.mkfifo(pipe)
        ends.append(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))
    with closing(map_in_order(tasks.write_into, [None, *pipes], workers=1)) as results:
        next(results)
        for end in ends:  # nobody asks for the next result meanwhile
            assert select.select([end], [], [], 60)[0]
            os.close(end)


def test_arrays_of_every_kind_arrive_as_they_were(tasks):
    for task, arrived in enumerate(map_in_order(tasks.columns, range(3), workers=1)):
        sent = tasks.columns(task)
        assert arrived.keys() == sent.keys()
        for name, array in sent.items():
            np.testing.assert_array_equal(arrived[name], array)
            assert arrived[name].dtype == array.dtype
            arrived[name][:1] = 0  # it is the receiver's own


@ON_LINUX
def test_shared_memory_is_freed_with_the_last_reference(tasks):
    arrays = list(map_in_order(tasks.large_array, range(4), workers=2))
    assert shared_files() == 4
    part = arrays[3][0, :2]
    del arrays
    gc.collect()
    assert shared_files() == 1
    assert (part == 3).all()  # it outlives the process that made it
    del part
    gc.collect()
    assert shared_files() == 0


@ON_LINUX
def test_a_consumer_may_keep_more_arrays_than_are_shared(tasks, monkeypatch):
    monkeypatch.setattr(handover, "MAX_SHARED", 3)
    arrays = list(map_in_order(tasks.large_array, range(8), workers=1))
    assert shared_files() == 3
    assert [int(array[0, 0, 0, 0]) for array in arrays] == list(range(8))
    arrays[7][0] = 1  # copies are the receiver's own, too


@ON_LINUX
def test_a_consumer_may_keep_more_arrays_than_it_may_have_files(tasks):
    import resource  # Windows has none

    used = len(list(Path("/proc/self/fd").iterdir()))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 40, hard))
    try:
        arrays = list(map_in_order(tasks.large_array, range(60), workers=2))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [int(array[0, 0, 0, 0]) for array in arrays] == list(range(60))


@ON_LINUX
def test_arrays_are_pickled_where_no_file_can_be_made():
    import resource  # Windows has none

    class Receiving(threading.Thread):
        def run(self):
            self.value = handover.Inbox().receive(ours)

    ours, theirs = multiprocessing.Pipe()
    receiving = Receiving()
    receiving.start()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        handover.send(theirs, {"array": np.full(1 << 20, 7, np.uint8)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    receiving.join()
    assert (receiving.value["array"] == 7).all()


@ON_LINUX
def test_a_killed_process_leaves_no_memory_behind(tasks, tmp_path):
    before = sorted(Path("/dev/shm").iterdir())
    markers = [tmp_path / name for name in "abc"]
    assert list(map_in_order(tasks.be_killed_once, markers, workers=2)) == ["a", "b", "c"]
    with Pool(1) as pool:
        assert list(map_in_order(tasks.large_array, range(3), workers=pool))
        assert list(map_in_order(tasks.number_of_memory_files, [0], workers=pool)) == [0]
    gc.collect()
    assert shared_files() == 0
    assert sorted(Path("/dev/shm").iterdir()) == before


@pytest.mark.parametrize(("limit", "what"), [("plenty", "no amount"), ("2M", "too little")])
def test_a_limit_of_memory_that_none_could_work_under_is_refused_before_one_starts(
    monkeypatch, limit, what
):
    monkeypatch.setenv("LATTE_MEMORY_LIMIT", limit)
    with pytest.raises(InputError, match=f"LATTE_MEMORY_LIMIT={limit}: .*{what}"):
        Pool(1, limited=True)
