"""`latte-eval cache` on real stores: what it lists, removes, refuses and finds damaged."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from evaluation.features.claims import rounds
from evaluation.features.ownership import owned_file, owned_name
from evaluation.features.store import FeatureStore

SPACES = [
    {
        "network": name,
        "weights_sha256": 64 * "a",
        "output": "logits",
        "run": "plain",
        "device": "cpu",
    }
    for name in ("i3d", "inception")
]
DAY = 86400


def key(i: int) -> bytes:
    return i.to_bytes(32, "big")


def fill(root, space, rows) -> FeatureStore:
    store = FeatureStore(root, space)
    for i in rows:
        store.add(key(i), np.full(250, i, np.float32))
    store.flush()
    return store


def shards(store):
    return sorted(store.folder.glob("*.safetensors"))


def unused_for(path, seconds):
    stamp = path.stat().st_mtime - seconds
    os.utime(path, (stamp, stamp))


@pytest.fixture
def stores(tmp_path):
    return [fill(tmp_path / "store", space, range(4)) for space in SPACES]


@pytest.fixture
def cache(latte_eval, tmp_path):
    def run(*arguments):
        return latte_eval("cache", *arguments, "--store", tmp_path / "store", cwd=tmp_path)

    return run


def test_spaces_are_listed_with_what_their_rows_are_of(cache, stores):
    stores[0].remember("0" * 64, [key(1), key(2)])
    unused_for(shards(stores[1])[0], DAY)
    listed = json.loads(cache("list", "--json").stdout)["spaces"]
    assert [space["network"] for space in listed] == ["i3d", "inception"]
    assert [space["id"] for space in listed] == [store.space for store in stores]
    assert [(space["rows"], space["sets"], space["implementation"]) for space in listed] == [
        (4, 1, "plain"),
        (4, 1, "plain"),
    ]
    table = cache("list").stdout
    assert "i3d logits" in table
    assert "aaaaaaaaaaaa" in table
    assert "2 spaces, " in table


def test_rows_that_were_not_used_for_long_are_removed(cache, stores):
    unused_for(shards(stores[0])[0], 31 * DAY)
    seen = cache("prune", "--older-than", "30d", "--dry-run")
    assert str(shards(stores[0])[0]) in seen.stdout
    assert "would remove 1 files" in seen.stdout
    assert shards(stores[0])
    assert "removed 1 files" in cache("prune", "--older-than", "30d").stdout
    assert not stores[0].folder.exists()
    assert shards(stores[1])


def test_reading_rows_counts_as_use(cache, stores):
    unused_for(shards(stores[0])[0], 31 * DAY)
    FeatureStore(stores[0].root, SPACES[0]).rows([key(1)])
    cache("prune", "--older-than", "30d")
    assert shards(stores[0])


def test_a_store_is_cut_to_a_size_from_what_was_used_the_longest_ago(cache, stores):
    more = fill(stores[0].root, SPACES[0], range(4, 8))
    assert len(shards(more)) == 2
    oldest = shards(more)[1]
    unused_for(oldest, 2 * DAY)
    unused_for(shards(stores[1])[0], DAY)
    cache("prune", "--max-size", "10.5kB")  # three files of about 4.4 kB, and little else
    assert len(shards(more)) == 1
    assert not oldest.exists()
    assert shards(stores[1])


def test_a_space_is_removed_by_its_name(cache, stores):
    cache("prune", "--space", stores[0].space)
    assert not stores[0].folder.exists()
    assert shards(stores[1])
    unknown = cache("prune", "--space", "0123")
    assert (unknown.returncode, "no space 0123" in unknown.stderr) == (2, True)


def test_what_a_live_run_extracts_into_is_left_alone(cache, stores):
    unused_for(shards(stores[0])[0], 31 * DAY)
    with owned_file(stores[0].folder / owned_name(".partial-", "-x")) as writing:
        for taken in rounds([stores[0]], [key(9)]):
            for new in taken:
                done = cache("prune", "--older-than", "30d", "--space", stores[0].space)
                assert f"run is extracting: {stores[0].space}" in done.stdout
                assert Path(writing.name).exists()
                stores[0].add(new, np.zeros(250))
    assert len(shards(stores[0])) == 2
    cache("prune", "--older-than", "30d")
    assert len(shards(stores[0])) == 1
    assert not Path(writing.name).exists()


def test_sets_of_which_no_space_has_all_rows_go(cache, stores):
    kept, gone, new = (64 * digit for digit in "012")
    for order, keys in ((kept, [key(1)]), (gone, [key(1), key(77)]), (new, [key(77)])):
        stores[0].remember(order, keys)
    folder = stores[0].root / "sets"
    for order in (kept, gone):
        unused_for(folder / f"{order}.keys", DAY)
    cache("prune")
    assert sorted(path.stem for path in folder.iterdir()) == [kept, new]


def test_sound_stores_are_verified_and_damage_is_named_and_set_aside(cache, stores):
    assert cache("verify").returncode == 0
    (path,) = shards(stores[0])
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    done = cache("verify")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert path.name in done.stdout
    assert "1 of 2 files" in done.stderr
    assert cache("verify").returncode == 0
    assert "1 damaged files set aside" in cache("list").stdout
    assert "removed 1 files" in cache("prune").stdout


def test_a_description_that_is_not_of_its_space_is_damage(cache, stores):
    (stores[0].folder / "space.json").write_text("{}")
    done = cache("verify")
    assert (done.returncode, "does not describe this space" in done.stdout) == (2, True)
    FeatureStore(stores[0].root, SPACES[0])  # writes it again
    assert cache("verify").returncode == 0


@pytest.mark.parametrize("arguments", [("list",), ("verify",), ("prune", "--older-than", "1d")])
def test_a_store_that_is_not_there_is_one_sentence(cache, stores, arguments):
    shutil.rmtree(stores[0].root)
    done = cache(*arguments)
    assert (done.returncode, "no store there" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--older-than", "soon"),
        ("--max-size", "10"),
        ("--max-size", "1e400GB"),
        ("--max-size", "9" * 400 + "GB"),
    ],
)
def test_sizes_and_times_without_a_unit_are_refused(cache, stores, option, text):
    done = cache("prune", option, text)
    assert (done.returncode, f"{option} {text}" in done.stderr) == (2, True)
    assert all(shards(store) for store in stores)


@pytest.mark.parametrize("is_store", [False, True])
def test_files_of_others_in_a_folder_are_left_as_they_are(cache, tmp_path, is_store):
    root = tmp_path / "store"
    files = ["videos/a.mp4", "videos/labels.json", "videos/more/b.mp4", "sets/x.keys"]
    files += ["clips/c.safetensors", "clips/space.json"]
    if is_store:
        space = fill(root, SPACES[0], range(4)).space
        files.append(f"{space}/notes.safetensors")
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("of somebody else")
        unused_for(root / name, 60 * DAY)
    for arguments in (("prune", "--older-than", "30d"), ("prune", "--max-size", "1B"), ("verify",)):
        done = cache(*arguments)
        assert done.returncode == (0 if is_store else 2), done.stderr
        assert is_store or "no store there" in done.stderr
        for name in files:
            assert (root / name).read_text() == "of somebody else"


def test_a_space_that_was_removed_before_its_first_rows_is_described_again(cache, tmp_path, stores):
    begun = FeatureStore(tmp_path / "store", {"network": "new"})
    cache("prune")
    assert not begun.folder.exists()
    begun.add(key(1), np.zeros(2, np.float32))
    begun.flush()
    assert begun.space in cache("list").stdout
