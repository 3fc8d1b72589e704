import numpy as np
import pytest

from benchmarks.distortions import DISTORTIONS, DistortedVideo
from latte.data.shapes import ShapesVideo

VIDEO = ShapesVideo(index=3, split="test")
FRAMES = tuple(range(16))


def distorted(name: str, strength: float) -> np.ndarray:
    return DistortedVideo(video=VIDEO, distortion=name, strength=strength).read(FRAMES)


@pytest.mark.parametrize(
    ("name", "none_at_all"),
    [(name, 1.0 if name == "slowed" else 0.0) for name in DISTORTIONS],
)
def test_no_strength_is_no_change(name, none_at_all):
    np.testing.assert_array_equal(distorted(name, none_at_all), VIDEO.read(FRAMES))


@pytest.mark.parametrize(
    ("name", "strengths"), [("blur", (0.5, 1, 2)), ("noise", (5, 10, 20)), ("frozen", (0.5, 1))]
)
def test_a_stronger_distortion_is_farther_from_the_original(name, strengths):
    original = VIDEO.read(FRAMES).astype(float)
    errors = [np.abs(distorted(name, strength) - original).mean() for strength in strengths]
    assert errors == sorted(errors)
    assert errors[0] > 0


def test_time_distortions_only_choose_among_the_frames_of_the_clip():
    frames = {frame.tobytes() for frame in VIDEO.read(FRAMES)}
    for name, strength in (("frozen", 1), ("shuffled", 1), ("slowed", 2)):
        assert {frame.tobytes() for frame in distorted(name, strength)} <= frames
    shuffled = distorted("shuffled", 1)
    assert {frame.tobytes() for frame in shuffled} == frames
    assert (shuffled != VIDEO.read(FRAMES)).any()
    assert len({frame.tobytes() for frame in distorted("frozen", 1)}) == 1


def test_a_distorted_video_is_the_same_each_time_and_has_a_digest_of_its_own():
    np.testing.assert_array_equal(distorted("noise", 10), distorted("noise", 10))
    digests = {
        DistortedVideo(video=VIDEO, distortion=name, strength=strength).digest(FRAMES)
        for name, strength in (("noise", 10), ("noise", 20), ("blur", 10))
    }
    assert len(digests | {VIDEO.digest(FRAMES)}) == 4
