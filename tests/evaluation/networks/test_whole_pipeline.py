"""Frame folders to FVD: the values that the official tools give on the same frames and weights."""

from dataclasses import replace

import pytest
from PIL import Image

from evaluation.features.extraction import ExtractionOptions
from evaluation.measuring.measurer import Measurer
from evaluation.measuring.networks import Networks
from evaluation.protocol.presets import LATTE, STYLEGAN_V
from latte.data.sources import open_video_set

NUM_VIDEOS = 24


@pytest.fixture(scope="module")
def frame_folders(make_clips, tmp_path_factory):
    """A folder of 24 frame folders, 128×128 PNGs; memory of what was made already."""
    root = tmp_path_factory.mktemp("frames")

    def make(num_frames: int, seed: float):
        folder = root / f"{num_frames}-{seed}"
        for i in range(NUM_VIDEOS if not folder.exists() else 0):
            video = folder / f"{i:03d}"
            video.mkdir(parents=True)
            for k, frame in enumerate(make_clips(1, num_frames, 128, 128, seed + 1.7 * i)[0]):
                Image.fromarray(frame).save(video / f"{k:06d}.png", compress_level=1)
        return folder

    return make


@pytest.fixture(scope="module")
def measure(state_dict_file, tmp_path_factory):
    root = tmp_path_factory.mktemp("results")

    def fvd(real, fake, protocol):
        options = ExtractionOptions(store=root / "store", workers=0, progress=False)
        networks = Networks(options, {"i3d": state_dict_file})
        measurer = Measurer(protocol, ("fvd",), networks, resamples=100, at_least=NUM_VIDEOS)
        (result,) = measurer.measure(open_video_set(real), open_video_set(fake))
        return result

    return fvd


def test_stylegan_v_gives_the_value_of_the_official_tool(frame_folders, measure):
    result = measure(frame_folders(16, 0), frame_folders(16, 0.5), STYLEGAN_V)
    # A small difference of large terms: still equal to five digits.
    assert result.value == pytest.approx(0.037597812857937195, rel=1e-3)
    assert (result.metric, result.num_real, result.num_fake) == ("FVD", 24, 24)


def test_latte_gives_the_value_of_the_official_tool(frame_folders, measure):
    protocol = replace(LATTE, real_offset="first")  # the official run's offsets were held at 0
    result = measure(frame_folders(48, 0), frame_folders(16, 0.5), protocol)
    assert result.value == pytest.approx(21.530979255649097, rel=1e-5)
    assert "real_offset" in [each.field for each in result.deviations]
    assert result.interval is not None
    assert result.interval[0] < result.value < result.interval[1]
