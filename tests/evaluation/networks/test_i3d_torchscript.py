"""TorchScript files as the published one, with weights made by a formula."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evaluation.networks.i3d import I3D, preprocess, preprocess_crop, scripted_logits
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
    return path, build("i3d", path, trust_weights=True)


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
    extractor = build("i3d", path, trust_weights=True)
    assert extractor.implementation == "own network, fused"
    assert extractor.probe_difference < 1e-5
    expected = as_published(path, small_clips[:1])
    assert relative_difference(extractor(small_clips[:1]), expected) < 1e-5
    assert relative_difference(extractor(golden_clips[:1]), golden["logits"][:1]) < 2e-5


def test_the_file_runs_as_published_where_names_differ(renamed, small_clips):
    path, extractor = renamed
    assert extractor.implementation == "torchscript as published"
    assert extractor.probe_difference is None
    expected = as_published(path, small_clips[:1])
    assert relative_difference(extractor(small_clips[:1]), expected) < 1e-6


@pytest.mark.parametrize("change", [{"batch_norm_eps": 1e-5}, {"align_corners": True}])
def test_the_file_runs_as_published_where_the_probe_disagrees(detector_file, small_clips, change):
    # Neither is among the tensors of the file: only the probe can tell.
    path = detector_file(**change)
    extractor = build("i3d", path, trust_weights=True)
    assert extractor.implementation == "torchscript as published"
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
    assert build("i3d", path, trust_weights=True)(small_clips).shape == (3, 400)


@pytest.mark.parametrize(
    ("module", "message"),
    [(Silent, r"other\.pt.*I3D"), (Other, r"other\.pt.*\b400 features")],
)
def test_torchscript_of_another_network_is_refused_before_any_video(tmp_path, module, message):
    path = tmp_path / "other.pt"
    torch.jit.script(module()).save(str(path))
    with pytest.raises(InputError, match=message):
        build("i3d", path, trust_weights=True)


def test_torchscript_with_weights_that_are_not_finite_is_refused(tmp_path):
    module = Other()
    module.scale.data[0] = torch.nan
    path = tmp_path / "nan.pt"
    torch.jit.script(module).save(str(path))
    with pytest.raises(InputError, match=r"nan\.pt: .*\bscale .*not finite"):
        build("i3d", path, trust_weights=True)


def cropped_and_published(path, clips):
    """Our crop, and the file as it is on values that are in their range already."""
    module = torch.jit.load(str(path))
    with torch.inference_mode():
        x = preprocess_crop(torch.from_numpy(clips))
        return module(x, rescale=False, resize=False, return_features=True).numpy()


@pytest.mark.parametrize(
    ("settings", "implementation"),
    [
        ({}, "own network, fused"),
        ({"same_names": False}, "torchscript as published"),
        ({"batch_norm_eps": 1e-5}, "torchscript as published"),
        # How the file resizes does not matter where it does not.
        ({"align_corners": True}, "own network, fused"),
    ],
)
def test_cropped_frames_go_into_the_file_or_into_its_equal(
    detector_file, small_clips, settings, implementation
):
    path = detector_file(**settings)
    extractor = build("i3d", path, trust_weights=True, resize="crop")
    assert extractor.implementation == implementation
    assert (extractor.spec.resize, extractor.spec.output) == ("crop", "logits")
    expected = cropped_and_published(path, small_clips[:1])
    assert relative_difference(extractor(small_clips[:1]), expected) < 1e-5
    # 64 × 48 squashed is another picture.
    assert relative_difference(expected, as_published(path, small_clips[:1])) > 1e-3


def test_pooled_features_come_from_our_network_once_it_has_reproduced_the_file(
    detector_file, state_dict, small_clips
):
    extractor = build("i3d", detector_file(), output="pooled", trust_weights=True)
    assert extractor.implementation == "own network, fused"
    assert 0 < extractor.probe_difference < 1e-5
    model = I3D()
    model.load_state_dict(state_dict)
    with torch.inference_mode():
        x = preprocess(torch.from_numpy(small_clips[:1]))
        pooled, logits = model.pooled(x), model(x)
    found = extractor(small_clips[:1])
    assert found.shape == (1, extractor.spec.num_features) == (1, 1024)
    assert relative_difference(found, pooled.numpy()) < 1e-5
    classes = logits.double().softmax(dim=1).numpy()
    np.testing.assert_allclose(extractor.probabilities(found), classes, rtol=1e-4)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"same_names": False}, "tensors.*names"),
        ({"batch_norm_eps": 1e-5}, r"logits.*\d\.\de-0\d"),
    ],
)
def test_pooled_features_are_refused_where_our_network_is_not_the_files_equal(
    detector_file, settings, reason
):
    with pytest.raises(InputError, match=rf"{reason}.*logits.*i3d_pretrained"):
        build("i3d", detector_file(**settings), output="pooled", trust_weights=True)


def test_frames_that_are_prepared_go_into_the_file_as_they_are(detector_file):
    path = detector_file()
    x = torch.rand(1, 3, 10, 224, 224, generator=torch.Generator().manual_seed(0))
    module = torch.jit.load(str(path))
    with torch.inference_mode():
        expected = module(x, rescale=False, resize=False, return_features=True)
        assert torch.equal(scripted_logits(module, path, inside=False)(x), expected)
