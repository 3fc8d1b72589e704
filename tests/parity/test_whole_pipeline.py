"""Clips and weights in, distance out: cd-fvd's and ours."""

import numpy as np
import pytest
import torch

from evaluation.metrics import frechet_distance_from_features
from evaluation.networks.registry import build

fvd = pytest.importorskip("cdfvd.fvd")
NUM_CLIPS = 16


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


def test_cd_fvd_gives_our_number(their_evaluator, state_dict_file, make_clips, check_difference):
    real, fake = (
        np.concatenate([make_clips(1, 16, 72, 96, seed + 1.7 * i) for i in range(NUM_CLIPS)])
        for seed in (0.0, 0.5)
    )
    theirs = their_evaluator.compute_fvd(real, fake)
    extractor = build("i3d-videogpt", state_dict_file)
    ours = frechet_distance_from_features(extractor(real), extractor(fake))
    assert ours > 1e-3
    check_difference("FVD, clips to value", "cd-fvd compute_fvd", abs(ours / theirs - 1), 1e-4)
