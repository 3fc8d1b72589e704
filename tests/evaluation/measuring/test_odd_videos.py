"""Video files of odd kinds, measured and recorded."""

import av
import numpy as np
import pytest

import evaluation
from evaluation.results.caveats import Caveat
from evaluation.results.record import VideoNote
from latte.data.errors import BrokenVideoError
from latte.data.shapes import shapes_clips


@pytest.fixture
def streams(tmp_path):
    """Two MPEG-2 transport streams, and the same packets in Matroska."""
    for name, clip in zip(("a", "b"), shapes_clips("test", range(2)), strict=True):
        (tmp_path / "streams").mkdir(exist_ok=True)
        (tmp_path / "copies").mkdir(exist_ok=True)
        source = tmp_path / "streams" / f"{name}.mpg"
        with av.open(str(source), "w", format="mpegts") as file:
            stream = file.add_stream("mpeg2video", rate=25, options={"bf": "2", "g": "6"})
            stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
            stream.codec_context.thread_count = 1
            for image in clip:
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                file.mux(stream.encode(frame.reformat(format="yuv420p")))
            file.mux(stream.encode())
        target = tmp_path / "copies" / f"{name}.mkv"
        with av.open(str(source)) as old, av.open(str(target), "w") as new:
            stream = new.add_stream_from_template(old.streams.video[0])
            for packet in old.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    new.mux(packet)
    return tmp_path


def measure(root, **options):
    options = {"protocol": "shapes", "num_videos": 2, "resamples": 0, **options}
    (result,) = evaluation.measure(root / "streams", root / "copies", **options)
    return result


def test_a_file_and_a_copy_of_its_stream_are_at_no_distance_and_how_it_was_read_is_noted(
    streams, caplog
):
    with caplog.at_level("INFO"):
        result = measure(streams)
    assert result.value == pytest.approx(0, abs=1e-9)
    assert VideoNote(kind="counted", num_videos=2, examples=("a", "b")) in result.real.notes
    assert result.fake.notes == ()
    facts = {"kind": "counted", "num_videos": 2, "examples": ("a", "b")}
    caveat = Caveat("noted_videos", {"path": str(streams / "streams"), **facts})
    assert str(caveat) in caplog.messages


def test_a_video_that_is_damaged_where_it_is_read_is_refused(streams):
    path = streams / "copies" / "b.mkv"
    with av.open(str(path)) as file:
        place, size = next((p.pos, p.size) for p in list(file.demux(video=0))[8:] if p.size > 60)
    content = bytearray(path.read_bytes())
    content[place + 30 : place + size] = bytes(np.arange(size - 30, dtype=np.uint8))
    path.write_bytes(content)
    with pytest.raises(BrokenVideoError, match=r"b\.mkv: "):
        measure(streams)
