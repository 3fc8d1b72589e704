from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest

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


def chosen(plan) -> list[str]:
    return [clip.video.name for clip in plan.clips]


def test_sorted_order_takes_the_first_by_name_one_clip_each():
    some = VideoSet(
        name="set", root="set", videos=tuple(FakeVideo(name) for name in ("b", "c", "a"))
    )
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
    assert [(clip.video.name, clip.frames[0]) for clip in plan.clips] == PINNED_PLAN


def test_short_videos_are_left_out_and_listed_where_the_protocol_discards_them():
    # StyleGAN-V's rule asks for whole strides: 8 frames, although 7 would hold the clip.
    selection = replace(EVERY_VIDEO, short_videos="discard")
    plan = plan_clips(videos(8, 7, 20), selection, probe_here)
    assert chosen(plan) == ["v000", "v002"]
    assert plan.too_short == ("v001 (7 frames)",)


def test_a_short_video_is_an_error_that_names_it_where_it_is_not_discarded():
    with pytest.raises(BrokenVideoError, match=r"v001 has 6 frames.*need 7.*--skip-broken"):
        plan_clips(videos(7, 6), EVERY_VIDEO, probe_here)


def test_skipped_videos_are_replaced_by_the_next():
    selection = replace(EVERY_VIDEO, num_videos=2)
    plan = plan_clips(videos(20, 3, -1, 20, 20), selection, probe_here, skip_broken=True)
    assert chosen(plan) == ["v000", "v003"]
    assert len(plan.broken) == 2


def test_videos_known_to_be_broken_are_not_opened_again():
    opened = []

    def probe(members):
        for video in members:
            opened.append(video.name)
            yield video, video.probe()

    plan = plan_clips(
        videos(20, 20, 20),
        replace(EVERY_VIDEO, num_videos=1),
        probe,
        skip_broken=True,
        known_broken=[("v000", "v000 is broken")],
    )
    assert (chosen(plan), opened, plan.broken) == (["v001"], ["v001"], ("v000 is broken",))


def test_no_video_is_opened_once_there_are_enough():
    opened = []

    def probe(members):
        for video in members:
            opened.append(video.name)
            yield video, video.probe()

    plan_clips(videos(*[20] * 50), replace(EVERY_VIDEO, num_videos=3), probe)
    assert opened == ["v000", "v001", "v002"]


def test_nothing_usable_is_one_sentence_with_the_reasons():
    selection = replace(EVERY_VIDEO, short_videos="discard")
    with pytest.raises(InputError, match=r"none of its 2 videos.*2 shorter than 8 frames"):
        plan_clips(videos(3, 4), selection, probe_here)


def test_nothing_usable_does_not_advise_to_leave_out_what_is_left_out():
    with pytest.raises(InputError) as caught:
        plan_clips(videos(3, 4), EVERY_VIDEO, probe_here, skip_broken=True)
    assert "2 broken (set: v000 has 3 frames" in str(caught.value)
    assert "--skip-broken" not in str(caught.value)


PINNED_PLAN = [("v000", 67), ("v007", 68), ("v006", 93)]
