"""Processes of torchrun, by what it sets."""

import pytest

from latte.data.errors import InputError
from latte.data.processes import Process, this_process


def test_without_torchrun_there_is_one_process():
    assert this_process({}) == Process(rank=0, world=1, local_rank=0)


def test_what_torchrun_sets_is_read():
    environment = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}
    assert this_process(environment) == Process(rank=5, world=8, local_rank=1)


@pytest.mark.parametrize(
    "environment", [{"RANK": "2", "WORLD_SIZE": "2"}, {"RANK": "one"}, {"WORLD_SIZE": "0"}]
)
def test_what_torchrun_does_not_set_is_refused(environment):
    with pytest.raises(InputError, match="torchrun"):
        this_process(environment)


@pytest.mark.parametrize("world", [1, 2, 3, 8])
def test_shares_are_all_samples_once(world):
    shares = [list(Process(rank=rank, world=world).share(range(3, 10))) for rank in range(world)]
    assert sorted(index for share in shares for index in share) == list(range(3, 10))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
