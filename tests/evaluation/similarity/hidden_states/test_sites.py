"""Hidden states are found by path and come as (N, F, S, D), whatever their layout."""

import pytest
import torch
from torch import nn

from evaluation.similarity import Site, branch_pairs, latte_sites
from evaluation.similarity.hidden_states.sites import as_frames, check_sites, watching
from latte.data.errors import InputError
from latte.model.embeddings import unfold_patches

N, F, S, D = 2, 4, 6, 5
LAYOUTS = {
    "nfsd": lambda x: x,
    "nsfd": lambda x: x.transpose(1, 2),
    "(nf)sd": lambda x: x.flatten(0, 1),
    "(ns)fd": lambda x: x.transpose(1, 2).flatten(0, 1),
    "n(fs)d": lambda x: x.flatten(1, 2),
    "nfdhw": lambda x: x.unflatten(2, (2, 3)).permute(0, 1, 4, 2, 3),
    "(nf)dhw": lambda x: x.unflatten(2, (2, 3)).permute(0, 1, 4, 2, 3).flatten(0, 1),
    "ndfhw": lambda x: x.unflatten(2, (2, 3)).permute(0, 4, 1, 2, 3),
}


@pytest.fixture
def states():
    return torch.arange(N * F * S * D, dtype=torch.float32).reshape(N, F, S, D)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_brought_back(states, layout):
    output = LAYOUTS[layout](states)
    assert torch.equal(as_frames(output, Site(path="part", layout=layout), N, F), states)
    assert torch.equal(as_frames((output, 1), Site(path="part", layout=layout), N, F), states)


@pytest.mark.parametrize("layout", ["nfd", "(nf)d"])
def test_a_frame_may_have_one_token(states, layout):
    output = states[:, :, 0] if layout == "nfd" else states[:, :, 0].flatten(0, 1)
    assert torch.equal(as_frames(output, Site(path="part", layout=layout), N, F), states[:, :, :1])


@pytest.mark.parametrize("layout", ["nfs", "nfsdx", "n(fsd", "(nf", "nffd", "n)f(sd"])
def test_what_is_no_layout_is_refused(layout):
    with pytest.raises(ValueError, match="a layout is"):
        Site(path="part", layout=layout)


@pytest.mark.parametrize(
    ("output", "layout", "problem"),
    [
        (torch.zeros(7, S, D), "(nf)sd", "(nf)sd of 2 clips of 4 frames"),
        (torch.zeros(N, F, S, D), "(nf)sd", "which is not"),
        (torch.zeros(N, S, F, D), "nfsd", "which is not"),
        ({"x": 1}, "nfsd", "dict"),
    ],
)
def test_an_output_of_another_shape_is_refused_by_name(output, layout, problem):
    with pytest.raises(InputError, match="part gives") as caught:
        as_frames(output, Site(path="part", layout=layout), N, F)
    assert problem in str(caught.value)


def look(model, sites, x):
    found = {}
    with watching(
        model, sites, lambda site, states: found.update({site.path: states}), num_clips=N,
        num_frames=F,
    ):  # fmt: skip
        model(x)
    return found


def test_states_of_any_network_are_those_that_its_parts_give(states):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(D, 3), nn.ReLU(), nn.Sequential(nn.Linear(3, 2)))
    sites = [Site(path="0", layout="nfsd"), Site(path="2.0", layout="nfsd", skip_tokens=2)]
    with torch.no_grad():
        found = look(model, sites, states)
        assert torch.equal(found["0"], model[0](states))
        assert torch.equal(found["2.0"], model(states)[:, :, 2:])
        model(states)
    assert not any(module._forward_hooks for module in model.modules())


