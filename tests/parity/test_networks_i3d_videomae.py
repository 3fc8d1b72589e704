"""The networks of cd-fvd, with the same weights in theirs and in ours."""

from functools import partial

import numpy as np
import pytest
import torch

from evaluation.networks.i3d import I3D, PREPROCESS
from evaluation.networks.registry import build, network
from evaluation.networks.videomae import VideoMAE, VideoMAEConfig, open_videomae, preprocess

finetune = pytest.importorskip("cdfvd.third_party.VideoMAEv2.videomaev2_finetune")
RATIO = 48 / 11
NORM = partial(torch.nn.LayerNorm, eps=1e-6)


@pytest.fixture
def clips():
    """uint8 (2, 16, 60, 90, 3): waves that move."""
    n, t, y, x, c = np.ogrid[:2, :16, :60, :90, :3]
    waves = np.sin(0.11 * x * (c + 1) + 0.07 * y * (1 + n) + 0.3 * t + n)
    return np.floor(127.5 + 127.5 * waves).astype(np.uint8)


@pytest.fixture(scope="module")
def i3d_weights():
    """Random tensors of I3D that keep activations in range."""
    random = torch.Generator().manual_seed(0)
    tensors = {}
    for name, tensor in I3D().state_dict().items():
        noise = torch.randn(tensor.shape, generator=random)
        if tensor.ndim == 5:
            tensors[name] = noise * (2 / tensor[0].numel()) ** 0.5
        elif name.endswith(("bn.weight", "running_var")):
            tensors[name] = 1 + 0.1 * noise.clamp(-3, 3)
        else:
            tensors[name] = (0.1 * noise).to(tensor.dtype)
    return tensors


def relative_difference(found, expected):
    return float(np.abs(np.asarray(found) - expected).max() / np.abs(expected).max())


def their_transformer(**sizes):
    settings = {
        "img_size": 224,
        "patch_size": 14,
        "mlp_ratio": RATIO,
        "qkv_bias": True,
        "norm_layer": NORM,
        "all_frames": 16,
        "tubelet_size": 2,
        "use_mean_pooling": True,
        "drop_path_rate": 0.3,
    }
    return finetune.VisionTransformer(**settings | sizes).eval()


def test_videomae_with_random_weights(clips, tmp_path, check_difference):
    from cdfvd.third_party.VideoMAEv2.utils import preprocess_videomae

    torch.manual_seed(0)
    theirs = their_transformer(embed_dim=64, depth=3, num_heads=4, num_classes=7)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    path = tmp_path / "checkpoint.pth"
    torch.save({"module": theirs.state_dict()}, path)
    config = VideoMAEConfig(width=64, depth=3, num_heads=4, mlp_width=int(64 * RATIO))
    run = open_videomae(network("videomae"), path, torch.device("cpu"), config=config)
    with torch.inference_mode():
        expected = theirs.forward_features(preprocess_videomae(clips)).numpy()
        found = run.forward(torch.from_numpy(clips))
        frames = preprocess(torch.from_numpy(clips)) - preprocess_videomae(clips)
    assert np.ptp(expected, axis=0).max() > 1e-3  # the features of the two clips differ
    check_difference("VideoMAE-v2, frames", "cd-fvd", float(frames.abs().max()), 1e-5)
    check_difference(
        "VideoMAE-v2, random weights", "cd-fvd", relative_difference(found, expected), 1e-4
    )


def test_the_giants_tensors_are_named_and_shaped_as_theirs(monkeypatch):
    monkeypatch.setattr(torch, "linspace", partial(torch.linspace, device="cpu"))
    monkeypatch.setattr(finetune, "get_sinusoid_encoding_table", lambda count, width: None)
    with torch.device("meta"):
        theirs = finetune.vit_giant_patch14_224(
            img_size=224, num_classes=174, all_frames=16, tubelet_size=2, use_mean_pooling=True
        )
        ours = VideoMAE()
    expected = {name: tensor.shape for name, tensor in theirs.state_dict().items()}
    del expected["head.weight"], expected["head.bias"]
    assert {name: tensor.shape for name, tensor in ours.state_dict().items()} == expected


@pytest.mark.parametrize("output", ["logits", "pooled"])
def test_i3d_with_random_weights(output, i3d_weights, clips, tmp_path, check_difference):
    from cdfvd.third_party.i3d.pytorch_i3d import InceptionI3d
    from cdfvd.third_party.i3d.utils import preprocess_i3d

    theirs = InceptionI3d(400, in_channels=3).eval()
    theirs.load_state_dict(i3d_weights)
    path = tmp_path / "i3d.pt"
    torch.save(i3d_weights, path)
    with torch.inference_mode():
        x = preprocess_i3d(clips)
        expected = theirs(x) if output == "logits" else theirs.extract_features(x).mean((2, 3, 4))
        frames = PREPROCESS["squash"](torch.from_numpy(clips)) - x
    found = build("i3d-videogpt", path, output=output)(clips)
    assert np.ptp(found, axis=0).max() > 1e-2 * np.abs(found).max()  # the clips differ
    if output == "logits":
        check_difference("I3D, frames", "cd-fvd", float(frames.abs().max()), 1e-5)
    check_difference(f"I3D, {output}", "cd-fvd", relative_difference(found, expected.numpy()), 1e-4)
