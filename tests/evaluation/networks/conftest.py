"""I3D with weights made by a formula, and scripted as the published file is; one thread each."""

import json
from collections import OrderedDict
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evaluation.networks.i3d import I3D, I3DUnit, Mixed

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """The larger networks crawl where several threads share one busy core."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def choices_folder(tmp_path, monkeypatch):
    """Nothing is remembered of other tests' networks."""
    monkeypatch.setenv("LATTE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "implementations"


@pytest.fixture(scope="session")
def golden():
    """Logits that a reference implementation gives for `golden_clips`, (2, 400), by name."""
    with np.load(GOLDEN / "i3d.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="session")
def golden_keys():
    """Names and shapes of the tensors of `i3d_pretrained_400.pt`."""
    lines = (GOLDEN / "i3d_keys.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split(" ", 1) for line in lines)
    return {name: tuple(json.loads(shape)) for name, shape in pairs}


@pytest.fixture(scope="session")
def golden_clips(make_clips):
    """The clips of the golden logits, uint8 (2, 16, 224, 224, 3)."""
    return make_clips(2, 16, 224, 224)


@pytest.fixture(scope="session")
def small_clips(make_clips):
    """Clips that must be resized, uint8 (3, 12, 48, 64, 3)."""
    return make_clips(3, 12, 48, 64)


@pytest.fixture(scope="session")
def state_dict(weight):
    """All tensors of I3D, by the formula."""
    return {
        name: torch.zeros((), dtype=torch.int64)
        if name.endswith("num_batches_tracked")
        else weight(name, tuple(tensor.shape))
        for name, tensor in I3D().state_dict().items()
    }


@pytest.fixture(scope="session")
def state_dict_file(state_dict, tmp_path_factory):
    """The tensors as `torch.save` writes them."""
    path = tmp_path_factory.mktemp("weights") / "formula.pt"
    torch.save(state_dict, path)
    return path


class ScriptedUnit(nn.Module):
    """`i3d.I3DUnit` in the part of Python that TorchScript has; shares its tensors."""

    def __init__(self, unit: I3DUnit) -> None:
        super().__init__()
        self.conv3d, self.bn = unit.conv3d, unit.bn
        self.kernel, self.stride = list(unit.conv3d.kernel_size), list(unit.conv3d.stride)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv3d(pad_same(x, self.kernel, self.stride))).relu()


class ScriptedPool(nn.Module):
    """Max pooling with TensorFlow's padding."""

    def __init__(self, kernel: list[int], stride: list[int]) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.max_pool3d(
            pad_same(x, self.kernel, self.stride), self.kernel, self.stride
        )


class ScriptedMixed(nn.Module):
    """`i3d.Mixed` in TorchScript's Python."""

    def __init__(self, mixed: Mixed) -> None:
        super().__init__()
        self.b0, self.b1a, self.b1b = map(ScriptedUnit, (mixed.b0, mixed.b1a, mixed.b1b))
        self.b2a, self.b2b, self.b3b = map(ScriptedUnit, (mixed.b2a, mixed.b2b, mixed.b3b))
        self.pool = ScriptedPool([3, 3, 3], [1, 1, 1])

    def forward(self, x: Tensor) -> Tensor:
        first, second, third = self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x))
        return torch.cat([first, second, third, self.b3b(self.pool(x))], dim=1)


class Detector(nn.Module):
    """Called as the published TorchScript file is."""

    def __init__(self, model: I3D, *, same_names: bool, align_corners: bool) -> None:
        super().__init__()
        pools = {
            "Conv3d_2b_1x1": ([1, 3, 3], [1, 2, 2]),
            "Mixed_3b": ([1, 3, 3], [1, 2, 2]),
            "Mixed_4b": ([3, 3, 3], [2, 2, 2]),
            "Mixed_5b": ([2, 2, 2], [2, 2, 2]),
        }
        layers: dict[str, nn.Module] = {}
        for name, child in model.named_children():
            if name in pools:
                layers[f"pool_{name}"] = ScriptedPool(*pools[name])
            if isinstance(child, I3DUnit):
                layers[name] = ScriptedUnit(child)
            elif isinstance(child, Mixed):
                layers[name] = ScriptedMixed(child)
        layers["average"] = nn.AvgPool3d((2, 7, 7), stride=1)
        layers["logits"] = model.logits
        self.network = (
            nn.Sequential(OrderedDict(layers)) if same_names else nn.Sequential(*layers.values())
        )
        self.align_corners = align_corners

    def forward(
        self, x: Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False
    ) -> Tensor:
        count, channels, frames, height, width = x.shape
        x = x.float()
        if resize:
            x = x.transpose(1, 2).reshape(-1, channels, height, width)
            x = nn.functional.interpolate(
                x, size=[224, 224], mode="bilinear", align_corners=self.align_corners
            )
            x = x.reshape(count, frames, channels, 224, 224).transpose(1, 2)
        if rescale:
            x = x * 2 / 255 - 1
        logits = self.network(x).mean(dim=[2, 3, 4])
        return logits if return_features else logits.softmax(dim=1)


def pad_same(x: Tensor, kernel: list[int], stride: list[int]) -> Tensor:
    """Zeros as TensorFlow's "SAME" has them."""
    padding: list[int] = []
    for axis in range(2, -1, -1):
        size, k, s = x.shape[2 + axis], kernel[axis], stride[axis]
        total = max(k - s, 0) if size % s == 0 else max(k - size % s, 0)
        padding.append(total // 2)
        padding.append(total - total // 2)
    return nn.functional.pad(x, padding)


@pytest.fixture(scope="session")
def detector_file(state_dict, tmp_path_factory):
    """Maker of TorchScript files with the formula's weights, called as the published one is."""
    folder = tmp_path_factory.mktemp("torchscript")

    @cache
    def make(*, batch_norm_eps=1e-3, same_names=True, align_corners=False):
        model = I3D(batch_norm_eps)
        model.load_state_dict(state_dict)
        detector = Detector(model, same_names=same_names, align_corners=align_corners)
        path = folder / f"{batch_norm_eps}-{same_names}-{align_corners}.pt"
        torch.jit.script(detector.eval()).save(str(path))
        return path

    return make