def test_parts_that_are_not_there_or_do_not_run_once_are_named(states):
    model = nn.Sequential(nn.Linear(D, D))
    model.add_module("again", model[0])
    model.register_module("idle", nn.Identity())
    model.forward = lambda x: model[0](model[0](x))
    for path, problem in (
        ("1.attn", r"no part .*1\.attn\b"),
        ("0", "0 runs more than once"),
        ("idle", "idle does not run"),
    ):
        with pytest.raises(InputError, match=problem):
            look(model, [Site(path=path, layout="nfsd")], states)


def test_a_part_that_is_not_there_is_told_from_what_is(small_latte):
    model = small_latte(1)
    named = "x_embedder, t_embedder, blocks.0 … blocks.3, final_layer"
    for path, said in (("qqq", f"'qqq': it has {named}"), ("blocks.4", "did you mean blocks.3 or")):
        with pytest.raises(InputError) as caught:
            check_sites(model, [Site(path=path, layout="nfsd")])
        assert said in str(caught.value)
        assert named in str(caught.value)
        assert len(str(caught.value)) < 200


def test_a_latte_is_looked_at_where_the_paper_does(small_latte):
    late = latte_sites(small_latte(2).config)
    assert [(site.path, site.kind) for site in late] == [
        ("blocks.0", "spatial block"),
        ("blocks.1", "spatial block"),
        ("blocks.2", "temporal block"),
        ("blocks.3", "temporal block"),
    ]
    assert [site.kind for site in latte_sites(small_latte(1).config, [1])] == ["temporal block"]
    split = latte_sites(small_latte(4).config, [3])
    assert [(site.path, site.kind) for site in split] == [
        ("blocks.3", "block"),
        ("blocks.3.attn", "spatial attention"),
        ("blocks.3.attn_temporal", "temporal attention"),
    ]
    (pair,) = branch_pairs(split)
    assert (pair.first, pair.second, pair.depth) == (split[1].path, split[2].path, 3)
    assert branch_pairs(late) == ()
    for wrong in (4, -1):
        with pytest.raises(InputError, match="blocks 0 … 3"):
            latte_sites(small_latte(2).config, [wrong])
    with pytest.raises(InputError, match="without a name"):
        latte_sites(small_latte(2).config, [0, ""])


@pytest.mark.parametrize("conditioning", ["s-adaln", "all-tokens"])
@pytest.mark.parametrize("variant", [1, 3, 4])
def test_both_attentions_of_a_latte_come_as_frames_of_patches(small_latte, variant, conditioning):
    """The parts' states add up to what the block adds, wherever each has its axes."""
    changes = {"conditioning": conditioning, "num_classes": 3}
    model = small_latte(variant, num_frames=F, **changes)
    mixed, mix = {}, type(model.blocks[1]).mix

    def kept(*arguments):
        mixed[0] = mix(model.blocks[1], *arguments)
        return mixed[0]

    model.blocks[1].mix = kept
    names = ["attn"] if variant == 1 else ["attn", "attn_temporal"]
    parts = [f"blocks.1.{name}" for name in names]
    sites = latte_sites(model.config, ["x_embedder", *parts, "final_layer"])
    found = {}
    x = torch.randn(N, F, 24, 4, 4, generator=torch.Generator().manual_seed(0))
    with (
        torch.no_grad(),
        watching(model, sites, lambda site, states: found.update({site.path: states}), num_clips=N,
                 num_frames=F),
    ):  # fmt: skip
        predicted = model(x, torch.tensor([10, 900]), torch.tensor([0, 2]))
    with torch.no_grad():
        embedded = model.x_embedder(x)
    extra = 2 if conditioning == "all-tokens" else 0
    assert all(found[path].shape == (N, F, 4, 16) for path in ("x_embedder", *parts))
    torch.testing.assert_close(sum(found[path] for path in parts), mixed[0][:, :, extra:])
    # Outside the blocks there are patches alone.
    assert torch.equal(found["x_embedder"], embedded)
    given = unfold_patches(found["final_layer"], 2, model.config.out_channels)
    assert torch.equal(given, predicted)
