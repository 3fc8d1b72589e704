import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.shapes.distortions import DISTORTIONS, DistortedVideo, PaddedVideo
from latte.data.errors import BrokenVideoError
from latte.data.shapes import ShapesVideo

VIDEO = ShapesVideo(index=3, split="test")
FRAMES = tuple(range(16))
STRENGTHS = {
    "blur": (0.5, 1, 2),
    "noise": (5, 10, 20),
    "jpeg": (5, 50, 90),
    "swapped patches": (0.1, 0.5, 1),
    "wrong colours": (0.1, 0.5, 1),
    "shaken": (1, 2, 4),
    "frozen": (0.25, 0.5, 1),
    "jittered": (1, 4, 16),
    "slowed": (1.2, 2, 4),
}


def distorted(name: str, strength: float, index: int = 3) -> np.ndarray:
    video = ShapesVideo(index=index, split="test")
    return DistortedVideo(video=video, distortion=name, strength=strength).read(FRAMES)


def random_of(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", DISTORTIONS)
def test_no_strength_is_no_change(name):
    np.testing.assert_array_equal(distorted(name, DISTORTIONS[name].none), VIDEO.read(FRAMES))


@pytest.mark.parametrize("name", DISTORTIONS)
def test_every_distortion_keeps_type_and_shape_and_changes_something(name):
    strong = {"jpeg": 90.0, "swapped patches": 1.0, "reversed": 1.0, "disordered": 8.0}
    clip = distorted(name, strong.get(name, 2.0 if DISTORTIONS[name].none else 1.0))
    assert clip.dtype == np.uint8
    assert clip.shape == (16, 32, 32, 3)
    assert (clip != VIDEO.read(FRAMES)).any()


@pytest.mark.parametrize("name", STRENGTHS)
def test_a_stronger_distortion_is_farther_from_the_originals(name):
    def error(strength: float) -> float:
        return sum(
            float(np.abs(distorted(name, strength, index) - original.astype(float)).mean())
            for index, original in enumerate(originals)
        )

    originals = [ShapesVideo(index=i, split="test").read(FRAMES) for i in range(8)]
    errors = [error(strength) for strength in STRENGTHS[name]]
    assert errors == sorted(errors)
    assert errors[0] > 0


def test_time_distortions_only_choose_among_the_frames_of_the_clip():
    frames = {frame.tobytes() for frame in VIDEO.read(FRAMES)}
    for name, strength in (("frozen", 1), ("jittered", 3), ("slowed", 2)):
        assert {frame.tobytes() for frame in distorted(name, strength)} <= frames
    for name, strength in (("shuffled", 1), ("disordered", 4), ("reversed", 1)):
        clip = distorted(name, strength)
        assert sorted(f.tobytes() for f in clip) == sorted(f.tobytes() for f in VIDEO.read(FRAMES))
        assert (clip != VIDEO.read(FRAMES)).any()
    assert len({frame.tobytes() for frame in distorted("frozen", 1)}) == 1


@given(
    seed=st.integers(0, 2**31),
    reaches=st.tuples(st.floats(0, 40), st.floats(0, 40)).map(sorted),
    length=st.integers(1, 24),
)
@settings(max_examples=60, deadline=None)
def test_disorder_grows_pair_by_pair_and_stays_within_its_reach(seed, reaches, length):
    def wrong_pairs(reach: float) -> set[tuple[int, int]]:
        clip = np.arange(length, dtype=np.uint8).reshape(-1, 1, 1, 1)
        order = DISTORTIONS["disordered"].distort(clip, reach, random_of(seed)).ravel().tolist()
        place = {frame: at for at, frame in enumerate(order)}
        return {(i, j) for j in range(length) for i in range(j) if place[i] > place[j]}

    weak, strong = (wrong_pairs(reach) for reach in reaches)
    assert weak <= strong
    assert all(j - i < reaches[1] for i, j in strong)


@given(seed=st.integers(0, 2**31), shares=st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted))
@settings(max_examples=40, deadline=None)
def test_swapped_patches_stay_swapped_and_nothing_is_lost(seed, shares):
    clip = random_of(seed).integers(0, 256, (2, 19, 16, 3), dtype=np.uint8)
    swap = DISTORTIONS["swapped patches"].distort
    weak, strong = (swap(clip, share, random_of(seed)) for share in shares)
    np.testing.assert_array_equal(np.sort(strong.ravel()), np.sort(clip.ravel()))
    moved = (weak != clip).any(axis=-1)
    np.testing.assert_array_equal(strong[moved], weak[moved])
    same_in_both_frames = swap(np.repeat(clip[:1], 2, axis=0), shares[1], random_of(seed))
    np.testing.assert_array_equal(same_in_both_frames[0], same_in_both_frames[1])


