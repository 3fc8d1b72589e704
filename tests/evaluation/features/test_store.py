import errno
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from evaluation.features.ownership import owned_file, owned_name
from evaluation.features.store import FeatureStore, LostRowsError
from evaluation.protocol.content import content_key
from latte.data.errors import InputError

SPACE = {"network": "test", "version": 1}


def key(i: int) -> bytes:
    return content_key({"clip": i})


def filled(root, rows) -> FeatureStore:
    store = FeatureStore(root, SPACE)
    for i in rows:
        store.add(key(i), np.full(3, i))
    return store


def test_rows_come_back_in_the_order_asked_for(tmp_path):
    store = filled(tmp_path, range(5))
    store.flush()
    store.add(key(5), np.full(3, 5))  # it is not on disk yet
    assert [row[0] for row in store.rows([key(5), key(0), key(3)])] == [5, 0, 3]


def test_rows_are_found_by_the_next_run(tmp_path):
    filled(tmp_path, range(3)).flush()
    filled(tmp_path, range(2, 6)).flush()
    store = FeatureStore(tmp_path, SPACE)
    assert [row[0] for row in store.rows([key(i) for i in range(6)])] == list(range(6))
    assert key(6) not in store


def test_another_space_has_rows_of_its_own(tmp_path):
    filled(tmp_path, range(3)).flush()
    assert key(0) not in FeatureStore(tmp_path, SPACE | {"version": 2})


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
def test_a_damaged_file_is_set_aside_and_its_rows_are_made_again(tmp_path, caplog, damage):
    store = filled(tmp_path, range(3))
    store.flush()
    (path,) = store.folder.glob("*.safetensors")
    data = bytearray(path.read_bytes())
    if damage == "flipped":
        data[-1] ^= 1
    path.write_bytes({"truncated": data[:-5], "flipped": data, "empty": b""}[damage])
    again = FeatureStore(tmp_path, SPACE)
    assert key(0) not in again
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    again.add(key(0), np.full(3, 7))
    again.flush()
    assert FeatureStore(tmp_path, SPACE).rows([key(0)])[0][0] == 7


