"""Videos that cannot be read: named, or left out without changing what the others give."""

from pathlib import Path

import numpy as np
import pytest

from latte.data.errors import BrokenVideoError, InputError, LostProcessError
from latte.data.video import write_video
from latte.training import data as data_module
from latte.training.config import DataTable
from latte.training.data import open_training_set
from latte.training.latents import LatentCache


@pytest.fixture
def folder(make_clips, tmp_path):
    """Five videos of 16×16 pixels."""
    for number in range(5):
        write_video(tmp_path / f"{number}.mkv", make_clips(1, 8, 16, 16, number)[0], fps=8)
    return tmp_path


def spoil(path, share=0.5):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def open_set(folder, **changes):
    table = {"num_frames": 4, "stride": 1, "size": 16, "recipe": "none", "skip_broken": True}
    return open_training_set(
        DataTable(dataset=str(folder), **(table | changes)),
        seed=0,
        data_root=Path("nowhere"),
        workers=0,
        class_conditional=False,
    )


def test_what_cannot_be_opened_is_left_out_with_a_note(folder):
    (folder / "2.mkv").write_bytes(b"no video")
    (folder / "short.mkv").write_bytes((folder / "1.mkv").read_bytes())
    with pytest.raises(BrokenVideoError, match=r"2\.mkv.*--skip-broken"):
        open_set(folder, skip_broken=False)
    training_set = open_set(folder)
    assert [Path(video.name).stem for video in training_set.videos.videos] == [
        "0",
        "1",
        "3",
        "4",
        "short",
    ]
    (note,) = training_set.notes()
    assert note.startswith("left out: ")
    assert "2.mkv" in note


@pytest.mark.parametrize("workers", [0, 2])
def test_a_sample_of_a_damaged_video_is_made_of_the_next_one(folder, workers, caplog):
    training_set = open_set(folder, images_per_clip=1)
    whole = list(training_set.samples(range(20), workers=0))
    broken = training_set.videos.videos[3].name
    spoil(folder / "3.mkv", 0.2)
    made = list(training_set.samples(range(20), workers=workers))
    for before, after in zip(whole, made, strict=True):
        assert after.plan.number == before.plan.number
        if broken in {clip.video.name for clip in before.plan.clips}:
            assert broken not in {clip.video.name for clip in after.plan.clips}
        else:
            assert after.plan == before.plan
            assert np.array_equal(after.frames, before.frames)
    assert any(before.plan != after.plan for before, after in zip(whole, made, strict=True))
    assert caplog.text.count("left out: ") == 1
    late = list(training_set.samples(range(13, 20), workers=0))
    assert [sample.plan for sample in late] == [sample.plan for sample in made[13:]]


def test_a_video_that_costs_a_process_does_so_once_in_a_run(folder, monkeypatch):
    training_set = open_set(folder)
    fatal = training_set.videos.videos[3].name
    lost = []

    def processes(function, tasks, **options):
        for attempts in tasks:
            if attempts[0].clips[0].video.name == fatal:
                lost.append(attempts[0].number)
                yield LostProcessError(f"{fatal} took too long", "", ending="took too long")
            else:
                yield function(attempts)

    monkeypatch.setattr(data_module, "map_in_order", processes)
    made = list(training_set.samples(range(20), workers=1))
    assert len(lost) == 1
    monkeypatch.undo()
    without = training_set.samples(range(20), workers=0, decode=False, without=[fatal])
    assert [sample.plan for sample in made] == [sample.plan for sample in without]


def test_a_set_without_a_sound_video_is_refused(folder):
    training_set = open_set(folder)
    for path in folder.iterdir():
        spoil(path, 0.2)
    with pytest.raises(BrokenVideoError):
        list(training_set.samples(range(1), workers=0))


class Brightness:
    """Latents of one number a frame."""

    identity = name = "brightness"
    cacheable = True

    def encode_moments(self, clips):
        return clips.mean((2, 3, 4), keepdim=True).repeat(1, 1, 2, 1, 1)


def test_cached_latents_leave_out_the_same(folder, tmp_path):
    training_set = open_set(folder)
    broken = training_set.videos.videos[3].name
    spoil(folder / "3.mkv", 0.2)
    cache = LatentCache(
        folder=tmp_path / "cache",
        preparation=training_set.preparation,
        autoencoder=Brightness(),
        skip_broken=True,
        progress=False,
    ).open(training_set.videos)
    assert cache.broken == {broken}
    assert (broken, False) not in cache.files
    samples = training_set.samples(range(10), workers=0, decode=False, without=cache.broken)
    names = {sample.plan.clips[0].video.name for sample in samples}
    assert names == {video.name for video in training_set.videos.videos} - {broken}
    everything = [video.name for video in training_set.videos.videos]
    with pytest.raises(InputError, match="none of its videos"):
        next(training_set.samples([0], workers=0, decode=False, without=everything))


def test_a_run_that_met_a_damaged_video_goes_on_without_it(run, folder, monkeypatch):
    settings = [f"data.dataset={folder}", "data.recipe=none", "data.num_videos=0", "data.size=16"]
    settings += ["model.class_conditional=false", "output.checkpoint_every=1"]
    run(*settings, "training.steps=1")
    load, broken = data_module.load_clip, open_set(folder).videos.videos[2].name

    def damaged(clip, preparation):  # found when it is decoded, not when it is opened
        if clip.video.name == broken:
            raise BrokenVideoError("a frame cannot be decoded")
        return load(clip, preparation)

    monkeypatch.setattr(data_module, "load_clip", damaged)
    with pytest.raises(BrokenVideoError, match=r"data\.skip_broken=true"):
        run(*settings)
    path = run(*settings, "data.skip_broken=true")
    assert path.parent.name == "0000006"
