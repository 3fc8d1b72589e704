"""A run may begin with an image model that was trained here."""

from dataclasses import replace

import pytest
import torch

from latte.config import LatteConfig
from latte.model import Latte
from latte.model.checkpoints import save_checkpoint
from latte.training.config import ModelTable
from latte.training.weights import initial_model

VIDEO = LatteConfig(8, 2, 4, 32, 4, 2, 3, num_classes=5)
IMAGE = replace(VIDEO, num_frames=1, num_classes=10, temporal_attention=False)


@pytest.fixture
def table(tmp_path):
    """The [model] table of a run that begins with the file which this writes."""

    def write(config: LatteConfig, **change: str) -> tuple[ModelTable, Latte]:
        torch.manual_seed(1)
        model = Latte(config)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter)
        path = tmp_path / "ema.safetensors"
        save_checkpoint(path, config, model.state_dict(), {})
        sizes = {"patch_size": 2, "hidden_size": 32, "depth": 4, "num_heads": 2}
        return ModelTable(**sizes, initialise_from=str(path), **change), model

    return write


@pytest.mark.parametrize(("blocks", "source"), [("name", 3), ("both", 1)])
def test_an_image_model_initialises_one_of_videos(table, blocks, source):
    start, image_model = table(IMAGE, dit_blocks=blocks)
    model, notes = initial_model(VIDEO, start, 0)
    torch.testing.assert_close(
        model.blocks[3].attn.qkv.weight, image_model.blocks[source].attn.qkv.weight, rtol=0, atol=0
    )
    assert not model.y_embedder.embedding_table.weight.any()
    assert "were taken from the DiT" in notes[0]


def test_rotary_positions_do_not_make_a_video_model_an_image_model(table):
    config = replace(VIDEO, temporal_position="rotary")
    start, other = table(config)
    model, notes = initial_model(config, start, 0)
    assert "all weights taken" in notes[0]
    labels = "y_embedder.embedding_table.weight"
    torch.testing.assert_close(model.state_dict()[labels], other.state_dict()[labels])
