import numpy as np
import pytest

from latte.sampling.preview import COLUMNS, contact_sheet, evenly_spaced, preview_path, save_preview


@pytest.fixture
def clip(make_clips):
    def make(frames, side, seed=0):
        return make_clips(1, frames, side, side, seed)[0]

    return make


def test_frames_of_a_row_are_evenly_spaced_and_enlarged_pixel_by_pixel(clip):
    frames = clip(16, 32)
    sheet = np.asarray(contact_sheet([("a", frames)]))
    enlarged = frames.repeat(3, axis=1).repeat(3, axis=2)
    left = sheet.shape[1] - COLUMNS * (96 + 4)
    assert sheet.shape[0] == 96 + 2 * 4
    for column, frame in enumerate([0, 2, 4, 6, 9, 11, 13, 15]):
        start = left + column * 100
        assert np.array_equal(sheet[4:100, start : start + 96], enlarged[frame])


def test_frames_are_spaced_evenly_from_the_first_to_the_last():
    clip = np.arange(16)
    assert evenly_spaced(clip, 4).tolist() == [0, 5, 10, 15]
    assert evenly_spaced(clip, 1).tolist() == [0]
    assert evenly_spaced(clip[:3], 8).tolist() == [0, 1, 2]


def test_large_frames_are_shrunk_and_short_clips_shown_whole(clip):
    rows = [("a", clip(3, 256)), ("b", clip(3, 256, seed=1))]
    width, height = contact_sheet(rows).size
    assert height == 2 * 96 + 3 * 4
    assert 3 * 100 < width < 3 * 100 + 40


def test_labels_are_written_to_the_left(clip):
    short, long = (contact_sheet([(label, clip(2, 32))]) for label in ("", "a long label"))
    margin = np.asarray(long)[:, : long.width - short.width]
    assert margin.min() < 100
    assert np.array_equal(np.asarray(long)[:, -200:], np.asarray(short)[:, -200:])


def test_the_preview_lies_beside_the_folder(tmp_path, clip, monkeypatch):
    folder = tmp_path / "samples"
    assert preview_path(folder) == tmp_path / "samples.preview.png"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert preview_path(type(folder)()) == tmp_path / "samples.preview.png"
    save_preview(preview_path(folder), [("a", clip(2, 8))])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["samples", "samples.preview.png"]
