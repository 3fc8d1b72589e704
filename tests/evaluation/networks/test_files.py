"""Files that others made: one sentence each, and none of them is executed."""

import pickle
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from evaluation.networks import files
from evaluation.networks.registry import build
from evaluation.networks.weights import is_torchscript
from latte.data.errors import InputError


class Malicious:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 1)
        self.bn = nn.BatchNorm2d(2)


def assert_refused(path, message):
    with pytest.raises(InputError) as caught:
        build("i3d", path, trust_weights=True)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert message in text
    assert "\n" not in text


def test_text_is_refused(tmp_path):
    path = tmp_path / "notes.pt"
    path.write_text("not weights at all")
    assert_refused(path, "is a text file, not a file of weights")


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "empty.pt"
    path.touch()
    assert_refused(path, "is empty")


@pytest.mark.parametrize("part", [0.3, 0.999])
def test_a_truncated_file_is_refused(tmp_path, state_dict_file, part):
    path = tmp_path / "cut.pt"
    content = state_dict_file.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    assert_refused(path, "is cut short or damaged")


def test_truncated_torchscript_is_refused(tmp_path, detector_file):
    path = tmp_path / "cut.pt"
    content = detector_file().read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert_refused(path, "is cut short or damaged")


def test_damaged_torchscript_is_refused(tmp_path):
    path = tmp_path / "hollow.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hollow/constants.pkl", b"nothing")
        archive.writestr("hollow/data.pkl", b"nothing")
    assert_refused(path, "cannot be read as TorchScript")


@pytest.mark.parametrize("by_torch", [False, True])
def test_a_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path, by_torch):
    path, trap = tmp_path / "trap.pt", tmp_path / "sprung"
    content = {"logits.conv3d.weight": Malicious(trap)}
    if by_torch:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    assert_refused(path, "is a pickle that holds more than tensors")
    assert not trap.exists()


def test_a_whole_saved_module_is_refused_with_the_way_to_convert_it(tmp_path):
    path = tmp_path / "module.pt"
    torch.save(nn.Linear(2, 2), path)
    assert_refused(path, "save its state_dict() with torch.save")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (torch.zeros(3), "holds a Tensor, not a state dict"),
        ({}, "holds a dict, not a state dict"),
        ({"state_dict": {"a": torch.zeros(1)}}, "holds a dict called 'state_dict'"),
        ({"epoch": 3}, "holds a int called 'epoch'"),
        ({1: torch.zeros(1)}, "holds a Tensor called 1"),
    ],
)
def test_what_is_not_a_table_of_tensors_is_refused(tmp_path, content, message):
    path = tmp_path / "other.pt"
    torch.save(content, path)
    assert_refused(path, message)


def test_weights_of_another_network_are_refused_with_the_first_names_that_differ(tmp_path):
    path = tmp_path / "other.pt"
    torch.save({"fc.weight": torch.zeros(2, 2)}, path)
    assert_refused(path, "is not a file of weights for I3D: logits.conv3d.weight is missing; ")


def test_a_tensor_of_another_shape_is_refused_by_name(tmp_path, state_dict):
    path = tmp_path / "six_hundred.pt"
    torch.save(state_dict | {"logits.conv3d.bias": torch.zeros(600)}, path)
    assert_refused(path, "logits.conv3d.bias is (600,), not (400,)")


def test_a_tensor_too_many_is_refused_by_name(tmp_path, state_dict):
    path = tmp_path / "more.pt"
    torch.save(state_dict | {"extra.weight": torch.zeros(1)}, path)
    assert_refused(path, "extra.weight is not known")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused_by_name(tmp_path, state_dict, bad):
    path = tmp_path / "nan.pt"
    torch.save(state_dict | {"logits.conv3d.bias": torch.full((400,), bad)}, path)
    assert_refused(path, "logits.conv3d.bias holds values that are not finite")


def test_damaged_safetensors_are_refused(tmp_path):
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(b"\x10\0\0\0\0\0\0\0{nothing like json")
    assert_refused(path, "cannot be read as safetensors")


@pytest.mark.parametrize("prefix", ["", "module.", "net.i3d."])
@pytest.mark.parametrize("kind", ["safetensors", "pt", "legacy"])
def test_a_file_fills_the_model_whatever_stands_before_its_names(tmp_path, prefix, kind):
    torch.manual_seed(0)
    source, target = Small(), Small()
    source.bn.running_mean += 3
    tensors = {f"{prefix}{name}": tensor for name, tensor in source.state_dict().items()}
    path = tmp_path / ("file.safetensors" if kind == "safetensors" else "file.pt")
    if kind == "safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=kind == "pt")
    files.fill(target, files.read_state_dict(path), path)
    for name, tensor in source.state_dict().items():
        assert torch.equal(target.state_dict()[name], tensor)


def test_half_precision_and_missing_counters_fill_the_model(tmp_path):
    source, target = Small(), Small()
    tensors = {
        name: tensor.half()
        for name, tensor in source.state_dict().items()
        if "num_batches" not in name
    }
    files.fill(target, tensors, tmp_path / "file.pt")
    assert target.conv.weight.dtype == torch.float32
    assert torch.equal(target.conv.weight, source.conv.weight.half().float())


def test_a_scripted_network_fills_ours_only_if_nothing_is_missing():
    source, target = Small(), Small()
    tensors = {f"inner.{name}": tensor for name, tensor in source.state_dict().items()}
    assert files.fill_if_same(target, tensors | {"mean": torch.zeros(3)})
    assert torch.equal(target.conv.weight, source.conv.weight)
    assert not files.fill_if_same(target, tensors | {"inner.conv.bias": torch.zeros(5)})
    del tensors["inner.bn.running_var"]
    assert not files.fill_if_same(target, tensors)


def test_torchscript_is_told_from_a_state_dict_by_its_content(state_dict_file, detector_file):
    assert is_torchscript(detector_file())
    assert not is_torchscript(state_dict_file)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_state_dict_is_found_inside_a_checkpoint(zipped, tmp_path):
    path = tmp_path / "checkpoint.pt"
    content = {"epoch": 3, "second": {"w": torch.ones(2)}, "first": {"w": torch.zeros(2)}}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    found = files.read_state_dict(path, inside=("first", "second"))
    assert torch.equal(found["w"], torch.zeros(2))
    with pytest.raises(InputError, match=r"checkpoint\.pt: .*\bint\b.*\bepoch\b"):
        files.read_state_dict(path)
    with pytest.raises(InputError, match=r"checkpoint\.pt: .*\bint\b.*\bepoch\b"):
        files.read_state_dict(path, inside=("epoch",))


def test_tensors_can_become_a_models_own(tmp_path):
    tensors = {"weight": torch.rand(2, 3), "bias": torch.rand(2)}
    with torch.device("meta"):
        model = torch.nn.Linear(3, 2)
    files.fill(model, tensors, tmp_path)
    assert model.weight.data_ptr() == tensors["weight"].data_ptr()
    copied = torch.nn.Linear(3, 2)
    files.fill(copied, tensors, tmp_path)
    assert torch.equal(copied.weight, tensors["weight"])
    assert copied.weight.data_ptr() != tensors["weight"].data_ptr()
