"""A video file whose content is known is not opened again, whatever its name and its time stamp."""

import pytest

from evaluation.features.probing import CHUNKS, Prober
from latte.data.errors import BrokenVideoError
from latte.data.sources import FileVideo, open_video_set
from latte.data.video import write_video


@pytest.fixture
def folder(tmp_path, make_clips):
    """Two video files, of 6 and of 9 frames."""
    folder = tmp_path / "videos"
    folder.mkdir()
    write_video(folder / "a.mkv", make_clips(1, 6, 32, 48)[0], fps=25)
    write_video(folder / "b.mkv", make_clips(1, 9, 32, 48)[0], fps=25)
    return folder


@pytest.fixture
def work(monkeypatch):
    """Names of the videos that were opened, and of those that were hashed."""
    done = {"opened": [], "hashed": []}
    probe, digest = FileVideo.probe, FileVideo.digest

    def counted_probe(self):
        done["opened"].append(self.name)
        return probe(self)

    def counted_digest(self, frames):
        done["hashed"].append(self.name)
        return digest(self, frames)

    monkeypatch.setattr(FileVideo, "probe", counted_probe)
    monkeypatch.setattr(FileVideo, "digest", counted_digest)
    return done


def probed(folder, store):
    """What a run finds out, by name."""
    found = Prober(store).probe(open_video_set(folder).videos, workers=0, timeout=60)
    return {video.name: info for video, info in found}


def test_a_second_run_opens_no_file(folder, tmp_path, work):
    first = probed(folder, tmp_path / "store")
    assert [first[name].num_frames for name in "ab"] == [6, 9]
    work["hashed"].clear()
    assert probed(folder, tmp_path / "store") == first
    assert work == {"opened": ["a", "b"], "hashed": ["a", "b"]}  # content is read at every run


def test_a_renamed_file_is_known_and_a_replaced_one_is_not(folder, tmp_path, work):
    first = probed(folder, tmp_path / "store")
    (folder / "b.mkv").rename(folder / "c.mkv")
    (folder / "a.mkv").write_bytes((folder / "c.mkv").read_bytes()[:-9])  # cut short
    again = probed(folder, tmp_path / "store")
    assert again["c"] == first["b"]
    assert isinstance(again["a"], BrokenVideoError)
    assert work["opened"] == ["a", "b", "a"]


def test_a_broken_video_is_looked_at_in_every_run(folder, tmp_path, work):
    (folder / "a.mkv").write_bytes(b"no video")
    for _ in range(2):
        assert isinstance(probed(folder, tmp_path / "store")["a"], BrokenVideoError)
    assert work["opened"] == ["a", "b", "a"]


def flip_a_bit(content: bytes) -> bytes:
    return content[:-40] + bytes([content[-40] ^ 1]) + content[-39:]


@pytest.mark.parametrize("damage", [flip_a_bit, lambda content: content[:-5], lambda content: b""])
def test_a_damaged_memory_is_not_believed(folder, tmp_path, work, damage):
    first = probed(folder, tmp_path / "store")
    (memory,) = (tmp_path / "store" / "videos").iterdir()
    memory.write_bytes(damage(memory.read_bytes()))
    assert probed(folder, tmp_path / "store") == first
    assert work["opened"] == ["a", "b", "a", "b"]


def test_what_another_version_found_out_is_not_believed(folder, tmp_path, work, monkeypatch):
    probed(folder, tmp_path / "store")
    monkeypatch.setattr("evaluation.features.probing.DECODING_VERSION", 10**6)
    probed(folder, tmp_path / "store")
    assert work["opened"] == ["a", "b", "a", "b"]


def test_without_a_store_nothing_is_hashed_or_remembered(folder, work):
    for _ in range(2):
        probed(folder, None)
    assert work == {"opened": ["a", "b", "a", "b"], "hashed": []}


def test_a_store_that_cannot_be_written_is_no_error(folder, tmp_path):
    (tmp_path / "store").write_text("a file where the folder should be")
    assert len(probed(folder, tmp_path / "store")) == 2


def test_of_later_videos_little_is_looked_at(folder, tmp_path, work):
    for number in range(3 * CHUNKS[0]):
        (folder / f"copy{number:02d}.mkv").hardlink_to(folder / "a.mkv")
    videos = open_video_set(folder).videos
    finding = Prober(tmp_path / "store").probe(videos, workers=0, timeout=60)
    next(finding)
    finding.close()
    assert len(work["hashed"]) == CHUNKS[0]
    assert work["opened"] == ["a"]
    work["opened"].clear()
    assert probed(folder, tmp_path / "store")["a"].num_frames == 6
    assert work["opened"] == ["b"]  # copies have the content of a file that is known
