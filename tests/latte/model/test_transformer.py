"""The whole network: the official outputs, every design, guidance, precision, files."""

import json
from copy import deepcopy
from dataclasses import replace
from functools import cache, partial
from itertools import product
from pathlib import Path

import pytest
import torch

from latte.config import LatteConfig
from latte.model import Latte

KEYS = Path(__file__).parents[2] / "golden" / "latte_keys.txt"
CONFIG = LatteConfig(
    input_size=8,
    patch_size=2,
    in_channels=4,
    hidden_size=32,
    depth=4,
    num_heads=4,
    num_frames=4,
)
VARIANTS = (1, 2, 3, 4)
CHOICES = {
    "variant": VARIANTS,
    "patch_embedding": ("uniform", "compression"),
    "conditioning": ("s-adaln", "all-tokens"),
    "temporal_position": ("absolute", "rotary"),
    "num_classes": (None, 3),
}
DESIGNS = [
    replace(CONFIG, depth=2, **dict(zip(CHOICES, values, strict=True)))
    for values in product(*CHOICES.values())
]
TIMES = torch.tensor([17, 801])


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def network(make):
    """Maker of such a network, made once: treat it as read-only."""
    return cache(make)


def labels(config, count):
    """All classes and the null class in turn; none for an unconditional network."""
    if config.num_classes is None:
        return None
    return torch.arange(count) % (config.num_classes + 1)


def name_of(config):
    return "-".join(str(getattr(config, name)) for name in CHOICES)


def assert_near(found, expected, atol=1e-5):
    torch.testing.assert_close(found, expected, atol=atol * float(expected.abs().max()), rtol=0)


# The official network


def assert_golden(found, expected):
    expected = torch.from_numpy(expected)
    assert found.shape == expected.shape
    assert_near(found.detach(), expected)


def test_unconditional_output_is_the_official_one(formula_latte, golden_latte, latents):
    found = formula_latte()(latents("latent", 2, 4), TIMES)
    assert_golden(found, golden_latte["unconditional"])


def test_class_conditional_output_is_the_official_one(formula_latte, golden_latte, latents):
    found = formula_latte(5)(latents("latent", 2, 4), TIMES, torch.tensor([1, 4]))
    assert_golden(found, golden_latte["class_conditional"])


def test_guided_output_is_the_official_one(formula_latte, golden_latte, latents):
    x = latents("latent", 2, 4)[:1].repeat(2, 1, 1, 1, 1)
    t, y = torch.tensor([400, 400]), torch.tensor([1, 5])
    found = formula_latte(5).forward_with_guidance(x, t, y, 7.0)
    assert_golden(found, golden_latte["guided_scale_7"])


def test_joint_output_is_the_official_one(formula_latte, golden_latte, latents):
    found = formula_latte()(latents("latent", 2, 7), TIMES, num_images=3)
    assert_golden(found, golden_latte["joint_only_video_3_images"])


def test_tensors_are_named_and_shaped_as_in_official_files():
    lines = KEYS.read_text(encoding="utf-8").splitlines()
    expected = {name: json.loads(shape) for name, shape in (line.split(" ", 1) for line in lines)}
    model = Latte(LatteConfig(8, 2, 4, 96, 4, 4, 4, num_classes=5))
    assert {name: list(tensor.shape) for name, tensor in model.state_dict().items()} == expected
    unconditional = Latte(LatteConfig(8, 2, 4, 96, 4, 4, 4)).state_dict()
    assert set(expected) - set(unconditional) == {"y_embedder.embedding_table.weight"}


# Every design


@pytest.mark.parametrize("config", DESIGNS, ids=name_of)
def test_gradients_reach_every_parameter(make, config):
    model, y = make(config), labels(config, 4)
    x, t = noise(4, 4, 4, 8, 8), torch.tensor([0, 17, 801, 999])
    out = model(x, t, y)
    assert out.shape == (4, 4, 8, 8, 8)
    (out * noise(*out.shape, seed=1)).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        rows = (
            parameter.grad.flatten(1) if "embedding_table" in name else parameter.grad.view(1, -1)
        )
        assert rows.abs().amax(dim=1).min() > 0, name


@pytest.mark.parametrize("config", DESIGNS, ids=name_of)
def test_at_first_the_output_is_zero_and_modulated_blocks_change_nothing(config):
    model, changes = Latte(config), []
    for block in model.blocks:
        block.register_forward_hook(
            lambda module, inputs, out: changes.append((out - inputs[0]).abs().max())
        )
    assert not model(noise(2, 4, 4, 8, 8), TIMES, labels(config, 2)).any()
    assert len(changes) == config.depth
    assert (max(changes) == 0) == (config.conditioning == "s-adaln")


@pytest.mark.parametrize("config", DESIGNS, ids=name_of)
def test_everything_in_a_video_is_seen_everywhere(network, config):
    model, y, x = network(config), labels(config, 1), noise(1, 4, 4, 8, 8)
    t = TIMES[:1]
    with torch.no_grad():
        out = model(x, t, y)
        changed = x.clone()
        changed[0, 3, 2, 7, 0] += 3
        assert (model(changed, t, y) - out).abs().amax(dim=2).min() > 0
        assert (model(x, t + 1, y) - out).abs().amax(dim=2).min() > 0
        if y is not None:
            assert (model(x, t, y + 1) - out).abs().amax(dim=2).min() > 0