def flip(path, offset):
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def offset_of(path, tensor, byte):
    """Where a byte of a tensor is in a safetensors file."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    return 8 + length + json.loads(data[8 : 8 + length])[tensor]["data_offsets"][0] + byte


@pytest.mark.parametrize("moment", ["before it is opened", "after it was opened"])
def test_a_damaged_block_costs_its_own_rows_alone(tmp_path, caplog, monkeypatch, moment):
    monkeypatch.setattr("evaluation.features.shards.BLOCK_BYTES", 24)  # two rows of three values
    store = filled(tmp_path, range(6))
    store.flush()
    (path,) = store.folder.glob("*.safetensors")
    if moment == "before it is opened":
        flip(path, offset_of(path, "features", 30))  # a byte of row 2
        store = FeatureStore(tmp_path, SPACE)
    else:
        assert key(2) in store
        flip(path, offset_of(path, "features", 30))
    keys = [key(i) for i in range(6)]
    with pytest.raises(LostRowsError) as lost:
        store.rows(keys)
    assert lost.value.keys == (key(2), key(3))
    assert [key(i) in store for i in range(6)] == [True, True, False, False, True, True]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert path.with_suffix(".damaged").exists()
    for i in (2, 3):
        store.add(key(i), np.full(3, i))
    store.flush()
    for again in (store, FeatureStore(tmp_path, SPACE)):
        assert [row[0] for row in again.rows(keys)] == list(range(6))


def test_a_file_that_is_gone_when_it_is_read_is_missed_not_a_fault(tmp_path):
    store = filled(tmp_path, range(3))
    store.flush()
    (path,) = store.folder.glob("*.safetensors")
    path.unlink()
    assert store.check([key(0), key(2)]) == [key(0), key(2)]
    assert key(0) not in store


def test_rows_of_files_as_they_were_written_before_are_read_and_their_damage_noticed(tmp_path):
    store = FeatureStore(tmp_path, SPACE)
    keys = np.stack([np.frombuffer(key(i), np.uint8) for i in range(3)])
    features = np.arange(6, dtype=np.float32).reshape(3, 2)
    checksum = hashlib.sha256(keys.tobytes() + features.tobytes()).hexdigest()
    path = store.folder / f"{checksum[:32]}.safetensors"
    path.write_bytes(save({"keys": keys, "features": features}, metadata={"sha256": checksum}))
    store.refresh()
    assert [row.tolist() for row in store.rows([key(2), key(0)])] == [[4, 5], [0, 1]]
    flip(path, offset_of(path, "features", 0))
    assert FeatureStore(tmp_path, SPACE).check([key(1)]) == [key(1)]


def test_many_small_files_become_few_and_readers_do_not_notice(tmp_path):
    reader = None
    for i in range(20):
        filled(tmp_path, [i, i + 1]).flush()
        if i == 10:
            reader = FeatureStore(tmp_path, SPACE)
            reader.rows([key(0)])
    store = FeatureStore(tmp_path, SPACE)
    store.merge()
    assert len(list(store.folder.glob("*.safetensors"))) == 1
    keys = [key(i) for i in range(21)]
    for anyone in (store, FeatureStore(tmp_path, SPACE)):
        assert [row[0] for row in anyone.rows(keys)] == list(range(21))
    assert [row[0] for row in reader.rows(keys[:12])] == list(range(12))
    store.merge()
    assert len(list(store.folder.glob("*.safetensors"))) == 1


def test_rows_that_were_merged_are_found_whether_the_new_file_is_known_or_not(tmp_path):
    store = FeatureStore(tmp_path, SPACE)
    for i in range(20):
        store.add(key(i), np.full(3, i))
        store.flush()
    store.merge()
    store.refresh()  # as the next set of the same run does
    assert [row[0] for row in store.rows([key(i) for i in range(20)])] == list(range(20))


def test_a_damaged_file_is_left_out_of_a_merge(tmp_path):
    for i in range(20):
        filled(tmp_path, [i]).flush()
    store = FeatureStore(tmp_path, SPACE)
    path = next(iter(sorted(store.folder.glob("*.safetensors"))))
    flip(path, offset_of(path, "features", 0))
    store.merge()
    assert path.exists()
    lost = store.check([key(i) for i in range(20)])
    assert len(lost) == 1
    assert len(list(store.folder.glob("*.damaged"))) == 1


def test_what_is_pending_goes_to_disk_by_itself(tmp_path, monkeypatch):
    monkeypatch.setattr("evaluation.features.store.MAX_PENDING_ROWS", 4)
    filled(tmp_path, range(9))  # dropped without a flush, as by a kill
    store = FeatureStore(tmp_path, SPACE)
    assert [key(i) in store for i in range(9)] == [True] * 8 + [False]


def test_a_full_disk_leaves_no_half_file_and_loses_nothing(tmp_path, monkeypatch):
    store = filled(tmp_path, range(3))

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("latte.data.files.os.fsync", full)
    with pytest.raises(OSError, match=r"No space.*safetensors"):
        store.flush()
    assert [path.name for path in store.folder.iterdir()] == ["space.json"]
    monkeypatch.undo()
    store.flush()
    assert key(2) in FeatureStore(tmp_path, SPACE)


def test_rows_of_any_shape_are_kept_as_they_are(tmp_path):
    store = FeatureStore(tmp_path, SPACE)
    row = np.arange(6, dtype=np.float32).reshape(2, 3)
    store.add(key(0), row)
    store.flush()
    np.testing.assert_array_equal(store.rows([key(0)])[0], row)


def test_a_store_that_cannot_be_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file: .*--store"):
        FeatureStore(tmp_path / "file", SPACE)


def test_others_may_read_what_is_stored(tmp_path):
    store = filled(tmp_path, range(2))
    store.flush()
    (path,) = store.folder.glob("*.safetensors")
    probe = tmp_path / "probe"
    probe.write_text("")
    assert path.stat().st_mode == probe.stat().st_mode


def test_leftovers_of_killed_runs_are_removed_and_work_in_progress_is_not(tmp_path):
    store = filled(tmp_path, range(2))
    (tmp_path / "sets").mkdir()
    elsewhere = [store.folder / f".partial-ffffffff-{name}.safetensors" for name in ("old", "new")]
    dead = store.folder / owned_name(".partial-", "-dead.safetensors")
    named_before = tmp_path / "sets" / ".writing-123"
    for path in (*elsewhere, dead, named_before):
        path.write_text("half")
    os.utime(elsewhere[0], (0, 0))
    os.utime(named_before, (0, 0))
    with owned_file(store.folder / owned_name(".partial-", "-live.safetensors")) as live:
        FeatureStore(tmp_path, SPACE)
        assert Path(live.name).exists()
    # Of this machine the lock decides, of others the time since they were touched.
    assert [path.exists() for path in (*elsewhere, dead, named_before)] == [
        *(False, True, False, False)
    ]


def test_rows_of_different_lengths_live_in_one_store(tmp_path):
    store = FeatureStore(tmp_path, SPACE)
    for i, length in enumerate((4, 2, 4, 1)):
        store.add(key(i), np.full((length, 3), i, np.float32))
    store.flush()
    again = FeatureStore(tmp_path, SPACE)
    assert [row.shape for row in again.rows([key(3), key(0), key(1)])] == [(1, 3), (4, 3), (2, 3)]
    assert [row[0, 0] for row in again.rows([key(2), key(1)])] == [2, 1]


def test_a_set_is_remembered_in_its_order_and_forgotten_with_its_rows(tmp_path):
    store = FeatureStore(tmp_path, SPACE)
    for i in range(3):
        store.add(key(i), np.full(2, i, np.float32))
    store.flush()
    order = [key(2), key(0), key(1)]
    store.remember("abc", order)
    again = FeatureStore(tmp_path, SPACE)
    assert again.recall("abc") == order
    assert again.recall("other") is None
    for path in again.folder.glob("*.safetensors"):
        path.unlink()
    assert FeatureStore(tmp_path, SPACE).recall("abc") is None
