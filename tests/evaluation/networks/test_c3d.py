import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from evaluation.networks.c3d import C3D, preprocess, probability_difference, probe_clip
from evaluation.networks.equivalence import choose
from evaluation.networks.registry import build, network
from latte.data.errors import InputError

GOLDEN = Path(__file__).parents[2] / "golden" / "c3d.npz"
CPU = torch.device("cpu")


def open_c3d(path, device):
    spec = network("c3d")
    return choose(spec.open(path, device))[0]


def formula_tensor(name, shape):
    """The tensors of the golden network: frac(sin(a i + s) b), s from the name.

    In place, for there are 78 million numbers, and by torch, whose sine is the faster.
    """
    values = torch.arange(np.prod(shape), dtype=torch.float64)
    values.mul_(12.9898).add_(zlib.crc32(name.encode()) % 10007 * 0.01).sin_().mul_(43758.5453)
    values = values.remainder_(1).mul_(2).sub_(1).reshape(shape)  # values lie in [-1, 1)
    if name == "mean":
        return (100 + 20 * values).float()
    if len(shape) == 1:
        return (0.1 * values).float()
    return values.mul_(np.sqrt(6 / np.prod(shape[1:]))).float() * 0.7


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def model():
    """C3D with weights made by the formula."""
    model = C3D().requires_grad_(False)
    for name, tensor in model.state_dict().items():
        tensor.copy_(formula_tensor(name, tuple(tensor.shape)))
    return model


@pytest.fixture(scope="module")
def clips(make_clips):
    return torch.from_numpy(make_clips(2, 16, 128, 128))


@pytest.fixture(scope="module")
def constant(model):
    """Tensors whose every output is the softmax of one bias; small as a file."""
    tensors = {
        name: torch.zeros(()).expand(tensor.shape) for name, tensor in model.state_dict().items()
    }
    return tensors | {"fc8.bias": torch.linspace(-3, 3, 101)}


def relative_difference(found, expected):
    return float(np.abs(np.asarray(found) - expected).max() / np.abs(expected).max())


def test_reproduces_the_reference_implementation(model, clips, golden):
    with torch.inference_mode():
        logits = model(clips)
    assert logits.shape == (2, 101)
    assert relative_difference(logits, golden["fc8"]) < 2e-5
    assert relative_difference(logits.softmax(dim=1), golden["prob"]) < 2e-5


def test_probabilities_are_the_softmax_and_a_clip_sees_no_other(model, clips, golden):
    with torch.inference_mode():
        alone = model.probabilities(clips[1:])
    assert relative_difference(alone, golden["prob"][1:]) < 2e-5


def test_tensors_are_named_as_in_the_original(model):
    tensors = model.state_dict()
    convolutions = ["conv1a", "conv2a", "conv3a", "conv3b", "conv4a", "conv4b", "conv5a", "conv5b"]
    layers = [*convolutions, "fc6", "fc7", "fc8"]
    names = [f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias")]
    assert list(tensors) == ["mean", *names]
    assert tensors["mean"].shape == (3, 16, 128, 171)
    assert sum(tensor.numel() for tensor in tensors.values()) - tensors["mean"].numel() == 78409573


@pytest.mark.parametrize("size", [(112, 112), (48, 64), (240, 320)])
def test_frames_are_resized_one_by_one_from_corner_to_corner(size):
    random = np.random.default_rng(0)
    clips = random.integers(0, 256, (2, 16, *size, 3), dtype=np.uint8)
    x = preprocess(torch.from_numpy(clips), torch.zeros(3, 16, 128, 171))
    assert x.shape == (2, 3, 16, 112, 112)
    corners = x[1, :, 5, [0, 0, -1, -1], [0, -1, 0, -1]].T
    expected = clips[1, 5, [0, 0, -1, -1], [0, -1, 0, -1], ::-1]  # BGR
    assert np.allclose(corners, expected * (128 / 127.5), atol=1e-3)


def test_white_is_256_and_the_middle_of_the_mean_clip_is_subtracted():
    mean = torch.zeros(3, 16, 128, 171)
    mean[:, 3, 8:120, 8:120] = 100
    ends = torch.tensor([0, 255], dtype=torch.uint8).reshape(2, 1, 1, 1, 1)
    x = preprocess(ends.expand(2, 16, 20, 30, 3), mean)
    for found, expected in ((x[0, :, 0], 0), (x[1, :, 0], 256), (x[1, :, 3], 156)):
        assert (found - expected).abs().max() < 1e-4


@pytest.mark.parametrize("frames", [15, 17, 32])
def test_another_length_than_16_frames_is_refused(frames):
    clips = torch.zeros(1, frames, 8, 8, 3, dtype=torch.uint8)
    with pytest.raises(InputError, match=rf"\b16 frames.*\b{frames}\b.*--num-frames"):
        preprocess(clips, torch.zeros(3, 16, 128, 171))


def test_a_state_dict_runs_in_our_network(constant, clips, tmp_path):
    path = tmp_path / "c3d.pt"
    torch.save({f"module.{name}": tensor for name, tensor in constant.items()}, path)
    run = open_c3d(path, CPU)
    assert run.implementation == "own network, fused"
    assert run.probe_difference < 1e-5
    found = run.forward(clips[:1])
    assert found.dtype == torch.float32
    assert torch.allclose(found, constant["fc8.bias"].softmax(dim=0)[None])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("mean"), "mean is missing"),
        (
            lambda tensors: tensors.update({"fc8.bias": torch.zeros(487)}),
            r"fc8.bias is \(487,\), not \(101,\)",
        ),
        (
            lambda tensors: tensors.update({"fc8.bias": torch.full((101,), torch.nan)}),
            "not finite",
        ),
    ],
)
def test_other_tensors_are_refused(change, message, constant, tmp_path):
    tensors = dict(constant)
    change(tensors)
    path = tmp_path / "other.pt"
    torch.save(tensors, path)
    with pytest.raises(InputError, match=message):
        open_c3d(path, CPU)


