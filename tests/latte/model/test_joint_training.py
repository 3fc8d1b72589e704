"""Videos with independent images behind them: who sees whom, and who teaches what."""

import pytest
import torch

VARIANTS = (1, 2, 3, 4)
IMAGE_ATTENTIONS = ("only-video", "temporal-mask")
TIMES = torch.tensor([17, 801])


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def assert_near(found, expected):
    limit = 1e-5 * float(expected.abs().max())
    torch.testing.assert_close(found, expected, atol=limit, rtol=0)


@pytest.mark.parametrize("temporal_position", ["absolute", "rotary"])
@pytest.mark.parametrize("conditioning", ["s-adaln", "all-tokens"])
@pytest.mark.parametrize("image_attention", IMAGE_ATTENTIONS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_video_and_each_image_are_predicted_as_if_alone(
    make, variant, image_attention, conditioning, temporal_position
):
    model = make(
        variant=variant,
        image_attention=image_attention,
        conditioning=conditioning,
        temporal_position=temporal_position,
        num_classes=3,
    )
    x, y = noise(2, 7, 4, 8, 8), torch.tensor([2, 3])
    y_images = torch.tensor([[0, 1, 3], [2, 2, 1]])
    with torch.no_grad():
        out = model(x, TIMES, y, num_images=3, y_images=y_images)
        assert_near(out[:, :4], model(x[:, :4], TIMES, y))
        for image in range(3):
            # Another video, whose class is the image's: the image looks as before.
            other = torch.cat([noise(2, 4, 4, 8, 8, seed=1), x[:, 4 + image :][:, :1]], dim=1)
            alone = model(other, TIMES, y_images[:, image], num_images=1)
            assert_near(alone[:, 4], out[:, 4 + image])


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_two_strategies_differ_for_images_alone(make, variant):
    x = noise(2, 6, 4, 8, 8)
    with torch.no_grad():
        only_video, masked = (
            make(variant=variant, image_attention=name)(x, TIMES, num_images=2)
            for name in IMAGE_ATTENTIONS
        )
    assert_near(only_video[:, :4], masked[:, :4])
    assert (only_video[:, 4:] - masked[:, 4:]).abs().max() > 0.01


def test_images_without_classes_of_their_own_have_the_videos(make):
    model, x, y = make(num_classes=3), noise(2, 6, 4, 8, 8), torch.tensor([2, 3])
    with torch.no_grad():
        out = model(x, TIMES, y, num_images=2)
        assert_near(model(x, TIMES, y, num_images=2, y_images=y[:, None].expand(2, 2)), out)
        other = model(x, TIMES, y, num_images=2, y_images=torch.tensor([[2, 0], [3, 3]]))
    changed = (other - out).abs().amax(dim=(2, 3, 4)) > 1e-3
    assert changed.tolist() == [[False] * 5 + [True], [False] * 6]


@pytest.mark.parametrize("image_attention", IMAGE_ATTENTIONS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_images_teach_what_they_pass(make, variant, image_attention):
    model = make(variant=variant, image_attention=image_attention)
    model(noise(2, 6, 4, 8, 8), TIMES, num_images=2)[:, 4:].square().sum().backward()
    untouched = {name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    if image_attention == "temporal-mask":
        # A softmax over one token is 1, whatever its query and key: their weights learn nothing,
        # but they lie in one tensor with the values'.
        assert untouched == set()
    elif variant in (1, 2):
        temporal = [f"blocks.{i}." for i, b in enumerate(model.blocks) if b.axis == "time"]
        assert all(name.startswith(tuple(temporal)) for name in untouched)
        assert len(untouched) == len(temporal) * len(list(model.blocks[0].parameters()))
    else:
        assert untouched == {n for n, _ in model.named_parameters() if "_temporal" in n}


@pytest.mark.parametrize("image_attention", IMAGE_ATTENTIONS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_checkpointed_activations_give_the_same_gradients(make, variant, image_attention):
    gradients = []
    for checkpointed in (False, True):
        model = make(variant=variant, image_attention=image_attention)
        model.checkpoint_activations = checkpointed
        recomputed = []
        model.blocks[1].mlp.register_forward_hook(lambda *_, seen=recomputed: seen.append(1))
        out = model(noise(2, 6, 4, 8, 8), TIMES, num_images=2)
        (out * noise(*out.shape, seed=1)).sum().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
        assert len(recomputed) == 1 + checkpointed
    for plain, recomputed in zip(*gradients, strict=True):
        assert torch.equal(plain, recomputed)


def test_images_cannot_join_tubes(make):
    model = make(patch_embedding="compression", num_classes=3)
    x, y = noise(2, 6, 4, 8, 8), torch.tensor([0, 1])
    with pytest.raises(ValueError, match="images cannot join"):
        model(x, TIMES, y, num_images=2)
    with torch.no_grad():  # none are not refused
        nobody = torch.zeros(2, 0, dtype=torch.long)
        assert_near(model(x[:, :4], TIMES, y, y_images=nobody), model(x[:, :4], TIMES, y))
