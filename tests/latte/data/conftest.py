"""Video files of any kind, made on the fly, and FFmpeg's plain decoding of them."""

import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest


def _plain(path):
    """Slow oracle: every frame in turn, as FFmpeg gives them."""
    with av.open(f"file:{path}") as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def _encode(path, codec, pixels, *, container=None, options=None, times=None, num_frames=40):
    """A moving clip of 96×72 in a file of any kind."""
    rows, columns = np.mgrid[0:72, 0:96]
    with av.open(str(path) if isinstance(path, Path) else path, "w", format=container) as file:
        stream = file.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt = 96, 72, pixels
        stream.codec_context.thread_count = 1
        for step in range(num_frames):
            image = np.stack([rows * 3, columns * 2 + step * 4, (rows + columns) // 2], -1)
            image[step : step + 20, 2 * step : 2 * step + 20] = 255
            frame = av.VideoFrame.from_ndarray(image.astype(np.uint8), format="rgb24")
            frame = frame.reformat(format=pixels)
            frame.pts = times[step] if times else step
            frame.time_base = Fraction(1, 25)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())


def _copy_packets(source, target, skipped=0):
    """The packets of a file, without the first, in another container."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in itertools.islice(old.demux(video=0), skipped, None):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)


@pytest.fixture(scope="session")
def plain():
    return _plain


@pytest.fixture(scope="session")
def encode():
    return _encode


@pytest.fixture(scope="session")
def copy_packets():
    return _copy_packets
