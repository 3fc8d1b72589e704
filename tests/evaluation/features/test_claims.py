"""Runs on one store share the work: nothing is done twice, and nothing is left undone."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from evaluation.features.claims import rounds
from evaluation.features.store import FeatureStore
from latte.data.errors import InputError

SPACE = {"network": "test"}


def key(i: int) -> bytes:
    return i.to_bytes(32, "big")


KEYS = [key(i) for i in range(10)]


def put(store: FeatureStore, k: bytes) -> None:
    store.add(k, np.full(2, int.from_bytes(k, "big"), np.float32))


def run(store: FeatureStore, keys=KEYS, **options) -> list[bytes]:
    """Extract what is to be done; the keys that this run did."""
    done = []
    for taken in rounds([store], keys, **options):
        for k in taken:
            put(store, k)
            done.append(k)
    return done


def test_a_run_alone_does_everything_in_the_order_of_the_plan(tmp_path):
    assert run(FeatureStore(tmp_path, SPACE), clips_at_once=3) == KEYS
    assert list((tmp_path / "runs").glob("*.run")) == []


def test_rows_in_memory_are_nobody_elses(tmp_path):
    assert run(FeatureStore(None, SPACE)) == KEYS


def test_two_runs_divide_the_clips_and_both_get_all_rows(tmp_path):
    first, second = (FeatureStore(tmp_path, SPACE) for _ in range(2))
    one, other = (rounds([store], KEYS, clips_at_once=2) for store in (first, second))
    done: dict[int, list[bytes]] = {0: [], 1: []}
    taken = [next(one), next(other)]
    alternate = [(0, first), (1, second)] * len(KEYS)
    for number, store in alternate:
        k = next(taken[number], None)
        if k is not None:
            put(store, k)
            done[number].append(k)
    assert sorted(done[0] + done[1]) == KEYS
    assert [len(done[0]), len(done[1])] == [6, 4]
    # The first run flushes when it asks for the next round; then the second may, and both have all.
    threads = [threading.Thread(target=lambda r=r: next(r, None)) for r in (one, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in (first, second):
        assert [row[0] for row in store.rows(KEYS)] == list(range(10))


def test_a_run_waits_for_the_rows_that_another_is_making(tmp_path):
    first, second = (FeatureStore(tmp_path, SPACE) for _ in range(2))
    one = rounds([first], KEYS, clips_at_once=10)
    taken = next(one)
    put(first, next(taken))  # this run has taken all ten now
    found: list[bytes] = []
    waiting = threading.Thread(target=lambda: found.extend(run(second)))
    waiting.start()
    for k in taken:
        put(first, k)
    assert next(one, None) is None
    waiting.join()
    assert found == []
    assert all(k in second for k in KEYS)


def test_two_processes_at_once_do_each_clip_once(tmp_path):
    code = f"""
import sys
from pathlib import Path
import numpy as np
from evaluation.features.claims import rounds
from evaluation.features.store import FeatureStore
store, done = FeatureStore(Path({str(tmp_path)!r}), {SPACE!r}), []
keys = [i.to_bytes(32, "big") for i in range(40)]
for taken in rounds([store], keys, clips_at_once=3):
    for key in taken:
        if not done:
            print("working", flush=True)
            sys.stdin.readline()  # until the other works as well
        number = int.from_bytes(key, "big")
        store.add(key, np.full(2, number, np.float32))
        done.append(number)
print(*done)
print(*(int(row[0]) for row in store.rows(keys)))
"""
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for one in runs:
        assert one.stdout.readline() == "working\n"
    for one in runs:
        one.stdin.write("go on\n")
        one.stdin.flush()
    outputs = [one.communicate()[0].splitlines() for one in runs]
    done = [[int(number) for number in of_one.split()] for of_one, _ in outputs]
    assert min(map(len, done)) >= 3
    assert sorted(done[0] + done[1]) == list(range(40))
    assert [rows for _, rows in outputs] == [" ".join(map(str, range(40)))] * 2


def test_what_a_killed_run_had_taken_is_free_at_once(tmp_path):
    code = f"""
import os, signal
from pathlib import Path
import numpy as np
from evaluation.features.claims import rounds
from evaluation.features.store import FeatureStore
store = FeatureStore(Path({str(tmp_path)!r}), {SPACE!r})
for taken in rounds([store], [i.to_bytes(32, "big") for i in range(10)], clips_at_once=10):
    key = next(taken)
    store.add(key, np.zeros(2, np.float32))
    store.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", code], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list((tmp_path / "runs").glob("*.run"))) == 1
    assert run(FeatureStore(tmp_path, SPACE)) == KEYS[1:]  # the row that it had written is kept
    assert list((tmp_path / "runs").glob("*.run")) == []


@pytest.mark.parametrize(("age", "expected"), [(0, KEYS[5:]), (3600, KEYS)])
def test_a_run_on_another_machine_lives_as_long_as_it_touches_its_file(tmp_path, age, expected):
    store = FeatureStore(tmp_path, SPACE)
    (tmp_path / "runs").mkdir()
    other = tmp_path / "runs" / "ffffffff-0123456789ab.run"
    other.write_text("".join(f"{store.space} {k.hex()}\n" for k in KEYS[:5]))
    stamp = other.stat().st_mtime - age
    os.utime(other, (stamp, stamp))
    taken = next(rounds([store], KEYS))
    assert list(taken) == expected


def test_patience_with_a_run_that_makes_no_progress_ends(tmp_path):
    stuck, store = (FeatureStore(tmp_path, SPACE) for _ in range(2))
    others = rounds([stuck], KEYS, clips_at_once=10)
    next(next(others))
    assert run(store, patience=0) == KEYS


def test_a_clip_is_not_offered_again_to_the_run_that_could_not_read_it(tmp_path):
    store, offered = FeatureStore(tmp_path, SPACE), []
    for taken in rounds([store], KEYS):
        offered += taken  # nothing is put into the store
    assert offered == KEYS
    assert run(FeatureStore(tmp_path, SPACE)) == KEYS


def test_an_error_gives_up_what_was_taken(tmp_path):
    store = FeatureStore(tmp_path, SPACE)
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        for taken in rounds([store], KEYS):
            next(taken)
            raise KeyboardInterrupt
    assert run(FeatureStore(tmp_path, SPACE)) == KEYS


def test_a_clip_waits_for_every_network_that_lacks_it(tmp_path):
    one, two = (FeatureStore(tmp_path, {"network": name}) for name in ("one", "two"))
    put(one, key(0))
    put(two, key(1))
    seen = []
    for taken in rounds([one, two], KEYS[:3]):
        for k in taken:
            seen.append(k)
            put(one, k)
            put(two, k)
    assert seen == KEYS[:3]


def test_a_store_that_cannot_be_written_is_one_sentence_before_any_work(tmp_path):
    store = FeatureStore(tmp_path, SPACE)
    (tmp_path / "runs").write_text("")  # a file where a folder should be
    with pytest.raises(InputError, match=r"cannot be kept there.*--store"):
        next(rounds([store], KEYS))
