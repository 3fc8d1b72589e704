"""FID's network and its resizing, against pytorch-fid, torch-fidelity and clean-fid.

None of their weights are fetched: both sides get the same random ones.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from evaluation.networks.inception import Inception
from evaluation.networks.registry import build
from evaluation.networks.resizing import tf1_bilinear

CPU = torch.device("cpu")
SIZES = [(32, 32), (128, 96), (256, 256), (299, 299), (331, 257), (720, 1280), (1, 7)]


@pytest.fixture(scope="module")
def tensors():
    """A state dict of random numbers that keep activations in range."""
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for name, tensor in Inception().state_dict().items():
        random = torch.rand(tensor.shape, generator=generator) * 2 - 1
        if tensor.ndim >= 2:
            tensors[name] = random * np.sqrt(6 / tensor[0].numel())
        elif name.endswith(("bn.weight", "running_var")):
            tensors[name] = 1 + 0.3 * random
        else:
            tensors[name] = 0.1 * random
    counters = {name for name in tensors if name.endswith("num_batches_tracked")}
    return tensors | {name: torch.tensor(0) for name in counters}


@pytest.fixture(scope="module")
def weights(tensors, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(tensors, path)
    return path


@pytest.fixture(scope="module")
def clips():
    """Noise on waves, uint8 (1, 4, 96, 128, 3)."""
    random = np.random.default_rng(0)
    t, y, x, c = np.ogrid[:4, :96, :128, :3]
    waves = 127.5 + 90 * np.sin(0.11 * x * (c + 1) + 0.07 * y + 0.9 * t)
    noise = random.normal(0, 25, (4, 96, 128, 3))
    return torch.from_numpy((waves + noise).clip(0, 255).astype(np.uint8))[None]


def noise(height, width):
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


def as_tensor(frame):
    return torch.from_numpy(frame).permute(2, 0, 1)[None].float()


def relative_difference(found, expected):
    found, expected = np.asarray(found), np.asarray(expected)
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def features(weights, clips, resize):
    return build("inception", weights, resize=resize)(clips)[0]


def pytorch_fid_network(module, monkeypatch, weights, **options):
    """pytorch-fid's network, whose constructor would fetch its weights."""
    monkeypatch.setattr(
        module,
        "load_state_dict_from_url",
        lambda *_, **__: torch.load(weights, weights_only=True),
    )
    return module.InceptionV3([3], **options).eval()


def test_features_are_those_of_pytorch_fid(weights, clips, monkeypatch, check_difference):
    module = pytest.importorskip("pytorch_fid.inception")
    network = pytorch_fid_network(module, monkeypatch, weights)
    with torch.inference_mode():
        expected = network(clips[0].permute(0, 3, 1, 2) / 255)[0].flatten(1)
    found = features(weights, clips, "legacy-pytorch")
    step = "FID's Inception, resize legacy-pytorch"
    check_difference(step, "pytorch-fid 0.3.0", relative_difference(found, expected), 1e-4)


def test_features_are_those_of_torch_fidelity(weights, clips, check_difference):
    module = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    network = module.FeatureExtractorInceptionV3(
        "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(weights)
    )
    with torch.inference_mode():
        (expected,) = network(clips[0].permute(0, 3, 1, 2))
    found = features(weights, clips, "legacy-tensorflow")
    step = "FID's Inception, resize legacy-tensorflow"
    check_difference(step, "torch-fidelity 0.4.0", relative_difference(found, expected), 1e-4)


def test_unbiased_logits_are_those_of_torch_fidelity(weights, clips, check_difference):
    module = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    network = module.FeatureExtractorInceptionV3(
        "inception-v3-compat", ["logits_unbiased"], feature_extractor_weights_path=str(weights)
    )
    extractor = build("inception", weights, resize="legacy-tensorflow")
    opened = extractor.open()
    weight, bias = opened.classifier
    with torch.inference_mode():
        (expected,) = network(clips[0].permute(0, 3, 1, 2))
        found = opened.forward(clips)[0] @ weight.T + bias
    step = "FID's Inception, logits without bias"
    check_difference(step, "torch-fidelity 0.4.0", relative_difference(found, expected), 1e-4)


class Published(torch.nn.Module):
    """Called as clean-fid calls the TorchScript file."""

    def __init__(self, layers: torch.nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: torch.Tensor, return_features: bool = False) -> torch.Tensor:
        return self.layers(x)


def test_the_clean_mode_is_that_of_clean_fid(weights, clips, tensors, tmp_path, check_difference):
    torchscript = pytest.importorskip("cleanfid.inception_torchscript")
    resize = pytest.importorskip("cleanfid.resize").build_resizer("clean")
    layers = Inception(classifier=False)
    layers.load_state_dict({name: tensors[name] for name in layers.state_dict()})
    # Under clean-fid's name for the file. The network inside is ours, so this is about the rest.
    path = tmp_path / "inception-2015-12-05.pt"
    torch.jit.script(Published(layers)).save(str(path))
    network = torchscript.InceptionV3W(str(tmp_path), download=False, resize_inside=False)
    frames = torch.from_numpy(np.stack([resize(frame) for frame in clips[0].numpy()]))
    with torch.inference_mode():
        expected = network(frames.permute(0, 3, 1, 2))
    step = "clean-fid's path around Inception, mode clean"
    both = (features(weights, clips, "clean"), features(path, clips, "clean"))
    difference = max(relative_difference(found, expected) for found in both)
    check_difference(step, "clean-fid 0.1.35", difference, 1e-5)


def test_the_legacy_pytorch_mode_is_that_of_clean_fid(
    weights, clips, monkeypatch, check_difference
):
    module = pytest.importorskip("cleanfid.inception_pytorch")
    resize = pytest.importorskip("cleanfid.resize").build_resizer("legacy_pytorch")
    network = pytorch_fid_network(module, monkeypatch, weights, resize_input=False)
    frames = torch.from_numpy(np.stack([resize(frame) for frame in clips[0].numpy()]))
    with torch.inference_mode():
        expected = network(frames.permute(0, 3, 1, 2) / 255)[0].flatten(1)
    found = features(weights, clips, "legacy-pytorch")
    step = "FID's Inception, resize legacy-pytorch"
    check_difference(step, "clean-fid 0.1.35", relative_difference(found, expected), 1e-4)


def test_tensorflow_resizing_is_torch_fidelitys(check_difference):
    module = pytest.importorskip("torch_fidelity.interpolate_compat_tensorflow")
    resizer = module.interpolate_bilinear_2d_like_tensorflow1x
    inputs = [as_tensor(noise(*size)) for size in SIZES]
    difference = max(
        relative_difference(tf1_bilinear(x), resizer(x, size=(299, 299), align_corners=False))
        for x in inputs
    )
    check_difference("resize legacy-tensorflow", "torch-fidelity 0.4.0", difference, 1e-6)
