import zlib

import numpy as np
import pytest
import torch
from cleanfid.downloads_helper import inception_url
from cleanfid.inception_torchscript import InceptionV3W
from cleanfid.resize import build_resizer
from safetensors.torch import save_file
from torch import Tensor, nn

from evaluation.networks.equivalence import choose
from evaluation.networks.inception import Inception, preprocess
from evaluation.networks.registry import network
from evaluation.networks.resizing import clean_fid_resizer
from latte.data.errors import InputError

CPU = torch.device("cpu")
RESIZES = network("inception").resizes


def open_inception(path, device, *, resize):
    spec = network("inception").choose(resize=resize)
    return choose(spec.open(path, device))[0]


# What pytorch-fid 0.3.0's network gives for `clips`, with the weights of `formula_tensor`, after
# clean-fid's resizing (torch-fidelity's for "legacy-tensorflow"): features 0, 1024 and 2047 of the
# second frame, their mean and their norm.
REFERENCE = {
    "clean": (0.0, 2.1280355, 1.0441772, 0.5462437, 40.0819855),
    "legacy-tensorflow": (0.0, 2.1200645, 1.0399696, 0.5440501, 39.9150238),
    "legacy-pytorch": (0.0, 2.1274326, 1.0445510, 0.5458847, 40.0542107),
}


def formula_tensor(name, shape):
    """Numbers that depend on a name and a place alone, and keep activations in range."""
    values = torch.arange(np.prod(shape), dtype=torch.float64)
    values.mul_(12.9898).add_(zlib.crc32(name.encode()) % 10007 * 0.01).sin_().mul_(43758.5453)
    values = values.remainder_(1).mul_(2).sub_(1).reshape(shape)  # values lie in [-1, 1)
    if name.endswith("running_var"):
        return (1 + 0.3 * values).float()
    if len(shape) >= 2:
        return (values * np.sqrt(6 / np.prod(shape[1:]))).float()
    return ((1 if name.endswith(".weight") else 0) + 0.1 * values).float()


