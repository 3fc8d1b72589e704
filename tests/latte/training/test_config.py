"""The bundled configurations are the paper's, and what is wrong with another is said at once."""

import tomllib
from dataclasses import asdict, fields
from pathlib import Path
from typing import get_type_hints

import pytest

from latte.config import PRESETS
from latte.data.datasets import DATASETS
from latte.data.errors import InputError
from latte.data.schema import convert
from latte.data.transforms import FILTERS, RECIPES
from latte.training.config import (
    ModelTable,
    TrainConfig,
    as_table,
    config_names,
    load_config,
    to_toml,
    with_settings,
)
from latte.training.state import changed_fields

PAPER = ("faceforensics", "skytimelapse", "taichi-hd", "ucf101")
# Steps before which gradients are not clipped: Vchitect/Latte b27c24a, configs/*/*_train.yaml.
CLIP_FROM = {
    "faceforensics": 20_000,
    "faceforensics-joint": 500_000,
    "skytimelapse": 20_000,
    "skytimelapse-joint": 20_000,
    "taichi-hd": 500_000,
    "taichi-hd-joint": 500_000,
    "ucf101": 100_000,
    "ucf101-joint": 100_000,
}


def test_the_bundled_configurations_are_listed():
    joint = [f"{name}-joint" for name in PAPER]
    assert config_names() == sorted([*PAPER, *joint, "shapes", "shapes-joint", "shapes-tiny"])


@pytest.mark.parametrize("name", config_names())
def test_every_configuration_loads_and_comes_back_from_its_own_text(name):
    config = load_config(name)
    assert load_config_text(to_toml(config)) == config
    assert config.data.dataset == next(known for known in DATASETS if name.startswith(known))
    assert config.data.recipe in ("none", *RECIPES)
    assert config.data.filter in FILTERS
    num_classes = DATASETS[config.data.dataset].num_classes
    latents = config.data.size // (8 if config.autoencoder.name == "sd-vae" else 1)
    network = config.model.latte_config(
        input_size=latents,
        in_channels=4 if config.autoencoder.name == "sd-vae" else 3,
        num_frames=config.data.num_frames,
        num_classes=num_classes,
    )
    assert (network.num_classes is None) == (not config.model.class_conditional)


def load_config_text(text):
    return convert(tomllib.loads(text), TrainConfig, "text")


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("name", PAPER)
def test_the_papers_runs_are_the_papers(name, joint):
    config = load_config(f"{name}-joint" if joint else name)
    model, data, training = config.model, config.data, config.training
    assert model.preset == "Latte-XL/2"
    assert model.class_conditional == (name == "ucf101")
    assert (data.dataset, data.split) == (name, "train+test" if name == "ucf101" else "train")
    assert (data.num_frames, data.stride, data.size, data.flip) == (16, 3, 256, True)
    assert data.images_per_clip == (8 if joint else 0)
    assert (config.autoencoder.name, config.autoencoder.path) == (
        "sd-vae",
        "stabilityai/sd-vae-ft-ema",
    )
    assert (config.diffusion.num_steps, config.diffusion.schedule) == (1000, "linear")
    assert training.batch_size == (4 if joint else 5)
    assert (training.accumulate, training.warmup_steps, training.decay) == (1, 0, "constant")
    assert (training.learning_rate, training.weight_decay, training.ema) == (1e-4, 0.0, 0.9999)
    assert training.clip_norm == 0.1
    assert training.clip_from_step == CLIP_FROM[f"{name}-joint" if joint else name]
    assert (training.label_dropout, training.seed) == (0.1, 3407)
    assert config.output.log_every == (100 if name == "faceforensics" else 50)
    assert config.output.guidance_scale == (7.0 if name == "ucf101" else 1.0)
    network = model.latte_config(
        input_size=32,
        in_channels=4,
        num_frames=16,
        num_classes=101 if name == "ucf101" else None,
    )
    assert asdict(network) | {"num_classes": None} == asdict(PRESETS["Latte-XL/2"])


def test_joint_runs_differ_in_nothing_else():
    for name in PAPER:
        alone, joint = load_config(name), load_config(f"{name}-joint")
        assert changed_fields(alone, joint).keys() <= {
            "data.images_per_clip",
            "training.batch_size",
            "training.clip_from_step",
        }


