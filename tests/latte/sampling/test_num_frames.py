"""Clips of another length than those of the training."""

from dataclasses import replace

import pytest
import torch

from latte.config import LatteConfig
from latte.data.errors import InputError
from latte.data.sources import open_video_set
from latte.model import Latte
from latte.model.checkpoints import save_checkpoint
from latte.sampling.plan import SampleRequest
from latte.sampling.run import sample

CONFIG = LatteConfig(8, 2, 3, 32, 2, 2, 4)


@pytest.fixture
def request_of(tmp_path):
    """Maker of requests for samples of a network with these fields."""

    def make(**fields):
        config = replace(CONFIG, **fields)
        torch.manual_seed(0)
        model = Latte(config)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
        save_checkpoint(tmp_path / "a.safetensors", config, model.state_dict(), {})
        return SampleRequest(
            checkpoint=tmp_path / "a.safetensors",
            out=tmp_path / "samples",
            num_samples=1,
            options={"steps": 2},
            device="cpu",
            progress=False,
        )

    return make


@pytest.mark.parametrize("fields", [{}, {"temporal_position": "rotary"}])
def test_samples_may_be_longer_or_shorter(request_of, fields, caplog, tmp_path):
    request = request_of(**fields)
    for num_frames in (2, 7):
        out = tmp_path / str(num_frames)
        report = sample(replace(request, num_frames=num_frames, out=out))
        assert report.num_frames == num_frames
        assert [video.probe().num_frames for video in open_video_set(out).videos] == [num_frames]
        assert f"trained on clips of 4 frames, and has not seen any of {num_frames}" in caplog.text


def test_the_usual_number_is_what_no_number_is(request_of, caplog):
    request = request_of()
    assert sample(request).made == 1
    assert sample(replace(request, num_frames=4)).made == 0
    assert "trained on" not in caplog.text
    with pytest.raises(InputError, match=r"num_frames none \(not 8\)"):
        sample(replace(request, num_frames=8))


def test_a_number_that_the_network_cannot_have_is_refused(request_of):
    request = request_of(patch_embedding="compression")
    with pytest.raises(InputError, match=r"a\.safetensors: num_frames 5 .*tube_size 2"):
        sample(replace(request, num_frames=5))