@pytest.fixture(scope="module")
def tensors():
    """A state dict with the names of the published one, counters left out."""
    return {
        name: formula_tensor(name, tuple(tensor.shape))
        for name, tensor in Inception().state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


@pytest.fixture(scope="module")
def weights(tensors, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "inception.safetensors"
    save_file(tensors, path)
    return path


@pytest.fixture(scope="module")
def clips(make_clips):
    return torch.from_numpy(make_clips(1, 2, 48, 64))


def features(run, clips):
    with torch.inference_mode():
        return run.forward(clips)


@pytest.mark.parametrize("resize", RESIZES)
def test_reproduces_the_reference_implementation(resize, weights, clips):
    run = open_inception(weights, CPU, resize=resize)
    assert run.implementation == "own network, fused"
    found = features(run, clips)
    assert found.dtype == torch.float32
    assert found.shape == (1, 2, 2048)
    row = found[0, 1]
    assert torch.allclose(
        torch.stack([row[0], row[1024], row[2047], row.mean(), row.norm()]),
        torch.tensor(REFERENCE[resize]),
        rtol=2e-5,
    )


def test_a_frame_has_the_same_bits_in_any_company(weights, make_clips):
    run = open_inception(weights, CPU, resize="clean")
    clips = torch.from_numpy(make_clips(2, 2, 24, 40))
    together = features(run, clips)
    assert together.shape == (2, 2, 2048)
    assert torch.equal(together[1, 1], features(run, clips[1:, 1:])[0, 0])
    assert torch.equal(together[0], features(run, clips[:1])[0])


def test_tensors_are_named_and_counted_as_in_the_public_file():
    found = Inception().state_dict()
    assert len(found) == 94 * 6 + 2
    assert sum(parameter.numel() for parameter in Inception().parameters()) == 23_850_960
    assert next(iter(found)) == "Conv2d_1a_3x3.conv.weight"
    assert list(found)[-2:] == ["fc.weight", "fc.bias"]
    assert found["fc.weight"].shape == (1008, 2048)
    assert found["Mixed_7c.branch3x3dbl_3b.conv.weight"].shape == (384, 384, 3, 1)


def test_layers_pool_as_the_graph_of_2015_does():
    model = Inception()
    ones = torch.ones(1, 1280, 8, 8)
    seen = []
    for block in (model.Mixed_7b, model.Mixed_7c):
        block.branch_pool.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        model.Mixed_7b(ones)
        model.Mixed_7c(torch.arange(64.0).reshape(1, 1, 8, 8).expand(1, 2048, 8, 8))
    assert torch.equal(seen[0], ones)  # zeros around the image would have lowered its border
    assert seen[1][0, 0, 0, 0] == 9  # the largest of four, not their mean


def test_the_range_is_that_of_the_mode():
    ends = torch.tensor([0, 255], dtype=torch.uint8).reshape(2, 1, 1, 1).expand(2, 20, 30, 3)
    for resize, white in zip(RESIZES, (127 / 128, 127 / 128, 1), strict=True):
        x = preprocess(ends, resize)
        assert x.shape == (2, 3, 299, 299)
        assert (x[0] + 1).abs().max() < 1e-5
        assert (x[1] - white).abs().max() < 1e-5


def test_channels_are_red_green_blue_and_rows_are_rows():
    frames = np.random.default_rng(0).integers(0, 256, (1, 30, 20, 3), dtype=np.uint8)
    frames = torch.from_numpy(frames)
    expected = clean_fid_resizer("clean")(frames)[0].permute(2, 0, 1)
    assert (preprocess(frames, "clean")[0] * 128 + 128 - expected).abs().max() < 1e-4


def test_a_file_without_classifier_gives_the_same_features(tensors, weights, clips, tmp_path):
    path = tmp_path / "without.pth"
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith("fc.")}
    torch.save({f"module.{name}": tensor for name, tensor in kept.items()}, path)
    without = open_inception(path, CPU, resize="clean")
    whole = open_inception(weights, CPU, resize="clean")
    assert torch.equal(features(without, clips[:, :1]), features(whole, clips[:, :1]))
    assert without.classifier is None
    weight, bias = whole.classifier
    assert torch.equal(weight, tensors["fc.weight"])
    assert torch.equal(bias, torch.zeros(1008))


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("fc.weight", (1000, 2048), r"fc.weight is \(1000, 2048\), not \(1008, 2048\)"),
        ("AuxLogits.fc.bias", (1000,), "AuxLogits.fc.bias is not known"),
    ],
)
def test_torchvisions_own_weights_are_refused(name, shape, message, tensors, tmp_path):
    path = tmp_path / "torchvision.pth"
    torch.save(tensors | {name: torch.zeros(shape)}, path)
    with pytest.raises(InputError, match=message):
        open_inception(path, CPU, resize="clean")


def test_an_unknown_resize_is_refused(weights):
    with pytest.raises(InputError, match=r"legacy_pytorch\b.*clean.*legacy-tensorflow"):
        open_inception(weights, CPU, resize="legacy_pytorch")


class Published(nn.Module):
    """Called as the published TorchScript file is: it resizes itself, and `layers` does not."""

    def __init__(self, layers: nn.Module, *, half_pixels: bool = False) -> None:
        super().__init__()
        self.layers = layers
        self.half_pixels = half_pixels

    def forward(
        self,
        img: Tensor,
        return_features: bool = False,
        use_fp16: bool = False,
        no_output_bias: bool = False,
    ) -> Tensor:
        height, width = img.shape[2], img.shape[3]
        theta = torch.eye(2, 3)
        if not self.half_pixels:
            theta[0, 2] += 1 / width - 1 / 299
            theta[1, 2] += 1 / height - 1 / 299
        theta = theta.unsqueeze(0).repeat([img.shape[0], 1, 1])
        grid = nn.functional.affine_grid(theta, [img.shape[0], 3, 299, 299], align_corners=False)
        x = nn.functional.grid_sample(
            img.float(), grid, mode="bilinear", padding_mode="border", align_corners=False
        )
        features = self.layers((x - 128) / 128).reshape(-1, 2048)
        return features if return_features else features.softmax(dim=1)


class Small(nn.Module):
    """Stands for the layers under other names: colours of the image in a grid, as features."""

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.columns = columns

    def forward(self, x: Tensor) -> Tensor:
        pooled = nn.functional.adaptive_avg_pool2d(x[:, :1], [64, self.columns])
        return pooled.reshape(x.shape[0], -1, 1, 1) * self.weight


