import os
import subprocess
import sys

import numpy as np
import pytest

from latte.data.errors import InputError
from latte.data.storage import STORAGES, encoder_version, mp4_round_trip
from latte.data.transforms import jpeg_round_trip
from latte.data.video import read_file, write_video

DIGEST_OF_A_ROUND_TRIP = """
import hashlib, numpy as np
from latte.data.storage import mp4_round_trip
ramp = np.linspace(0, 255, 64)
across, down, grey = ramp[None] + 0 * ramp[:, None], ramp[:, None] + 0 * ramp, np.ones((64, 64))
frames = [
    np.stack([np.roll(across, step, 1), np.roll(down, step, 0), 10 * step * grey], axis=-1)
    for step in range(16)
]
clip = np.stack(frames).astype(np.uint8)
print(hashlib.sha256(mp4_round_trip(clip).tobytes()).hexdigest())
"""


def moving_ramp(height, width, num_frames=16):
    ramp = np.linspace(0, 255, width).astype(np.uint8)
    frames = [np.roll(ramp, step) + np.zeros((height, 1), np.uint8) for step in range(num_frames)]
    return np.stack(frames)[..., None].repeat(3, axis=3)


def random_clip(height, width, num_frames=4):
    shape = (num_frames, height, width, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("clip", [moving_ramp(128, 128), random_clip(64, 128)])
def test_an_mp4_round_trip_is_writing_a_file_and_reading_it(clip, tmp_path, monkeypatch):
    monkeypatch.setenv("LATTE_DECODER", "pyav")
    write_video(tmp_path / "clip.mp4", clip, fps=25, lossless=False)
    expected = read_file(tmp_path / "clip.mp4", range(len(clip)))
    made = mp4_round_trip(clip)
    np.testing.assert_array_equal(made, expected)
    assert (made != clip).any()


@pytest.mark.parametrize("num_frames", [1, 2, 16])
def test_an_mp4_round_trip_keeps_shape_type_and_about_the_picture(num_frames):
    clip = moving_ramp(32, 48, num_frames)
    made = mp4_round_trip(clip)
    assert (made.shape, made.dtype) == (clip.shape, np.uint8)
    assert np.abs(made.astype(int) - clip).mean() < 12


@pytest.mark.skipif(sys.platform != "linux", reason="glibc can fill memory before it is given out")
def test_an_mp4_round_trip_does_not_depend_on_what_memory_held():
    """x264's assembler would, in frames of 64 pixels."""
    made = [
        subprocess.run(
            [sys.executable, "-c", DIGEST_OF_A_ROUND_TRIP],
            env={**os.environ, "MALLOC_PERTURB_": fill},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for fill in ("1", "170")
    ]
    assert made[0] == made[1]
    assert len(made[0].strip()) == 64


@pytest.mark.parametrize(("height", "width"), [(33, 32), (32, 33)])
def test_mp4_of_odd_sides_is_one_sentence(height, width):
    with pytest.raises(InputError, match=rf"v7: .*even sides, not {width}×{height}"):
        mp4_round_trip(random_clip(height, width), "v7")


@pytest.mark.parametrize("quality", [75, 95])
def test_jpeg_storages_are_round_trips_of_their_quality(quality):
    clip = random_clip(32, 40)
    made = STORAGES[f"jpeg-{quality}"](clip, "v7")
    np.testing.assert_array_equal(made, jpeg_round_trip(clip, quality))


def test_higher_quality_loses_less():
    clip = moving_ramp(64, 64).astype(int)
    lost = {
        name: np.abs(STORAGES[name](clip.astype(np.uint8), "v") - clip).mean() for name in STORAGES
    }
    assert lost["jpeg-95"] < lost["jpeg-75"]


def test_the_encoder_has_a_version():
    assert encoder_version().startswith("pyav ")
