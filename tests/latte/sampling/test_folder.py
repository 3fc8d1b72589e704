import json

import numpy as np
import pytest

from latte.data.datasets import class_of
from latte.data.errors import InputError
from latte.data.sources import open_video_set
from latte.sampling.folder import RECORD, SampleFolder, folder_name

NAMES = ("ape", "bee", "../cat")


@pytest.fixture
def folder(tmp_path):
    def make(file_format="mkv", classes=None):
        return SampleFolder(
            root=tmp_path / "samples",
            file_format=file_format,
            fps=8.0,
            classes=classes,
            label=lambda index: index % 3,
        )

    return make


@pytest.fixture
def clips(make_clips):
    return make_clips(4, 5, 16, 16)


@pytest.mark.parametrize("file_format", ["mkv", "png"])
@pytest.mark.parametrize("classes", [None, NAMES], ids=["flat", "classes"])
def test_what_is_written_is_measured_bit_for_bit(folder, clips, file_format, classes):
    samples = folder(file_format, classes)
    with samples.claimed({"steps": 3}, {}):
        for index, clip in enumerate(clips):
            samples.write(index, clip)
            assert np.array_equal(samples.read(index), clip)
    assert samples.present() == {0, 1, 2, 3}
    videos = open_video_set(samples.root).videos
    found = {video.name: video.read(range(5)) for video in videos}
    if classes is None:
        assert list(found) == ["000000", "000001", "000002", "000003"]
        assert all(class_of(video) is None for video in videos)
    else:
        assert set(found) == {"ape/000000", "ape/000003", "bee/000001", "_._cat/000002"}
        assert [class_of(video) for video in videos] == ["_._cat", "ape", "ape", "bee"]
    for name, read in found.items():
        assert np.array_equal(read, clips[int(name[-6:])])


def test_mp4_loses_something(folder, clips):
    samples = folder("mp4")
    samples.write(0, clips[0])
    assert samples.path(0).name == "000000.mp4"
    difference = np.abs(samples.read(0).astype(int) - clips[0])
    assert 0 < difference.mean() < 40


def test_the_same_settings_go_on_and_others_are_named(folder, clips):
    samples, settings = folder(), {"steps": 3, "labels": (1, 2), "checkpoint": "a" * 64}
    assert samples.check(settings)
    with samples.claimed(settings, {"torch": "2"}):
        samples.write(0, clips[0])
    assert not samples.check(settings)
    with samples.claimed(settings, {"torch": "3"}):
        pass
    others = {"steps": 4, "labels": None, "checkpoint": "b" * 64}
    with pytest.raises(InputError) as refused:
        samples.check(others)
    assert str(refused.value) == (
        f"{samples.root}: its samples were made with steps 3 (not 4) and labels [1, 2] (not none) "
        "and checkpoint aaaaaaaa (not bbbbbbbb): give the same options to resume, or another "
        "folder with --out"
    )
    record = json.loads((samples.root / RECORD).read_text())
    assert record["made_by"] == {"torch": "2"}


def test_settings_are_forgotten_only_where_no_sample_has_them(folder, clips):
    samples = folder()

    def interrupted(settings, count, **options):
        with samples.claimed(settings, {}, **options):
            for index in range(count):
                samples.write(index, clips[index])
            raise KeyboardInterrupt

    def fail(*arguments, **options):
        with pytest.raises(KeyboardInterrupt):
            interrupted(*arguments, **options)

    assert samples.check({"steps": 3})
    assert not samples.root.exists()
    fail({"steps": 3}, 0)
    assert not samples.root.exists()
    samples.root.mkdir()  # the user made it, and keeps it
    fail({"steps": 4}, 0)
    assert list(samples.root.iterdir()) == []
    fail({"steps": 4}, 0, alone=False)
    with pytest.raises(InputError, match=r"steps 4 .*\b5\b"):
        samples.check({"steps": 5})
    fail({"steps": 4}, 1)
    with pytest.raises(InputError, match=r"steps 4 .*\b5\b"):
        samples.check({"steps": 5})


def test_an_autoencoder_is_known_by_its_content(folder, clips):
    samples = folder()
    with samples.claimed({"autoencoder_digest": "1" * 64}, {"autoencoder_path": "a"}):
        samples.write(0, clips[0])
    assert not samples.check({"autoencoder_digest": "1" * 64})
    with pytest.raises(InputError, match=r"autoencoder_digest 11111111 .*22222222"):
        samples.check({"autoencoder_digest": "2" * 64})


def test_a_folder_of_something_else_is_refused(folder):
    samples = folder()
    samples.root.mkdir()
    (samples.root / "notes.txt").write_text("harmless")
    (samples.root / "holiday.mp4").write_bytes(b"")
    with pytest.raises(InputError, match=r"samples: .*holiday\.mp4.*\.sampling\.json"):
        samples.check({})


@pytest.mark.parametrize(
    "name", ["cat.avi", "000001.mp4", "preview.png", "000002", "ape/000001.mkv", "ape/x.mkv"]
)
def test_what_would_be_measured_with_the_samples_is_refused(folder, clips, name):
    samples = folder(classes=NAMES)
    with samples.claimed({}, {}):
        samples.write(0, clips[0])
    stranger = samples.root / name
    if stranger.suffix:
        stranger.write_bytes(b"")
    else:
        stranger.mkdir()
    with pytest.raises(InputError, match=rf"samples: .*\b{name}\b.*--out"):
        samples.present()


def test_what_is_not_complete_is_not_there(folder, clips):
    samples = folder()
    with samples.claimed({}, {}):
        pass
    left_over = samples.root / ".partial-7-000000.mkv"
    left_over.write_bytes(b"half")
    assert samples.present() == set()
    with samples.claimed({}, {}):
        assert not left_over.exists()


def test_a_damaged_record_is_refused(folder):
    samples = folder()
    with samples.claimed({}, {}):
        pass
    for text in ("{", "[]", '{"settings": 3}'):
        (samples.root / RECORD).write_text(text)
        with pytest.raises(InputError, match=r"\.sampling\.json: "):
            samples.check({})


def test_a_file_in_place_of_the_folder_is_refused(folder):
    samples = folder()
    samples.root.write_text("")
    with pytest.raises(InputError, match="samples: is a file"):
        samples.check({})


@pytest.mark.parametrize("name", ["", ".", "..", "/etc", "a/b", "a\\b", "a\0b", ".hidden"])
def test_no_class_name_leads_out_of_the_folder(name):
    safe = folder_name(name)
    assert safe
    assert not set(safe) & set("/\\\0")
    assert not safe.startswith(".")
