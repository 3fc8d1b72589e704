from pathlib import Path

import pytest

from latte.autoencoder import DEFAULT_VAE
from latte.config import LatteConfig
from latte.data.errors import InputError
from latte.diffusion import DiffusionSettings
from latte.model.checkpoints import Checkpoint
from latte.sampling.plan import SampleRequest, make_plan

OWN = {
    "dataset": "shapes",
    "classes": ["ape", "bee", "cat"],
    "fps": 12.5,
    "autoencoder": {"name": "identity"},
    "diffusion": {"num_steps": 500, "schedule": "cosine"},
    "sampling": {"method": "ddim", "steps": 50, "eta": 0.5, "guidance_scale": 4, "unknown": 1},
}


def checkpoint(num_classes=None, channels=3, **settings):
    config = LatteConfig(8, 4, channels, 32, 2, 2, 4, num_classes=num_classes)
    return Checkpoint(config=config, state_dict={}, settings=settings, path=Path("model.pt"))


def plan(model, **request):
    return make_plan(SampleRequest(**{"out": Path("out"), **request}), model)


def test_our_own_files_say_how_to_sample():
    made = plan(checkpoint(3, **OWN), out=None)
    assert (made.options.method, made.options.steps, made.options.eta) == ("ddim", 50, 0.5)
    assert made.options.guidance_scale == 4
    assert made.diffusion == DiffusionSettings(num_steps=500, schedule="cosine")
    assert (made.folder.fps, made.folder.file_format, made.precision) == (12.5, "mkv", "fp32")
    assert made.autoencoder == {"name": "identity"}
    assert made.folder.root == Path("samples/shapes")
    assert made.indices == range(16)
    labels = map(made.folder.label, (0, 1, 5))
    assert [made.folder.classes[label] for label in labels] == ["ape", "bee", "cat"]


def test_what_is_given_goes_before_what_the_file_says():
    options = {"method": "ddpm", "steps": 20, "guidance_scale": 1.0, "seed": None}
    made = plan(checkpoint(3, **OWN), options=options, fps=5.0, start=4, num_samples=3)
    assert (made.options.method, made.options.steps, made.options.eta) == ("ddpm", 20, 0.0)
    assert (made.options.guidance_scale, made.options.seed) == (1.0, 0)
    assert (made.folder.fps, made.indices) == (5.0, range(4, 7))


@pytest.mark.parametrize(
    ("dataset", "num_classes", "guidance_scale"),
    [("ucf101", 101, 7.0), ("ucf101", None, 1.0), ("skytimelapse", None, 1.0), (None, 10, 1.0)],
)
def test_official_files_are_sampled_as_officially(dataset, num_classes, guidance_scale):
    made = plan(checkpoint(num_classes, 4), dataset=dataset, autoencoder="some/vae")
    assert made.options.guidance_scale == guidance_scale
    assert (made.options.method, made.options.steps, made.folder.fps) == ("ddpm", 250, 8.0)
    assert made.diffusion == DiffusionSettings()
    assert made.autoencoder == {"name": "sd-vae", "path": "some/vae"}
    assert made.folder.classes is None


@pytest.mark.parametrize(
    ("given", "stated", "wanted"),
    [
        (None, {"name": "sd-vae", "path": "a/vae"}, ("sd-vae", "a/vae")),
        (None, {"name": "sd-vae"}, ("sd-vae", DEFAULT_VAE)),
        ("b/vae", {"name": "sd-vae", "path": "a/vae"}, ("sd-vae", "b/vae")),
        ("sd-vae", {}, ("sd-vae", DEFAULT_VAE)),
        ("identity", {"name": "sd-vae"}, ("identity", None)),
    ],
)
def test_where_the_autoencoder_comes_from(given, stated, wanted):
    made = plan(checkpoint(None, 4, autoencoder=stated), autoencoder=given)
    assert (made.autoencoder["name"], made.autoencoder.get("path")) == wanted


