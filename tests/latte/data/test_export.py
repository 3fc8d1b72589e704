import errno
import sys

import pytest

from latte.data import export
from latte.data.shapes import shapes_video_set


@pytest.mark.parametrize(("name", "file_format"), [("a", "png"), ("a", "mkv"), ("a.npy", "npy")])
def test_a_full_disk_names_a_path_and_leaves_nothing_behind(
    tmp_path, monkeypatch, name, file_format
):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    place = {
        "png": (export.Image.Image, "save"),
        "mkv": (export, "write_video"),
        "npy": (export.np.lib.format, "write_array_header_1_0"),
    }
    monkeypatch.setattr(*place[file_format], full)
    videos = shapes_video_set("test", num_videos=2, num_frames=2)
    with pytest.raises(OSError, match="No space") as caught:
        export.export_videos(
            videos, tmp_path / name, file_format=file_format, fps=8, progress=False
        )
    assert caught.value.filename.startswith(str(tmp_path / name))
    assert [path for path in tmp_path.rglob("*") if path.name != "a"] == []


@pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")
@pytest.mark.parametrize(
    ("name", "file_format", "left_over"),
    [("a", "png", "a/.partial-1-000000"), ("a.npy", "npy", ".partial-1-a.npy")],
)
def test_what_a_killed_run_left_is_removed(tmp_path, name, file_format, left_over):
    (tmp_path / left_over).mkdir(parents=True)
    videos = shapes_video_set("test", num_videos=1, num_frames=2)
    export.export_videos(videos, tmp_path / name, file_format=file_format, fps=8, progress=False)
    assert not (tmp_path / left_over).exists()
