"""Several processes are one with a larger batch."""

import pytest
import torch

from latte.data.errors import InputError
from latte.training.distributed import Group, join_group


def test_one_process_waits_for_nobody():
    group = Group(device=torch.device("cpu"))
    values = torch.tensor([1.0, 2.0])
    assert group.is_first
    assert group.mean(values) is values
    assert group.any(True)
    assert not group.any(False)
    group.wait()


def test_the_device_is_the_one_that_was_asked_for():
    with join_group("cpu") as group:
        assert group == Group(device=torch.device("cpu"))
        assert not torch.distributed.is_initialized()
    with pytest.raises(InputError, match="--device tpu"), join_group("tpu"):
        pass


def test_another_batch_is_allowed_and_said(run, tmp_path, capsys, monkeypatch):
    from latte.training import run as module

    run("training.steps=1")
    load = module.load_state
    monkeypatch.setattr(
        module, "load_state", lambda path, state, config, count: load(path, state, config, 3)
    )
    run("training.steps=2")
    assert "a step had 2 clips in 1 process, from here on it has 6 in 3" in capsys.readouterr().err
