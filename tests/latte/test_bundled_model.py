"""The small Latte that comes with the package."""

import numpy as np
import pytest
import torch

from latte.autoencoder import from_uint8, open_autoencoder
from latte.data.schema import convert
from latte.data.shapes import CLASS_NAMES, shapes_video_set
from latte.diffusion import DiffusionSettings
from latte.model.checkpoints import build_model, bundled_checkpoint, load_checkpoint
from latte.training.config import TrainConfig, load_config


@pytest.fixture(scope="module")
def bundled():
    return load_checkpoint(bundled_checkpoint())


def test_it_is_what_the_committed_configuration_makes(bundled):
    assert convert(bundled.settings["training"], TrainConfig, "bundled") == load_config("shapes")
    assert bundled.settings["step"] == load_config("shapes").training.steps
    assert tuple(bundled.settings["classes"]) == CLASS_NAMES
    assert (bundled.config.variant, bundled.config.num_frames) == (1, 16)
    assert bundled_checkpoint().stat().st_size < 10e6


@pytest.mark.parametrize(("t", "limit"), [(300, 0.14), (500, 0.21), (700, 0.33)])
def test_it_finds_videos_that_it_has_never_seen_under_noise(bundled, t, limit):
    """Root of the mean squared error of x₀, whose own is 1."""
    autoencoder = open_autoencoder("patches")
    videos = shapes_video_set("test", num_videos=10, size=32).videos
    clips = np.stack([video.read(range(16)) for video in videos])
    x0 = autoencoder.encode(from_uint8(clips))
    diffusion = DiffusionSettings(**bundled.settings["diffusion"]).open()
    times, noise = torch.full((10,), t), torch.randn(x0.shape, generator=torch.Generator())
    xt = diffusion.q_sample(x0, times, noise)
    with torch.no_grad():
        *_, found = diffusion.p_mean_variance(build_model(bundled), xt, times, y=torch.arange(10))
    assert (found - x0).pow(2).mean().sqrt() < limit
