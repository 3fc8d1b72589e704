"""The weights that a run begins with."""

from pathlib import Path

import torch

from latte.config import LatteConfig
from latte.data.errors import InputError
from latte.data.tensor_files import check_same
from latte.model import Latte
from latte.model.checkpoints import Checkpoint, initialise_from_dit, load_initial
from latte.training.config import ModelTable


def initial_model(config: LatteConfig, table: ModelTable, seed: int) -> tuple[Latte, list[str]]:
    """A network with the seed's random weights, filled from a file where the table names one.

    Returns:
        The network, and notes on what was taken from the file.

    Raises:
        InputError: the file is missing, damaged, or of another network.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Latte(config)
    if table.initialise_from is None:
        return model, []
    path = Path(table.initialise_from)
    source = load_initial(path)
    if not isinstance(source, Checkpoint):
        return model, initialise_from_dit(model, source, blocks=table.dit_blocks)
    for field in ("variant", "num_heads"):  # names and shapes do not show them
        theirs, ours = getattr(source.config, field), getattr(config, field)
        if theirs != ours:
            raise InputError(f"{path}: has {field} {theirs}, but the model of this run has {ours}")
    what = "a checkpoint of the same [model] table"
    check_same(source.state_dict, model.state_dict(), str(path), what)
    model.load_state_dict(source.state_dict)
    return model, [f"{path}: all weights taken"]
