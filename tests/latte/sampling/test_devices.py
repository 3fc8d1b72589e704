"""Devices by name, and by the place of a process."""

import pytest
import torch

from latte.data.errors import InputError
from latte.sampling.devices import choose_device


def test_each_process_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("auto", 1) == torch.device("cuda", 1)
    assert choose_device("cuda", 1) == torch.device("cuda", 1)
    assert choose_device("cuda:0", 1) == torch.device("cuda", 0)
    assert choose_device("cpu", 1) == torch.device("cpu")
    with pytest.raises(InputError, match=r"--device cuda: .*\b2\b.*\b2\b.*--device cpu"):
        choose_device("auto", 2)


def test_devices_that_are_not_here_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == torch.device("cpu")
    with pytest.raises(InputError, match=r"--device cuda: .*\b0\b.*\b0\b.*--device cpu"):
        choose_device("cuda")
    for name in ("gpu", "mps", "cuda:x"):
        with pytest.raises(InputError, match=rf"--device {name}: .*auto, cpu, cuda.*cuda:N"):
            choose_device(name)
