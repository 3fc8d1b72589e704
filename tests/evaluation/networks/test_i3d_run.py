"""TorchScript files as the published one, with weights made by a formula."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evaluation.networks.registry import build
from latte.data.errors import InputError


class Silent(nn.Module):
    """TorchScript that is called in another way."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return x.float().mean(dim=[2, 3, 4]) * self.scale


class Other(Silent):
    """Called as the published file is, but with other outputs."""

    def forward(
        self, x: Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False
    ) -> Tensor:
        return x.float().mean(dim=[2, 3, 4]) * self.scale


class Squeezing(Silent):
    """Drops the axis of a single clip, as reductions without care do."""

    def forward(
        self, x: Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False
    ) -> Tensor:
        means = x.float().mean(dim=[1, 2, 3, 4])
        return (means[:, None] * torch.arange(400) * self.scale).squeeze()


@pytest.fixture(scope="module")
def renamed(detector_file):
    """A file whose tensors have other names, and its extractor."""
    path = detector_file(same_names=False)
    return path, build("i3d", path)


def as_published(path, clips):
    """How StyleGAN-V calls its detector."""
    module = torch.jit.load(str(path))
    x = torch.from_numpy(clips).permute(0, 4, 1, 2, 3)
    with torch.inference_mode():
        return module(x, rescale=True, resize=True, return_features=True).numpy()


def relative_difference(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


def test_our_network_takes_over_where_names_match_and_the_probe_agrees(
    detector_file, small_clips, golden, golden_clips
):
    path = detector_file()
    extractor = build("i3d", path)
    assert extractor.path_taken == "own network, folded"
    assert extractor.probe_difference < 1e-5
    expected = as_published(path, small_clips[:1])
    assert relative_difference(extractor(small_clips[:1]), expected) < 1e-5
    assert relative_difference(extractor(golden_clips[:1]), golden["logits"][:1]) < 2e-5


def test_the_file_runs_as_published_where_names_differ(renamed, small_clips):
    path, extractor = renamed
    assert extractor.path_taken == "torchscript as published"
    assert extractor.probe_difference is None
    expected = as_published(path, small_clips[:1])
    assert relative_difference(extractor(small_clips[:1]), expected) < 1e-6


@pytest.mark.parametrize("change", [{"batch_norm_eps": 1e-5}, {"align_corners": True}])
def test_the_file_runs_as_published_where_the_probe_disagrees(detector_file, small_clips, change):
    # Neither is among the tensors of the file: only the probe can tell.
    path = detector_file(**change)
    extractor = build("i3d", path)
    assert extractor.path_taken == "torchscript as published"
    assert extractor.probe_difference > 1e-3
    expected = as_published(path, small_clips[:1])
    assert relative_difference(extractor(small_clips[:1]), expected) < 1e-6


def test_rows_as_published_have_the_same_bits_in_any_grouping(renamed, small_clips):
    _, extractor = renamed
    single = [extractor(clip[None]) for clip in small_clips[:2]]
    assert np.array_equal(extractor(small_clips[:2]), np.concatenate(single))


def test_a_file_that_drops_the_axis_of_a_single_clip_still_gives_rows(tmp_path, small_clips):
    path = tmp_path / "squeezing.pt"
    torch.jit.script(Squeezing()).save(str(path))
    assert build("i3d", path)(small_clips).shape == (3, 400)


@pytest.mark.parametrize(
    ("module", "message"),
    [(Silent, "cannot be called as the published I3D"), (Other, "does not give 400 features")],
)
def test_torchscript_of_another_network_is_refused_before_any_video(tmp_path, module, message):
    path = tmp_path / "other.pt"
    torch.jit.script(module()).save(str(path))
    with pytest.raises(InputError, match=message):
        build("i3d", path)


def test_torchscript_with_weights_that_are_not_finite_is_refused(tmp_path):
    module = Other()
    module.scale.data[0] = torch.nan
    path = tmp_path / "nan.pt"
    torch.jit.script(module).save(str(path))
    with pytest.raises(InputError, match="scale holds values that are not finite"):
        build("i3d", path)
