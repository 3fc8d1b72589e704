"""I3D with weights made by a formula: the same on every machine, and nothing to download."""

import json
import signal
import sys
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evaluation.networks.i3d import I3D, Mixed, Unit

GOLDEN = Path(__file__).parent / "golden"
PROGRAMS = {"latte": "latte", "latte-eval": "evaluation", "latte-bench": "benchmarks"}


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run_cli(monkeypatch, capsys):
    """Run a command line in this process: quicker than a new one for each of many cases."""
    handler = signal.getsignal(signal.SIGTERM)

    def run(program: str, *arguments: object, cwd: Path | None = None, **environment: str) -> Done:
        main = import_module(f"{PROGRAMS[program]}.cli.app").main
        if cwd is not None:
            monkeypatch.chdir(cwd)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", [program, *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    yield run
    signal.signal(signal.SIGTERM, handler)


def formula_uniform(name, shape, seed=0):
    """Numbers in [-1, 1) that depend on a name and a place alone: frac(sin(a i + s) b)."""
    start = zlib.crc32(name.encode()) % 10007 * 0.01 + seed
    waves = np.sin(np.arange(np.prod(shape, dtype=int)) * 12.9898 + start) * 43758.5453
    return ((waves % 1) * 2 - 1).reshape(shape)


def formula_weight(name, shape):
    """A tensor that keeps activations in range: He variance for matrices, near 1 for scales."""
    uniform = formula_uniform(name, shape)
    if name.endswith("running_var"):
        values = 1 + 0.3 * uniform
    elif len(shape) >= 2:
        values = uniform * np.sqrt(6 / np.prod(shape[1:]))
    elif name.endswith(".weight"):
        values = 1 + 0.1 * uniform
    else:
        values = 0.1 * uniform
    return torch.from_numpy(values.astype(np.float32))


def formula_clips(count, frames, height, width, seed=0):
    """uint8 (count, frames, height, width, 3): waves that move."""
    n, t, y, x, c = np.ogrid[:count, :frames, :height, :width, :3]
    waves = np.sin(0.11 * x * (c + 1) + 0.07 * y * (1 + n) + 0.3 * t + seed + n)
    return np.floor(127.5 + 127.5 * waves).astype(np.uint8)


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
def golden_clips():
    """The clips of the golden logits, uint8 (2, 16, 224, 224, 3)."""
    return formula_clips(2, 16, 224, 224)


@pytest.fixture(scope="session")
def small_clips():
    """Clips that must be resized, uint8 (3, 12, 48, 64, 3)."""
    return formula_clips(3, 12, 48, 64)


@pytest.fixture(scope="session")
def state_dict():
    """All tensors of I3D, by the formula."""
    return {
        name: torch.zeros((), dtype=torch.int64)
        if name.endswith("num_batches_tracked")
        else formula_weight(name, tuple(tensor.shape))
        for name, tensor in I3D().state_dict().items()
    }


@pytest.fixture(scope="session")
def state_dict_file(state_dict, tmp_path_factory):
    """The tensors as `torch.save` writes them."""
    path = tmp_path_factory.mktemp("weights") / "formula.pt"
    torch.save(state_dict, path)
    return path


class ScriptedUnit(nn.Module):
    """`i3d.Unit` in the part of Python that TorchScript has; shares its tensors."""

    def __init__(self, unit: Unit) -> None:
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
            if isinstance(child, Unit):
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


@pytest.fixture(scope="session")
def make_clips():
    """`formula_clips` itself, for tests that make sets of their own."""
    return formula_clips


@pytest.fixture(scope="session")
def uniform():
    """`formula_uniform` itself."""
    return formula_uniform


@pytest.fixture(scope="session")
def weight():
    """`formula_weight` itself."""
    return formula_weight
