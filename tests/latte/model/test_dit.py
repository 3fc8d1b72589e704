from dataclasses import asdict

import pytest
import torch

from latte.config import LatteConfig
from latte.data.errors import InputError
from latte.model import Latte
from latte.model.checkpoints import initialise_from_dit

CONFIG = LatteConfig(8, 2, 4, 32, 4, 4, 3)
LABELS = "y_embedder.embedding_table.weight"


def dit(depth: int = 4, **change: object) -> dict[str, torch.Tensor]:
    """A DiT of these sizes: each tensor is filled with a number of its own."""
    even = max(2, depth + depth % 2)
    shapes = Latte(LatteConfig(**(asdict(CONFIG) | {"depth": even, "num_classes": 10} | change)))
    state = {
        name: torch.full(tensor.shape, 1 + index / 1000)
        for index, (name, tensor) in enumerate(shapes.state_dict().items())
    }
    names = [name for name in state if name.startswith("blocks.")]
    dropped = {"temp_embed"} | {name for name in names if int(name.split(".")[1]) >= depth}
    return {name: tensor for name, tensor in state.items() if name not in dropped}


def untouched(**change: object) -> Latte:
    torch.manual_seed(0)
    return Latte(LatteConfig(**(asdict(CONFIG) | change)))


def sources(model: Latte, state: dict[str, torch.Tensor], layer: str) -> list[int | None]:
    """For each block of the model, which block of the DiT its layer came from."""
    values = {
        state[name].flatten()[0].item(): int(name.split(".")[1])
        for name in state
        if name.startswith("blocks.") and name.endswith(".attn.proj.weight")
    }
    weights = [block.get_submodule(layer).weight for block in model.blocks]
    return [values.get(weight.flatten()[0].item()) for weight in weights]


@pytest.mark.parametrize(
    ("variant", "blocks", "over_space", "over_time"),
    [
        (1, "name", [0, 1, 2, 3], None),
        (1, "spatial", [0, None, 1, None], None),
        (1, "both", [0, 0, 1, 1], None),
        (2, "name", [0, 1, 2, 3], None),
        (2, "spatial", [0, 1, None, None], None),
        (2, "both", [0, 1, 0, 1], None),
        (3, "name", [0, 1, 2, 3], [None] * 4),
        (3, "spatial", [0, 1, 2, 3], [None] * 4),
        (3, "both", [0, 1, 2, 3], [0, 1, 2, 3]),
        (4, "name", [0, 1, 2, 3], [None] * 4),
        (4, "both", [0, 1, 2, 3], [0, 1, 2, 3]),
    ],
)
def test_blocks_land_where_the_choice_says(variant, blocks, over_space, over_time):
    model, state = untouched(variant=variant), dit()
    initialise_from_dit(model, state, blocks=blocks)
    assert sources(model, state, "attn.proj") == over_space
    if over_time is not None:
        assert sources(model, state, "attn_temporal.proj") == over_time


@pytest.mark.parametrize("change", [{}, {"num_classes": 3}, {"variant": 4}, {"variant": 3}])
def test_each_tensor_is_the_dits_or_stays(change):
    """With "name" and equal depths all that a DiT has is taken, but for the labels."""
    model, state = untouched(**change), dit()
    initialise_from_dit(model, state)
    before = untouched(**change).state_dict()
    for name, tensor in model.state_dict().items():
        if name == LABELS:
            assert not tensor.any()
        else:
            assert torch.equal(tensor, state.get(name, before[name])), name


def test_positions_in_time_and_temporal_blocks_keep_their_initialisation():
    model = untouched()
    before = untouched().state_dict()
    initialise_from_dit(model, dit(), blocks="spatial")
    for name, tensor in model.state_dict().items():
        if name == "temp_embed" or name.startswith(("blocks.1.", "blocks.3.")):
            assert torch.equal(tensor, before[name]), name


def test_it_says_what_was_taken_and_what_was_left_out():
    sentences = initialise_from_dit(untouched(num_classes=3), dit(depth=3), blocks="spatial")
    assert sentences == [
        "31 tensors were taken from the DiT: patch and timestep embeddings, positions, final "
        "layer, and 2 of its 3 blocks for 2 of the model's 4.",
        "DiT's blocks 2 are not used.",
        "The model's blocks 1, 3 keep their initialisation.",
        "DiT's label table was dropped, and the model's is zero at first.",
    ]
    assert initialise_from_dit(untouched(), dit())[1:] == [
        "DiT's label table was dropped: the model has no classes."
    ]
    four = " ".join(initialise_from_dit(untouched(variant=4), dit()))
    assert "attention over time keeps its initialisation" in four
    assert "two heads of the DiT act as one" in four


def test_a_model_that_takes_its_condition_as_tokens_leaves_modulations_out():
    model, state = untouched(conditioning="all-tokens"), dit()
    sentences = initialise_from_dit(model, state)
    assert any("modulations are not used" in sentence for sentence in sentences)
    assert torch.equal(model.blocks[3].mlp.fc2.weight, state["blocks.3.mlp.fc2.weight"])


@pytest.mark.parametrize("wrapped", [lambda state: state, lambda state: {"ema": state}])
def test_a_file_is_read_as_a_state_dict_is(wrapped, tmp_path):
    torch.save(wrapped(dit()), tmp_path / "DiT.pt")
    from_file, direct = untouched(), untouched()
    initialise_from_dit(from_file, tmp_path / "DiT.pt")
    initialise_from_dit(direct, dit())
    for name, tensor in from_file.state_dict().items():
        assert torch.equal(tensor, direct.state_dict()[name])


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: dit(input_size=16),
            r"pos_embed .*\(1, 64, 32\).*\(1, 16, 32\)",
        ),
        (
            lambda: dit(in_channels=3),
            r"x_embedder.proj.weight .*\(32, 3, 2, 2\).*\(32, 4, 2, 2\)",
        ),
        (lambda: dit(learn_sigma=False), r"final_layer.linear.weight .*\(16, 32\)"),
        (lambda: dit(hidden_size=64), r"pos_embed .*\(1, 16, 64\)"),
        (lambda: dit(mlp_ratio=2.0), r"blocks.0.mlp.fc1.weight .*\(64, 32\)"),
        (lambda: dit(depth=0), "DiT: blocks.0 is missing"),
        (lambda: dit() | {"temp_embed": torch.zeros(1, 3, 32)}, "Latte.*temp_embed"),
        (lambda: {"conv1.weight": torch.zeros(3)}, "DiT: pos_embed is missing"),
        (
            lambda: {
                name: value for name, value in dit().items() if name != "blocks.2.mlp.fc2.bias"
            },
            "DiT: blocks.2.mlp.fc2.bias is missing",
        ),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_changed(make, sentence):
    model = untouched()
    with pytest.raises(InputError, match=sentence):
        initialise_from_dit(model, make())
    before = untouched().state_dict()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_tubes_cannot_take_the_patches_of_an_image_model():
    with pytest.raises(InputError, match=r"x_embedder.proj.weight .* \(32, 4, 2, 2, 2\)"):
        initialise_from_dit(untouched(patch_embedding="compression", num_frames=4), dit())


def test_an_unknown_choice_of_blocks_is_refused():
    with pytest.raises(InputError, match=r"temporal.*name, spatial or both"):
        initialise_from_dit(untouched(), dit(), blocks="temporal")