@pytest.mark.parametrize("config", DESIGNS, ids=name_of)
def test_samples_do_not_depend_on_who_is_with_them(network, config):
    model, y, x = network(config), labels(config, 4), noise(4, 4, 4, 8, 8)
    t = torch.tensor([0, 17, 801, 999])
    order = torch.tensor([2, 0, 3, 1])
    with torch.no_grad():
        together = model(x, t, y)
        apart = [
            model(x[i : i + 1], t[i : i + 1], None if y is None else y[i : i + 1]) for i in range(4)
        ]
        shuffled = model(x[order], t[order], None if y is None else y[order])
    assert_near(torch.cat(apart), together)
    assert_near(shuffled, together[order])


@pytest.mark.parametrize("config", DESIGNS, ids=name_of)
def test_double_precision_says_the_same(network, config):
    model, y, x = network(config), labels(config, 2), noise(2, 4, 4, 8, 8)
    with torch.no_grad():
        single = model(x, TIMES, y)
        double = deepcopy(model).double()(x.double(), TIMES, y)
    assert double.dtype == torch.float64
    assert_near(single, double.float())


@pytest.mark.parametrize(
    "config", [d for d in DESIGNS if d.conditioning == "all-tokens"], ids=name_of
)
def test_conditions_are_tokens_before_the_patches_of_every_frame(make, config):
    model, y, x, seen = make(config), labels(config, 2), noise(2, 4, 4, 8, 8), {}
    for name in ("blocks.0", f"blocks.{config.depth - 1}", "final_layer"):
        model.get_submodule(name).register_forward_hook(
            lambda module, inputs, out, name=name: seen.update({name: (inputs[0], out)})
        )
    with torch.no_grad():
        model(x, TIMES, y)
        conditions = [model.t_embedder(TIMES)] + ([] if y is None else [model.y_embedder(y)])
        patches = model.x_embedder(x) + model.pos_embed
    extra, frames = len(conditions), config.token_frames
    if config.temporal_position == "absolute" and config.variant in (3, 4):
        conditions = [row[:, None] + model.temp_embed for row in conditions]  # (N, F, D)
        patches = patches + model.temp_embed[:, :, None]
    else:
        conditions = [row[:, None].expand(-1, frames, -1) for row in conditions]
    tokens = seen["blocks.0"][0]
    assert_near(tokens, torch.cat([torch.stack(conditions, dim=2), patches], dim=2))
    last = seen[f"blocks.{config.depth - 1}"][1]
    assert torch.equal(seen["final_layer"][0], last[:, :, extra:])


def test_a_network_without_learned_variance_gives_the_noise_alone(make):
    model = make(learn_sigma=False, num_classes=3)
    assert model(noise(2, 4, 4, 8, 8), TIMES, torch.tensor([0, 3])).shape == (2, 4, 4, 8, 8)


def test_no_dropout_and_no_chance(make):
    model, x, y = make(num_classes=3), noise(2, 4, 4, 8, 8), torch.tensor([0, 3])
    expected = model(x, TIMES, y)
    before = torch.random.get_rng_state()
    assert torch.equal(model.train()(x, TIMES, y), expected)
    assert torch.equal(torch.random.get_rng_state(), before)


# Frames


@pytest.mark.parametrize("variant", VARIANTS)
def test_frames_are_told_apart_by_their_position_alone(make, variant):
    model, x = make(variant=variant), noise(2, 4, 4, 8, 8)
    order = torch.tensor([2, 0, 3, 1])
    with torch.no_grad():
        out = model(x, TIMES)
        assert (model(x[:, order], TIMES) - out[:, order]).abs().max() > 0.01
        model.temp_embed.zero_()
        assert_near(model(x[:, order], TIMES), model(x, TIMES)[:, order])


def test_time_enters_before_the_first_temporal_block(make):
    """Not before the first block, as in the paper's text: so do the official weights want it."""

    def note_frames(notes, place, block, inputs):
        notes[place] = bool((inputs[0] - inputs[0][:, :1]).abs().max() > 1e-5)

    moving = {}
    for variant, first in ((1, 1), (2, 2)):
        model, still = make(variant=variant), noise(1, 1, 4, 8, 8).expand(2, 4, 4, 8, 8)
        for index, block in enumerate(model.blocks):
            block.register_forward_pre_hook(partial(note_frames, moving, (variant, index)))
        model(still, TIMES)
        assert [moving[variant, index] for index in range(4)] == [i >= first for i in range(4)]


@pytest.mark.parametrize("variant", [1, 2])
def test_blocks_are_interleaved_or_spatial_first(make, variant):
    axes = [block.axis for block in make(variant=variant).blocks]
    assert axes == [["space", "time"] * 2, ["space"] * 2 + ["time"] * 2][variant - 1]