def test_all_patches_are_swapped_at_the_full_share():
    clip = np.arange(64, dtype=np.uint8).repeat(3).reshape(1, 8, 8, 3)  # a patch is one pixel
    assert (DISTORTIONS["swapped patches"].distort(clip, 1, random_of(0)) != clip).all()


def test_a_shaken_frame_is_shifted_as_a_whole_by_no_more_than_the_reach():
    clip = np.zeros((30, 21, 21, 3), np.uint8)
    clip[:, 10, 10] = 255
    found = np.argwhere(DISTORTIONS["shaken"].distort(clip, 3, random_of(1))[..., 0])
    assert len(found) == 30  # the point is still in every frame
    away = found[:, 1:] - 10
    assert np.abs(away).max() == 3
    assert (np.ptp(away, axis=0) > 3).all()


def test_a_reversed_clip_runs_backwards_and_more_of_them_do_at_a_larger_share():
    def backwards(share: float) -> set[int]:
        return {i for i in range(40) if (distorted("reversed", share, i) != clips[i]).any()}

    clips = [ShapesVideo(index=i, split="test").read(FRAMES) for i in range(40)]
    np.testing.assert_array_equal(distorted("reversed", 1, 7), clips[7][::-1])
    assert backwards(0.25) < backwards(0.75) < backwards(1) == set(range(40))


def test_a_video_at_twice_the_speed_shows_every_second_frame_and_is_over_sooner():
    fast = DistortedVideo(video=VIDEO, distortion="sped up", strength=2)
    np.testing.assert_array_equal(fast.read((3, 4, 5)), VIDEO.read((6, 8, 10)))
    assert fast.probe().num_frames == 32
    assert DistortedVideo(video=VIDEO, distortion="sped up", strength=1.5).read([42]).any()
    assert DistortedVideo(video=VIDEO, distortion="sped up", strength=1.5).probe().num_frames == 43
    with pytest.raises(BrokenVideoError, match="frame 64"):
        fast.read([32])


def test_a_distorted_video_is_the_same_each_time_and_has_a_digest_of_its_own():
    np.testing.assert_array_equal(distorted("noise", 10), distorted("noise", 10))
    digests = {
        DistortedVideo(video=VIDEO, distortion=name, strength=strength).digest(FRAMES)
        for name, strength in (("noise", 10), ("noise", 20), ("blur", 10), ("sped up", 2))
    }
    assert len(digests | {VIDEO.digest(FRAMES)}) == 5


def test_a_padded_video_holds_the_original_in_its_middle():
    wide = PaddedVideo(video=VIDEO, margin=5)
    info, clip, original = wide.probe(), wide.read((0, 7)), VIDEO.read((0, 7))
    assert (info.num_frames, info.height, info.width) == (64, 32, 42)
    assert clip.shape == (2, 32, 42, 3)
    np.testing.assert_array_equal(clip[:, :, 5:-5], original)
    np.testing.assert_array_equal(clip[:, :, 0], original[:, :, 0])
    large = PaddedVideo(video=VIDEO, margin=5, above=2)
    assert large.read((2,)).shape[1:3] == (large.probe().height, large.probe().width) == (36, 42)
    others = [wide, large, PaddedVideo(video=VIDEO, margin=6)]
    assert len({video.digest((0,)) for video in (VIDEO, *others)}) == 4
