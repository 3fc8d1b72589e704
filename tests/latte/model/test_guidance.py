"""Classifier-free guidance."""

import pytest
import torch


@pytest.fixture
def guided_inputs():
    """x, t and y of two videos, twice: classes, then the null class."""
    x = torch.randn((4, 4, 4, 8, 8), generator=torch.Generator().manual_seed(0))
    return x, torch.full((4,), 400), torch.tensor([0, 2, 3, 3])


def assert_near(found, expected):
    limit = 1e-5 * float(expected.abs().max())
    torch.testing.assert_close(found, expected, atol=limit, rtol=0)


def test_a_scale_of_one_is_the_conditional_prediction(make, guided_inputs):
    model, (x, t, y) = make(num_classes=3), guided_inputs
    with torch.no_grad():
        for guided in ("noise", "all"):
            out = model.forward_with_guidance(x, t, y, 1.0, guided=guided)
            assert_near(out[:2], model(x[:2], t[:2], y[:2]))


def test_guidance_walks_from_the_unconditional_prediction(make, guided_inputs):
    model, (x, t, y) = make(num_classes=3), guided_inputs
    with torch.no_grad():
        with_class, without = model(x[:2], t[:2], y[:2]), model(x[:2], t[:2], y[2:])
        mixed = without + 4.5 * (with_class - without)
        noise_alone = model.forward_with_guidance(x, t, y, 4.5)
        everything = model.forward_with_guidance(x, t, y, 4.5, guided="all")
    assert_near(everything, torch.cat([mixed, mixed]))
    assert_near(noise_alone[:, :, :4], torch.cat([mixed, mixed])[:, :, :4])
    assert_near(noise_alone[:, :, 4:], torch.cat([with_class, without])[:, :, 4:])


def test_guidance_does_not_look_at_the_second_half(make, guided_inputs):
    model, (x, t, y) = make(num_classes=3), guided_inputs
    with torch.no_grad():
        expected = model.forward_with_guidance(x, t, y, 7.0)
        x[2:] = torch.nan
        assert torch.equal(model.forward_with_guidance(x, t, y, 7.0), expected)


def test_what_is_guided_is_named(make, guided_inputs):
    model, (x, t, y) = make(num_classes=3), guided_inputs
    with pytest.raises(ValueError, match=r"guided.*eps"):
        model.forward_with_guidance(x, t, y, 7.0, guided="eps")


def test_guidance_of_a_network_without_learned_variance(make, guided_inputs):
    model, (x, t, y) = make(num_classes=3, learn_sigma=False), guided_inputs
    with torch.no_grad():
        found = model.forward_with_guidance(x, t, y, 3.0)
        assert torch.equal(found, model.forward_with_guidance(x, t, y, 3.0, guided="all"))
    assert torch.equal(found[:2], found[2:])