# Memory, precision, devices, files


@pytest.mark.parametrize("config", DESIGNS, ids=name_of)
def test_mixed_precision_is_near_and_its_output_is_not_rounded(network, config):
    model, y, x = network(config), labels(config, 2), noise(2, 4, 4, 8, 8)
    with torch.no_grad():
        expected = model(x, TIMES, y)
        with torch.autocast("cpu", torch.bfloat16):
            found = model(x, TIMES, y)
    assert found.dtype == torch.float32
    assert (found - expected).norm() < 0.02 * expected.norm()
    assert (found - expected).norm() > 0  # it was used


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("temporal_position", ["absolute", "rotary"])
def test_a_network_of_rounded_weights_is_near(make, dtype, temporal_position):
    model, x = make(temporal_position=temporal_position), noise(2, 4, 4, 8, 8)
    with torch.no_grad():
        expected = model(x, TIMES)
        found = model.to(dtype)(x.to(dtype), TIMES)
    assert found.dtype == dtype
    assert (found.float() - expected).norm() < 0.05 * expected.norm()


def test_positions_in_time_are_not_rounded_with_the_weights(make):
    """In bfloat16, angles from 8 on are 0.06 apart."""
    config = replace(CONFIG, temporal_position="rotary", num_frames=16)
    angles = []
    for dtype in (torch.float32, torch.bfloat16):
        model = make(config).to(dtype)
        hook = model.blocks[1].register_forward_pre_hook(
            lambda module, inputs: angles.append(inputs[2].angles)
        )
        model(noise(1, 16, 4, 8, 8).to(dtype), TIMES[:1])
        hook.remove()
    assert torch.equal(*angles)


@pytest.mark.parametrize("patch_embedding", CHOICES["patch_embedding"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_shapes_are_known_without_memory(variant, patch_embedding):
    config = replace(CONFIG, depth=2, variant=variant, patch_embedding=patch_embedding)
    with torch.device("meta"):
        model = Latte(config)
        out = model(torch.empty(2, 4, 4, 8, 8), torch.empty(2))
    assert out.device.type == "meta"
    assert out.shape == (2, 4, 8, 8, 8)


@pytest.mark.parametrize("assign", [False, True])
@pytest.mark.parametrize("config", DESIGNS, ids=name_of)
def test_a_state_dict_is_all_there_is(network, config, assign):
    """Also for a network that was made without memory, as large ones are."""
    model, y, x = network(config), labels(config, 2), noise(2, 4, 4, 8, 8)
    with torch.device("meta"):
        other = Latte(config)
    if not assign:
        other = other.to_empty(device="cpu")
        for tensor in (*other.parameters(), *other.buffers()):
            tensor.data.fill_(torch.nan)  # memory may hold anything
    other.load_state_dict(model.state_dict(), assign=assign)
    with torch.no_grad():
        assert torch.equal(other(x, TIMES, y), model(x, TIMES, y))


# Refusals


@pytest.mark.parametrize(
    ("num_classes", "x", "inputs", "complaint"),
    [
        (None, (2, 3, 4, 8, 8), {}, r"x .*\(2, 3, 4, 8, 8\).*\(N, 4 frames"),
        (None, (2, 4, 3, 8, 8), {}, r"x .*\(2, 4, 3, 8, 8\).* 4, 8, 8\)"),
        (None, (2, 4, 4, 8, 16), {}, r"x .*\(2, 4, 4, 8, 16\).* 8, 8\)"),
        (None, (2, 4, 4, 16, 16), {}, r"x .*\(2, 4, 4, 16, 16\)"),
        (None, (4, 4, 8, 8), {}, r"x .*\(4, 4, 8, 8\)"),
        (None, (2, 4, 4, 8, 8), {"num_images": 2}, r"4 frames \+ 2 images"),
        (None, (2, 3, 4, 8, 8), {"num_images": -1}, "num_images = -1"),
        (None, (2, 4, 4, 8, 8), {"t": torch.tensor([1])}, r"t .*\(1,\).*\(2,\)"),
        (None, (2, 4, 4, 8, 8), {"t": torch.tensor(1)}, r"t .*\(\).*\(2,\)"),
        (None, (2, 4, 4, 8, 8), {"y": torch.tensor([0, 1])}, "unconditional model"),
        (3, (2, 4, 4, 8, 8), {}, r"classes y \(2,\).*\b3\b"),
        (3, (2, 4, 4, 8, 8), {"y": torch.tensor([0])}, r"classes y \(2,\)"),
        (
            3,
            (2, 6, 4, 8, 8),
            {"y": torch.tensor([0, 1]), "num_images": 2, "y_images": torch.zeros(2, 3).long()},
            r"y_images .*\(2, 3\).*\(2, 2\)",
        ),
    ],
)
def test_inputs_that_do_not_fit_are_refused(num_classes, x, inputs, complaint):
    model = Latte(replace(CONFIG, num_classes=num_classes))
    with pytest.raises(ValueError, match=complaint):
        model(torch.zeros(x), **({"t": TIMES} | inputs))