class Other(nn.Module):
    """TorchScript that is called in another way."""

    def forward(self, x: Tensor) -> Tensor:
        return x.float().mean(dim=[2, 3])


def scripted(module, path):
    torch.jit.script(module.eval()).save(str(path))
    return path


@pytest.fixture(scope="module")
def small_file(tmp_path_factory):
    return scripted(Published(Small(32)), tmp_path_factory.mktemp("small") / "inception.pt")


@pytest.fixture(scope="module")
def layers(tensors):
    model = Inception(classifier=False)
    model.load_state_dict(tensors, strict=False)
    return model


@pytest.mark.slow
def test_our_network_takes_over_where_names_match_and_the_probe_agrees(layers, clips, tmp_path):
    path = scripted(Published(layers), tmp_path / "inception.pt")
    run = open_inception(path, CPU, resize="legacy-tensorflow")
    assert run.implementation == "own network, fused"
    assert run.probe_difference < 1e-4
    norm = features(run, clips)[0, 1].norm()
    assert torch.allclose(norm, torch.tensor(REFERENCE["legacy-tensorflow"][-1]), rtol=1e-5)


@pytest.mark.slow
def test_the_file_runs_as_published_where_the_probe_disagrees(layers, tmp_path):
    # How the file resizes is in its code and not among its tensors.
    path = scripted(Published(layers, half_pixels=True), tmp_path / "inception.pt")
    run = open_inception(path, CPU, resize="legacy-tensorflow")
    assert run.implementation == "torchscript as published"
    assert run.probe_difference > 1e-3


def test_the_file_resizes_by_itself_in_the_tensorflow_mode(small_file, clips):
    run = open_inception(small_file, CPU, resize="legacy-tensorflow")
    assert run.implementation == "torchscript as published"
    assert run.probe_difference is None
    module = torch.jit.load(str(small_file))
    expected = module(clips[0].permute(0, 3, 1, 2), return_features=True)
    assert torch.allclose(features(run, clips)[0], expected, atol=1e-6)


@pytest.mark.parametrize("resize", ["clean", "legacy-pytorch"])
def test_the_other_modes_go_round_the_resizing_of_the_file(resize, small_file, clips):
    run = open_inception(small_file, CPU, resize=resize)
    assert run.implementation == "torchscript as published"
    module = torch.jit.load(str(small_file))
    expected = module.layers(preprocess(clips[0], resize)).reshape(2, 2048)
    assert torch.allclose(features(run, clips)[0], expected, atol=1e-6)


def test_the_file_is_called_as_clean_fid_calls_it(clips, tmp_path):
    path = scripted(Published(Small(32)), tmp_path / "inception-2015-12-05.pt")
    frames = clips[0].permute(0, 3, 1, 2)
    resizer = build_resizer("clean")
    cleaned = np.stack([resizer(frame) for frame in clips[0].numpy()])
    inputs = {"clean": torch.from_numpy(cleaned).permute(0, 3, 1, 2), "legacy-tensorflow": frames}
    for resize, x in inputs.items():
        inside = resize == "legacy-tensorflow"
        theirs = InceptionV3W(str(tmp_path), download=False, resize_inside=inside)
        found = features(open_inception(path, CPU, resize=resize), clips)[0]
        with torch.inference_mode():
            assert torch.allclose(found, theirs(x), atol=1e-6)


def test_the_file_that_is_fetched_is_clean_fids():
    assert network("inception").weight_files[0].url == inception_url


@pytest.mark.parametrize(
    ("module", "resize", "message"),
    [
        (Other(), "clean", "TorchScript without `layers`"),
        (Other(), "legacy-tensorflow", "cannot be called as the published Inception"),
        (Published(Small(16)), "clean", "does not give 2048 features"),
        (Published(nn.Linear(3, 4)), "clean", "cannot be called as the published Inception"),
    ],
)
def test_torchscript_of_another_network_is_refused_before_any_video(
    module, resize, message, tmp_path
):
    with pytest.raises(InputError, match=message):
        open_inception(scripted(module, tmp_path / "other.pt"), CPU, resize=resize)