def test_safetensors_of_another_network_are_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(InputError, match=r"other\.safetensors: .*C3D"):
        open_c3d(path, CPU)


class Detector(nn.Module):
    """Called as the published TorchScript file is; shares the tensors of a C3D."""

    def __init__(self, model: C3D, *, white: float) -> None:
        super().__init__()
        self.register_buffer("mean", model.mean)
        self.conv1a, self.conv2a = model.conv1a, model.conv2a
        self.conv3a, self.conv3b = model.conv3a, model.conv3b
        self.conv4a, self.conv4b = model.conv4a, model.conv4b
        self.conv5a, self.conv5b = model.conv5a, model.conv5b
        self.fc6, self.fc7, self.fc8 = model.fc6, model.fc7, model.fc8
        self.factor = white / 255

    def forward(self, x: Tensor) -> Tensor:
        n, c, t, h, w = x.shape
        frames = x.transpose(1, 2).reshape(n * t, c, h, w).float() * self.factor
        frames = nn.functional.interpolate(
            frames, size=[112, 112], mode="bilinear", align_corners=True
        )
        x = frames.reshape(n, t, c, 112, 112).transpose(1, 2).flip([1])
        x = self.conv1a(x - self.mean[:, :, 8:120, 8:120]).relu()
        x = nn.functional.max_pool3d(x, [1, 2, 2])
        x = nn.functional.max_pool3d(self.conv2a(x).relu(), [2, 2, 2])
        x = nn.functional.max_pool3d(self.conv3b(self.conv3a(x).relu()).relu(), [2, 2, 2])
        x = nn.functional.max_pool3d(self.conv4b(self.conv4a(x).relu()).relu(), [2, 2, 2])
        x = self.conv5b(self.conv5a(x).relu()).relu()
        x = nn.functional.max_pool3d(x, [2, 2, 2], ceil_mode=True).flatten(1)
        return self.fc8(self.fc7(self.fc6(x).relu()).relu()).softmax(dim=1)


class Small(nn.Module):
    """Called as the published file is, with another network inside: probabilities of 101 classes.

    The factor makes numbers of them that are none.
    """

    def __init__(self, *, classes: int = 101, factor: float = 1.0) -> None:
        super().__init__()
        self.head = nn.Linear(3, classes)
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        means = x.float().mean(dim=[2, 3, 4]) / 255
        return self.head(means).softmax(dim=1).squeeze() * self.factor


class Other(nn.Module):
    """TorchScript that is called in another way."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


def scripted(module, path):
    torch.jit.script(module.eval()).save(str(path))
    return path


def as_published(path, clips):
    """How StyleGAN-V calls its detector: uint8 (N, 3, T, H, W), nothing else."""
    with torch.inference_mode():
        return torch.jit.load(str(path))(clips.permute(0, 4, 1, 2, 3).contiguous())


@pytest.mark.slow
def test_our_network_takes_over_where_names_match_and_the_probe_agrees(
    model, clips, golden, tmp_path
):
    path = scripted(Detector(model, white=256), tmp_path / "c3d.pt")
    run = open_c3d(path, CPU)
    assert run.implementation == "own network, fused"
    assert run.probe_difference < 1e-5
    with torch.inference_mode():
        assert relative_difference(run.forward(clips[:1]), golden["prob"][:1]) < 2e-5


@pytest.mark.slow
def test_the_file_runs_as_published_where_the_probe_disagrees(model, tmp_path):
    # White at 255 rather than 256 is in the code and not among the tensors.
    path = scripted(Detector(model, white=255), tmp_path / "c3d.pt")
    run = open_c3d(path, CPU)
    assert run.implementation == "torchscript as published"
    assert run.probe_difference > 1e-3


def test_the_file_runs_as_published_where_names_differ(clips, tmp_path):
    path = scripted(Small(), tmp_path / "small.pt")
    run = open_c3d(path, CPU)
    assert run.implementation == "torchscript as published"
    assert run.probe_difference is None
    assert torch.allclose(run.forward(clips), as_published(path, clips))
    assert run.forward(clips[:1]).shape == (1, 101)  # the file itself drops that axis
    with pytest.raises(InputError, match=r"\b16 frames.*\b20\b"):
        build("c3d", path, trust_weights=True)(torch.zeros(1, 20, 8, 8, 3, dtype=torch.uint8))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Other(), "cannot be called as the published C3D"),
        (Small(classes=400), "does not give 101 probabilities"),
        (Small(factor=2), "that are not probabilities"),
        (Small(factor=-1), "that are not probabilities"),
    ],
)
def test_torchscript_of_another_network_is_refused_before_any_video(module, message, tmp_path):
    with pytest.raises(InputError, match=message):
        open_c3d(scripted(module, tmp_path / "other.pt"), CPU)


def test_the_probe_sees_what_certainty_hides():
    sure = torch.tensor([[40.0, 0.0, -3.0]])
    small_change = (sure * 1.005).softmax(dim=1)
    assert (sure.softmax(dim=1) - small_change).abs().max() < 1e-6
    assert probability_difference(sure.softmax(dim=1), small_change) > 1e-3
    assert probability_difference(sure.softmax(dim=1), sure.softmax(dim=1)) == 0
    assert not probability_difference(sure.softmax(dim=1), small_change * torch.nan) <= 1e-3
    assert probe_clip(CPU).dtype == torch.uint8