def test_the_autoencoder_of_the_training_is_meant_unless_another_is_named():
    model = checkpoint(None, 4, autoencoder={"name": "sd-vae", "path": "a/vae", "digest": "1a"})
    assert plan(model).autoencoder["digest"] == "1a"
    assert "digest" not in plan(model, autoencoder="b/vae").autoencoder
    assert "digest" not in plan(checkpoint(None, 4, autoencoder={"name": "sd-vae"})).autoencoder


def test_latents_without_an_autoencoder_are_refused_and_frames_need_none():
    assert plan(checkpoint(None, 3)).autoencoder == {"name": "identity"}
    with pytest.raises(InputError, match=rf"model\.pt: .*--autoencoder {DEFAULT_VAE}"):
        plan(checkpoint(None, 4))


def test_as_many_samples_as_labels_unless_told_otherwise():
    model = checkpoint(3, **OWN)
    assert plan(model, labels="cat,ape").indices == range(2)
    longer = plan(model, labels="cat,ape", num_samples=5, start=1)
    assert [longer.folder.label(index) for index in longer.indices] == [0, 2, 0, 2, 0]


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({"file_format": "gif"}, "format.*gif.*mkv, png, mp4"),
        ({"precision": "fp8"}, "precision.*fp8.*fp32, bf16, fp16"),
        ({"dataset": "ucf101"}, r"model\.pt: .*shapes.*ucf101.*--dataset"),
        ({"options": {"method": "dpm"}}, "method.*dpm.*did you mean ddpm"),
        ({"labels": "dog"}, "class.*dog.*ape, bee, cat"),
        ({"labels": "0,1,2", "num_samples": 2}, r"--labels .*\b3 labels.*\b2 samples"),
        ({"num_samples": 0}, r"\b0 samples.*\b0\b"),
        ({"start": -1}, r"\b16 samples.*-1\b"),
        ({"fps": 0.0}, r"fps.*0\.0"),
        ({"fps": float("inf")}, r"fps.*\binf\b"),
    ],
)
def test_what_does_not_suit_the_checkpoint_is_refused(request_, sentence):
    with pytest.raises(InputError, match=sentence):
        plan(checkpoint(3, **OWN), **request_)


def test_a_data_set_must_be_known_or_the_checkpoints_own():
    assert plan(checkpoint(dataset="my cats"), dataset="my cats", out=None).folder.root == Path(
        "samples/my cats"
    )
    assert plan(checkpoint(dataset="/data/cats"), out=None).folder.root == Path("samples/cats")
    assert plan(checkpoint(dataset="/data/ucf"), dataset="ucf101").folder.root == Path("out")
    with pytest.raises(InputError, match=r"\bucf10\b.*did you mean ucf101"):
        plan(checkpoint(), dataset="ucf10")
    with pytest.raises(InputError, match=r"--out DIR.*--dataset NAME.*samples/NAME"):
        plan(checkpoint(), out=None)


def test_guidance_without_classes_is_refused_where_it_is_asked_for():
    assert not plan(checkpoint(sampling={"guidance_scale": 4.0})).options.is_guided
    with pytest.raises(InputError, match=r"guidance_scale.*\b3\b.*no classes"):
        plan(checkpoint(), options={"guidance_scale": 3.0})


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"sampling": {"steps": "many"}}, "model.pt: settings.sampling: .*steps"),
        ({"sampling": {"eta": None}}, "model.pt: settings.sampling: .*eta"),
        ({"diffusion": {"num_steps": "1000"}}, "model.pt: settings.diffusion: .*num_steps"),
    ],
)
def test_settings_that_are_none_name_the_file(settings, sentence):
    with pytest.raises(InputError, match=sentence):
        plan(checkpoint(**settings))


def test_what_the_network_predicts_is_taken_from_its_file():
    stated = {"diffusion": {"num_steps": 1000, "schedule": "linear", "prediction": "velocity"}}
    assert plan(checkpoint(**(OWN | stated), num_classes=3)).diffusion.prediction == "velocity"
