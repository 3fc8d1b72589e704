from collections import Counter
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latte.data.clips import Selection, candidates, clip_frames, plan_clips
from latte.data.errors import BrokenVideoError, InputError
from latte.data.loading import probe_in_workers
from latte.data.sources import VideoSet
from latte.data.video import VideoInfo

probe_here = partial(probe_in_workers, workers=0, timeout=60)

EVERY_VIDEO = Selection(
    num_videos=100,
    num_frames=4,
    stride=2,
    order="sorted",
    offset="first",
    short_videos="error",
    seed=0,
)


@dataclass(frozen=True)
class FakeVideo:
    name: str
    num_frames: int = 20
    prepared: bool = True

    def probe(self) -> VideoInfo:
        if self.num_frames < 0:
            raise BrokenVideoError(f"{self.name} is broken")
        return VideoInfo(num_frames=self.num_frames, height=8, width=8)

    def read(self, frames):
        return np.zeros((len(frames), 8, 8, 3), np.uint8)

    def digest(self, frames):
        return "0"


def videos(*lengths: int) -> VideoSet:
    members = tuple(FakeVideo(f"v{i:03d}", length) for i, length in enumerate(lengths))
    return VideoSet(name="set", root="set", videos=members)


@pytest.fixture
def opened():
    """Names of the videos that `probe` was asked for."""
    return []


@pytest.fixture
def probe(opened):
    def one_by_one(members):
        for video in members:
            opened.append(video.name)
            yield video, video.probe()

    return one_by_one


def chosen(plan) -> list[str]:
    return [clip.video.name for clip in plan.clips]


def test_sorted_order_takes_the_first_by_name_one_clip_each():
    some = replace(videos(), videos=tuple(FakeVideo(name) for name in ("b", "c", "a")))
    plan = plan_clips(some, replace(EVERY_VIDEO, num_videos=2), probe_here)
    assert chosen(plan) == ["a", "b"]
    assert plan.clips[0].frames == (0, 2, 4, 6)


def test_random_order_is_a_permutation_that_another_seed_changes():
    members = [FakeVideo(f"v{i}") for i in range(50)]
    first = candidates(members, order="random", seed=0)
    assert sorted(v.name for v in first) == sorted(v.name for v in members)
    assert first != sorted(members, key=lambda v: v.name)
    assert first != candidates(members, order="random", seed=1)


def test_a_further_video_does_not_change_the_order_of_the_others():
    members = [FakeVideo(f"v{i}") for i in range(20)]
    before = candidates(members, order="random", seed=3)
    after = candidates([FakeVideo("new"), *reversed(members)], order="random", seed=3)
    assert [v for v in after if v.name != "new"] == before


def test_random_offsets_reach_both_ends_and_nothing_beyond():
    selection = replace(EVERY_VIDEO, offset="random")
    # 9 frames, 4 kept at stride 2: the clip spans 7, so it can begin at 0, 1 or 2.
    starts = {clip_frames(selection, f"v{i}", 9)[0] for i in range(100)}
    assert starts == {0, 1, 2}


def test_offsets_are_uniform():
    selection = replace(EVERY_VIDEO, offset="random", num_frames=1, stride=1)
    starts = [clip_frames(selection, f"v{i}", 10)[0] for i in range(10_000)]
    counts = np.bincount(starts, minlength=10)
    assert np.all(np.abs(counts - 1000) < 150)  # five standard deviations


def test_plans_of_the_first_release_never_move():
    selection = replace(EVERY_VIDEO, offset="random", order="random", num_videos=3)
    plan = plan_clips(videos(*[100] * 10), selection, probe_here)
    assert [(clip.video.name, clip.frames[0]) for clip in plan.clips] == [
        ("v000", 67),
        ("v007", 68),
        ("v006", 93),
    ]


def test_short_videos_are_left_out_and_listed_where_the_protocol_discards_them():
    # StyleGAN-V's rule asks for whole strides: 8 frames, although 7 would hold the clip.
    selection = replace(EVERY_VIDEO, short_videos="discard")
    plan = plan_clips(videos(8, 7, 20), selection, probe_here)
    assert chosen(plan) == ["v000", "v002"]
    assert plan.too_short == ("v001 (7 frames)",)


def test_a_short_video_is_an_error_that_names_it_where_it_is_not_discarded():
    with pytest.raises(BrokenVideoError, match=r"v001.*\b6\b.*\b7\b.*--skip-broken"):
        plan_clips(videos(7, 6), EVERY_VIDEO, probe_here)


def test_skipped_videos_are_replaced_by_the_next():
    selection = replace(EVERY_VIDEO, num_videos=2)
    plan = plan_clips(videos(20, 3, -1, 20, 20), selection, probe_here, skip_broken=True)
    assert chosen(plan) == ["v000", "v003"]
    assert len(plan.broken) == 2