def test_sizes_take_the_place_of_the_presets_and_variants_keep_the_parameters():
    config = load_config("faceforensics", ["model.preset=Latte-B/2", "model.num_heads=8"])
    shape = {"input_size": 32, "in_channels": 4, "num_frames": 16, "num_classes": None}
    network = config.model.latte_config(**shape)
    assert (network.hidden_size, network.depth, network.num_heads) == (768, 12, 8)
    other = load_config("faceforensics", ["model.variant=3"]).model.latte_config(**shape)
    assert (other.variant, other.depth) == (3, 23)
    small = load_config("shapes-tiny", ["model.variant=4", "model.depth=8"])
    assert small.model.latte_config(**shape).depth == 7


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(to_toml(load_config("shapes-tiny", ['data.dataset="a \'b\' \\"c\\" ü"'])))
    config = load_config(str(path), ["training.steps=3"])
    assert config.data.dataset == "a 'b' \"c\" ü"
    assert config.training.steps == 3
    least = '[data]\ndataset = "videos"\n[training]\nsteps = 5\n[model]\npreset = "Latte-S/8"\n'
    path.write_text(least)
    config = load_config(str(path))
    assert (config.data.stride, config.autoencoder.name, config.training.ema) == (
        3,
        "sd-vae",
        0.9999,
    )


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("shapse", None, "no configuration is called 'shapse': did you mean shapes"),
        ("none.toml", None, "none.toml: no such file or directory: check the path"),
        ("mine.toml", "steps = ", "mine.toml: cannot be read as a TOML file (invalid value"),
        ("mine.toml", "", "mine.toml: object missing required field `data`"),
        ("mine.toml", "[modle]", "mine.toml: unknown field modle: did you mean model?"),
        ("mine.toml", "\xff", "mine.toml: cannot be read as a TOML file"),
    ],
)
def test_files_that_are_none_are_one_sentence(tmp_path, monkeypatch, name, text, sentence):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError) as refused:
        load_config(name)
    assert str(refused.value).startswith(sentence)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("model.preset=Latte-XL/3", "no model is called 'Latte-XL/3': did you mean Latt"),
        ("model.depth=0", "depth"),
        ("model.variant=five", "model.variant = 'five': known: 1, 2, 3, 4"),
        ("model.conditioning=adaln", "model.conditioning = 'adaln': did you mean s-adaln?"),
        ("data.stride=0", "stride"),
        ("data.images_per_clip=-1", "images_per_clip"),
        ("data.videos=3", "unknown field data.videos: did you mean num_videos"),
        ("autoencoder.name=vae", "autoencoder.name = 'vae': did you mean sd-vae?"),
        ("diffusion.schedule=x", "diffusion.schedule = 'x': known: cosine, linear"),
        ("training.steps=0", "steps"),
        ("training.accumulate=0", "accumulate"),
        ("training.learning_rate=0", "learning_rate"),
        ("training.learning_rate=inf", "training.learning_rate must be a finite number"),
        ("training.weight_decay=nan", "training.weight_decay must be a finite number"),
        ("training.weight_decay=-1", "weight_decay"),
        ("training.ema=1", "ema"),
        ("training.label_dropout=-0.1", "label_dropout"),
        ("training.precision=fp16", "training.precision = 'fp16': did you mean bf16 or fp32?"),
        ("output.log_every=0", "log_every"),
        ("output.guidance_scale=-1", "guidance_scale"),
        ("output.sample_every=-1", "sample_every"),
    ],
)
def test_values_that_make_no_sense_are_one_sentence(setting, sentence):
    with pytest.raises(InputError) as refused:
        load_config("shapes-tiny", [setting])
    assert str(refused.value).startswith("shapes-tiny")
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            ["model.patch_embedding=compression", "data.images_per_clip=2"],
            "shapes-tiny: .*images_per_clip.*patch_embedding",
        ),
        (
            ["model.conditioning=all-tokens", "model.initialise_from=dit.pt"],
            "shapes-tiny: .*initialise_from.*conditioning",
        ),
    ],
)
def test_what_excludes_each_other_is_said(settings, sentence):
    with pytest.raises(InputError, match=sentence):
        load_config("shapes-tiny", settings)


def test_a_model_needs_all_of_its_sizes():
    with pytest.raises(InputError, match=r"preset.*depth.*num_heads"):
        ModelTable(patch_size=2, hidden_size=8)


def test_a_table_has_every_field_that_is_set():
    table = as_table(load_config("shapes-tiny"))
    assert list(table) == [entry.name for entry in fields(TrainConfig)]
    assert table["training"]["seed"] == 3407
    assert "preset" not in table["model"]


def test_every_field_is_in_the_manual():
    manual = (Path(__file__).parents[3] / "docs" / "training.md").read_text(encoding="utf-8")
    for section in fields(TrainConfig):
        assert f"`[{section.name}]`" in manual
        for entry in fields(get_type_hints(TrainConfig)[section.name]):
            assert f"`{entry.name}`" in manual, entry.name
    for name in config_names():
        assert name.removesuffix("-joint") in manual


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("cup.size=3", 3),
        ("cup.size = 3", 3),
        ("cup.size=-1e-3", -1e-3),
        ("cup.size=1_000", 1000),
        ("cup.size=true", True),
        ('cup.size="true"', "true"),
        ("cup.size=Latte-XL/2", "Latte-XL/2"),
        ("cup.size=C:\\videos", "C:\\videos"),
        ("cup.size=a=b", "a=b"),
        ("cup.size=", ""),
    ],
)
def test_settings_are_read_as_toml_else_as_strings(setting, value):
    table = {"cup": {"size": 0, "hot": True}}
    changed = with_settings(table, [setting])
    assert changed == {"cup": {"size": value, "hot": True}}
    assert type(changed["cup"]["size"]) is type(value)
    assert table == {"cup": {"size": 0, "hot": True}}


def test_the_last_of_two_settings_counts_and_tables_are_made():
    assert with_settings({}, ["cup.size=1", "cup.size=2", "second.hot=false"]) == {
        "cup": {"size": 2},
        "second": {"hot": False},
    }


@pytest.mark.parametrize("setting", ["size=3", "cup.size", "=3", "cup.=3", ".size=3", ""])
def test_settings_of_another_form_are_refused(setting):
    with pytest.raises(InputError, match=r"--set .*TABLE\.FIELD=VALUE"):
        with_settings({}, [setting])


def test_a_setting_of_what_is_no_table_is_refused():
    with pytest.raises(InputError, match=r"--set number\.x=1: .*number .*table"):
        with_settings({"number": 7}, ["number.x=1"])
