import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from latte.data.clips import Clip, Selection, plan_clips
from latte.data.errors import BrokenVideoError, InputError
from latte.data.frames import FrameFolder
from latte.data.loading import STORAGES, Preparation, clip_identity, load_clip, probe_in_workers
from latte.data.sources import FileVideo, open_video_set
from latte.data.transforms import OWN_FILTERS, RECIPES, jpeg_round_trip
from latte.data.video import mp4_round_trip, read_file, write_video

probe_here = partial(probe_in_workers, workers=0, timeout=60)

CLIPS = Path(__file__).parents[2] / "data"
AS_IT_IS = Preparation(recipe="none", size=32, storage="lossless")


def clip_of(video, *frames):
    return Clip(video=video, info=video.probe(), frames=frames)


@pytest.fixture
def growing_frames(tmp_path):
    """Frame 0 is 32×32, the others are 48×40."""
    for index in range(5):
        size = (48, 40) if index else (32, 32)
        Image.new("RGB", size).save(tmp_path / f"{index}.png")
    return FrameFolder(name="growing", path=tmp_path)


@pytest.fixture
def growing_stream(tmp_path):
    """An MPEG-2 stream, whose size may change on the way: 10 frames of 64×64, 10 of 128×96."""
    path = tmp_path / "growing.mpg"
    content = b""
    for width, height in ((64, 64), (128, 96)):
        with av.open(str(tmp_path / "part.m2v"), "w", format="mpeg2video") as container:
            stream = container.add_stream("mpeg2video", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for _ in range(10):
                image = np.full((height, width, 3), 99, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode())
        content += (tmp_path / "part.m2v").read_bytes()
    path.write_bytes(content)
    return path


def test_frames_of_another_size_than_planned_name_the_video_and_both_sizes(growing_frames):
    assert load_clip(clip_of(growing_frames, 0), AS_IT_IS).shape == (1, 32, 32, 3)
    with pytest.raises(BrokenVideoError, match=r"growing: .*48×40.*32×32"):
        load_clip(clip_of(growing_frames, 1, 2), AS_IT_IS)


def test_a_stream_that_changes_size_is_broken(growing_stream):
    assert read_file(growing_stream, [0, 7]).shape == (2, 64, 64, 3)
    with pytest.raises(BrokenVideoError, match=r"growing\.mpg: .*64×64.*128×96"):
        read_file(growing_stream, [15, 0])
    video = FileVideo(name="growing", path=growing_stream)
    with pytest.raises(BrokenVideoError, match=r"growing: .*128×96.*64×64"):
        load_clip(clip_of(video, 14, 15), AS_IT_IS)


@pytest.mark.parametrize("recipe", ["stylegan-v", "cd-fvd"])
def test_narrow_frames_that_would_become_huge_are_refused(tmp_path, recipe):
    write_video(tmp_path / "narrow.mkv", np.zeros((1, 2, 16000, 3), np.uint8), fps=8)
    filter = OWN_FILTERS.get(recipe, "lanczos")
    preparation = Preparation(recipe=recipe, size=256, storage="lossless", filter=filter)
    with pytest.raises(BrokenVideoError, match=r"narrow: .*16000×2 .*2048000×256"):
        load_clip(clip_of(FileVideo(name="narrow", path=tmp_path / "narrow.mkv"), 0), preparation)


def test_a_size_beyond_the_limit_of_pixels_is_refused_before_any_video():
    with pytest.raises(InputError, match=r"^size = 1000000000: .* give a smaller size"):
        Preparation(recipe="stylegan-v", size=10**9, storage="lossless")


@pytest.mark.skipif(sys.platform != "linux", reason="names are Unicode there")
@pytest.mark.parametrize("order", ["sorted", "random"])
@pytest.mark.parametrize("offset", ["first", "random"])
def test_a_name_that_is_not_utf8_is_a_name_like_any_other(tmp_path, order, offset):
    name = os.fsdecode(b"caf\xe9.mp4")
    shutil.copy(CLIPS / "closed_groups.mp4", tmp_path / name)
    selection = Selection(
        num_videos=1,
        num_frames=4,
        stride=2,
        order=order,
        offset=offset,
        short_videos="error",
        seed=0,
    )
    (clip,) = plan_clips(open_video_set(tmp_path), selection, probe_here).clips
    expected = read_file(CLIPS / "closed_groups.mp4", clip.frames)
    np.testing.assert_array_equal(load_clip(clip, AS_IT_IS), expected)
    assert json.dumps(clip_identity(clip, AS_IT_IS)).encode()


@pytest.mark.skipif(sys.platform != "linux", reason="names are Unicode there")
def test_frames_with_names_that_are_not_utf8_have_a_digest(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / os.fsdecode(b"\xe9.png"))
    assert len(FrameFolder(name="video", path=tmp_path).digest([0])) == 64


@pytest.fixture
def clip():
    return clip_of(FileVideo(name="video", path=CLIPS / "closed_groups.mp4"), 0, 2, 4, 6)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("storage", ["lossless", *STORAGES])
def test_a_clip_goes_through_its_recipe_and_then_its_storage(clip, recipe, storage):
    filter = "lanczos" if recipe in ("stylegan-v", "latte") else "bilinear"
    preparation = Preparation(recipe=recipe, size=24, storage=storage, filter=filter)
    expected = RECIPES[recipe](clip.video.read(clip.frames), 24, filter)
    if storage != "lossless":
        expected = STORAGES[storage](expected, "video")
    np.testing.assert_array_equal(load_clip(clip, preparation), expected)


def test_the_filter_is_the_one_asked_for(clip):
    box = Preparation(recipe="latte", size=24, storage="lossless", filter="box")
    expected = RECIPES["latte"](clip.video.read(clip.frames), 24, "box")
    np.testing.assert_array_equal(load_clip(clip, box), expected)
    lanczos = load_clip(clip, replace(box, filter="lanczos"))
    assert (lanczos != expected).any()


def test_a_mirrored_clip_is_flipped_left_to_right_after_its_storage(clip):
    prepared = Preparation(recipe="latte", size=24, storage="jpeg-75")
    frames = load_clip(clip, prepared)
    mirrored = load_clip(replace(clip, mirrored=True), prepared)
    np.testing.assert_array_equal(mirrored, frames[:, :, ::-1])
    assert mirrored.flags["C_CONTIGUOUS"]
    lossless = load_clip(clip, replace(prepared, storage="lossless"))
    assert (mirrored != jpeg_round_trip(lossless[:, :, ::-1])).any()


def test_the_identity_of_a_clip_tells_all_that_makes_its_pixels(clip):
    plain = Preparation(recipe="latte", size=24, storage="jpeg-75")
    others = [
        (replace(clip, mirrored=True), plain),
        (replace(clip, frames=(0, 2, 4)), plain),
        (clip, replace(plain, filter="box")),
        (clip, replace(plain, size=32)),
        (clip, replace(plain, recipe="stylegan-v")),
        (clip, replace(plain, storage="jpeg-95")),
        (clip, replace(plain, storage="mp4")),
    ]
    identities = [clip_identity(*each) for each in [(clip, plain), *others]]
    assert len({json.dumps(identity, sort_keys=True) for identity in identities}) == 8


def test_rows_stored_before_there_were_filters_keep_their_identity(clip):
    """As it was in the first release: no filter, no flip."""
    content = hashlib.sha256((CLIPS / "closed_groups.mp4").read_bytes()).hexdigest()
    plain = Preparation(recipe="latte", size=24, storage="jpeg-75")
    identity = clip_identity(clip, plain)
    assert identity.pop("decoder")
    assert identity == {
        "content": content,
        "frames": [0, 2, 4, 6],
        "preparation": {"recipe": "latte", "size": 24, "storage": "jpeg-75"},
    }


def test_a_recipe_of_none_has_no_filter(clip):
    identities = [
        clip_identity(clip, replace(AS_IT_IS, filter=filter)) for filter in ("lanczos", "box")
    ]
    assert identities[0] == identities[1]


def test_frames_that_are_prepared_are_mirrored_only(tmp_path):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "0.png")
    clip = clip_of(FrameFolder(name="video", path=tmp_path), 0)
    prepared = Preparation(recipe="latte", size=4, storage="mp4")
    np.testing.assert_array_equal(load_clip(clip, prepared), image[None])
    mirrored = replace(clip, mirrored=True)
    np.testing.assert_array_equal(load_clip(mirrored, prepared), image[None, :, ::-1])
    assert clip_identity(clip, prepared) == clip_identity(clip, AS_IT_IS)
    assert clip_identity(mirrored, prepared) != clip_identity(clip, prepared)


DIGEST_OF_A_ROUND_TRIP = """
import hashlib, numpy as np
from latte.data.video import mp4_round_trip
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
def test_an_mp4_round_trip_is_writing_a_file_and_reading_it(clip, tmp_path):
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
    with pytest.raises(InputError, match=rf"v7: .*even.*{width}×{height}"):
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