def test_videos_known_to_be_broken_are_not_opened_again(probe, opened):
    plan = plan_clips(
        videos(20, 20, 20),
        replace(EVERY_VIDEO, num_videos=1),
        probe,
        skip_broken=True,
        known_broken=[("v000", "v000 is broken")],
    )
    assert (chosen(plan), opened, plan.broken) == (["v001"], ["v001"], ("v000 is broken",))


def test_no_video_is_opened_once_there_are_enough(probe, opened):
    plan_clips(videos(*[20] * 50), replace(EVERY_VIDEO, num_videos=3), probe)
    assert opened == ["v000", "v001", "v002"]


def test_nothing_usable_is_one_sentence_with_the_reasons():
    selection = replace(EVERY_VIDEO, short_videos="discard")
    with pytest.raises(InputError, match=r"\b2 videos.*\b2 .*\b8 frames"):
        plan_clips(videos(3, 4), selection, probe_here)


def test_nothing_usable_does_not_advise_to_leave_out_what_is_left_out():
    with pytest.raises(InputError, match=r"\b2 broken.*v000.*\b3 frames") as caught:
        plan_clips(videos(3, 4), EVERY_VIDEO, probe_here, skip_broken=True)
    assert "--skip-broken" not in str(caught.value)


@pytest.mark.parametrize("window", ["kept", "strides"])
@pytest.mark.parametrize("number", [0, 1, 5])
@pytest.mark.parametrize(
    ("length", "num_frames", "stride"), [(20, 4, 2), (12, 3, 3), (9, 1, 4), (8, 8, 1), (17, 2, 5)]
)
def test_random_offsets_are_every_place_where_the_window_fits_and_no_other(
    window, number, length, num_frames, stride
):
    selection = replace(
        EVERY_VIDEO, offset="random", window=window, num_frames=num_frames, stride=stride
    )
    span = num_frames * stride if window == "strides" else (num_frames - 1) * stride + 1
    starts = set()
    for seed in range(10):
        for video in range(40):
            frames = clip_frames(replace(selection, seed=seed), f"v{video}", length, number)
            assert frames == tuple(range(frames[0], length, stride))[:num_frames]
            assert len(frames) == num_frames
            starts.add(frames[0])
    assert starts == set(range(length - span + 1))


def test_a_window_of_whole_strides_needs_longer_videos():
    kept, strides = EVERY_VIDEO, replace(EVERY_VIDEO, window="strides")
    assert (kept.min_frames, strides.min_frames) == (7, 8)
    assert chosen(plan_clips(videos(7, 8), kept, probe_here)) == ["v000", "v001"]
    with pytest.raises(BrokenVideoError, match=r"v000.*\b7 frames.*\b8\b"):
        plan_clips(videos(7, 8), strides, probe_here)


def test_a_second_clip_is_taken_only_after_one_of_each():
    selection = replace(EVERY_VIDEO, offset="random", clips_per_video=3, num_videos=8)
    plan = plan_clips(videos(20, 20, 20), selection, probe_here)
    assert chosen(plan) == ["v000", "v001", "v002"] * 2 + ["v000", "v001"]
    firsts = plan_clips(videos(20, 20, 20), replace(selection, clips_per_video=1), probe_here)
    assert plan.clips[:3] == firsts.clips  # further rounds move nothing


def test_rounds_end_with_the_clips_that_one_video_may_give():
    selection = replace(EVERY_VIDEO, offset="random", clips_per_video=3, num_videos=0)
    plan = plan_clips(videos(20, 7, 3, 20), replace(selection, short_videos="discard"), probe_here)
    assert Counter(chosen(plan)) == {"v000": 3, "v003": 3}
    assert plan.too_short == ("v001 (7 frames)", "v002 (3 frames)")


def test_clips_of_one_video_have_draws_of_their_own():
    selection = replace(EVERY_VIDEO, offset="random", num_frames=1, stride=1)
    starts = [clip_frames(selection, "v0", 1000, number)[0] for number in range(100)]
    assert len(set(starts)) > 90
    assert starts[0] == clip_frames(selection, "v0", 1000)[0]


def test_where_clips_begin_at_frame_0_a_second_one_begins_where_the_first_ended():
    selection = replace(EVERY_VIDEO, clips_per_video=9, num_videos=0)
    plan = plan_clips(videos(8, 15, 24), selection, probe_here)
    # 4 frames at stride 2: the next clip begins 8 later and needs 7.
    assert [(clip.video.name, clip.frames[0]) for clip in plan.clips] == [
        ("v000", 0),
        ("v001", 0),
        ("v002", 0),
        ("v001", 8),
        ("v002", 8),
        ("v002", 16),
    ]


