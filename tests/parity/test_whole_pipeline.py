"""Clips and weights in, distance out: cd-fvd's and ours."""

import numpy as np
import pytest
import torch

from evaluation.metrics import frechet_distance_from_features
from evaluation.networks.i3d import I3D
from evaluation.networks.registry import build

fvd = pytest.importorskip("cdfvd.fvd")
NUM_CLIPS = 16


@pytest.fixture
def state_dict(weight):
    """All tensors of I3D, by the formula."""
    return {
        name: weight(name, tuple(tensor.shape)) if tensor.is_floating_point() else tensor
        for name, tensor in I3D().state_dict().items()
    }


@pytest.fixture
def their_evaluator(state_dict):
    """cd-fvd's evaluator around its own I3D, without the download that its constructor does."""
    from cdfvd.third_party.i3d.pytorch_i3d import InceptionI3d

    evaluator = fvd.cdfvd.__new__(fvd.cdfvd)
    evaluator.device, evaluator.model_dtype = "cpu", torch.float32
    evaluator.feature_fn = fvd.get_i3d_logits
    evaluator.model = InceptionI3d(400, in_channels=3).eval()
    evaluator.model.load_state_dict(state_dict)
    for name in ("real_stats", "fake_stats"):
        setattr(evaluator, name, fvd.FeatureStats(capture_mean_cov=True))
    return evaluator


def test_cd_fvd_gives_our_number(
    their_evaluator, state_dict, make_clips, tmp_path, check_difference
):
    real, fake = (
        np.concatenate([make_clips(1, 16, 72, 96, seed + 1.7 * i) for i in range(NUM_CLIPS)])
        for seed in (0.0, 0.5)
    )
    theirs = their_evaluator.compute_fvd(real, fake)
    torch.save(state_dict, tmp_path / "formula.pt")
    extractor = build("i3d-videogpt", tmp_path / "formula.pt")
    ours = frechet_distance_from_features(extractor(real), extractor(fake))
    assert ours > 1e-3
    check_difference("FVD, clips to value", "cd-fvd compute_fvd", abs(ours / theirs - 1), 1e-4)