def test_no_limit_takes_every_video():
    plan = plan_clips(videos(*[20] * 30), replace(EVERY_VIDEO, num_videos=0), probe_here)
    assert len(plan.clips) == 30


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
    st.integers(1, 9),
    st.integers(1, 4),
    st.integers(0, 60),
)
def test_every_frame_is_taken_once_and_the_last_clip_ends_with_the_last(
    lengths, num_frames, stride, wanted
):
    selection = replace(
        EVERY_VIDEO, offset="every", num_videos=wanted, num_frames=num_frames, stride=stride
    )
    plan = plan_clips(videos(*lengths), selection, probe_here)
    every = [
        (f"v{place:03d}", index)
        for place, length in enumerate(lengths)
        for start in range(0, length, num_frames * stride)
        for index in range(start, min(start + num_frames * stride, length), stride)
    ]
    taken = [(clip.video.name, index) for clip in plan.clips for index in clip.frames]
    assert taken == (every[:wanted] if wanted else every)
    assert plan.num_frames == len(taken)
    assert all(0 < len(clip.frames) <= num_frames for clip in plan.clips)
    if stride == 1 and not wanted:
        assert len(taken) == sum(lengths)


def test_where_every_frame_is_taken_no_video_is_too_short_and_none_is_opened_in_vain(probe, opened):
    selection = replace(EVERY_VIDEO, offset="every", stride=1, num_videos=7)
    plan = plan_clips(videos(1, 2, 30, 30), replace(selection, short_videos="discard"), probe)
    assert opened == ["v000", "v001", "v002"]
    assert [len(clip.frames) for clip in plan.clips] == [1, 2, 4]


def test_mirrored_clips_come_after_all_others_and_count():
    selection = replace(EVERY_VIDEO, offset="random", mirror=True, num_videos=0, clips_per_video=2)
    plan = plan_clips(videos(20, 20), selection, probe_here)
    half = len(plan.clips) // 2
    assert [clip.mirrored for clip in plan.clips] == [False] * 4 + [True] * 4
    assert tuple(replace(clip, mirrored=False) for clip in plan.clips[half:]) == plan.clips[:half]
    # StyleGAN-V cuts the doubled set: with enough videos none is flipped.
    few = plan_clips(videos(20, 20), replace(selection, num_videos=5), probe_here)
    assert few.clips == plan.clips[:5]


def test_every_frame_is_mirrored_too():
    selection = replace(EVERY_VIDEO, offset="every", stride=1, mirror=True, num_videos=9)
    plan = plan_clips(videos(5), selection, probe_here)
    assert [(clip.frames, clip.mirrored) for clip in plan.clips] == [
        ((0, 1, 2, 3), False),
        ((4,), False),
        ((0, 1, 2, 3), True),
    ]


AMONG_ALL = replace(EVERY_VIDEO, order="clips", offset="random", clips_per_video=1000)


def test_a_choice_among_all_clips_takes_each_once():
    plan = plan_clips(videos(9, 12, 7), replace(AMONG_ALL, num_videos=0), probe_here)
    taken = Counter((clip.video.name, clip.frames[0]) for clip in plan.clips)
    places = {"v000": 3, "v001": 6, "v002": 1}
    assert taken == {(name, start): 1 for name, n in places.items() for start in range(n)}


def test_a_choice_among_all_clips_prefers_long_videos_by_their_clips():
    members = videos(*[7, 16] * 150)  # 1 clip and 10 clips
    plan = plan_clips(members, replace(AMONG_ALL, num_videos=300), probe_here)
    long = sum(clip.info.num_frames == 16 for clip in plan.clips)
    assert abs(long - 300 * 10 / 11) < 25  # five standard deviations
    assert len(set(plan.clips)) == 300
    assert max(Counter(chosen(plan)).values()) > 1


def test_a_choice_among_all_clips_begins_with_the_same_clips_whatever_their_number():
    some = plan_clips(videos(*[30] * 9), replace(AMONG_ALL, num_videos=20), probe_here)
    more = plan_clips(videos(*[30] * 9), replace(AMONG_ALL, num_videos=50), probe_here)
    assert more.clips[:20] == some.clips
    other = plan_clips(videos(*[30] * 9), replace(AMONG_ALL, num_videos=20, seed=1), probe_here)
    assert other.clips != some.clips


def test_a_choice_among_all_clips_keeps_to_the_clips_of_one_video():
    selection = replace(AMONG_ALL, num_videos=0, clips_per_video=2)
    plan = plan_clips(videos(7, 30, 30), selection, probe_here)
    assert Counter(chosen(plan)) == {"v000": 1, "v001": 2, "v002": 2}
