"""`latte info` and `latte convert`."""

import json

import pytest
import torch

from latte.config import LatteConfig
from latte.model import Latte
from latte.model.checkpoints import build_model, load_checkpoint, save_checkpoint

SMALL = LatteConfig(8, 2, 4, 32, 2, 2, 4)
UCF = LatteConfig(8, 2, 4, 32, 2, 2, 4, num_classes=101)


@pytest.fixture
def run(latte):
    """Run one command: its exit code, what it printed, and its errors."""

    def call(*arguments):
        done = latte(*arguments)
        return done.returncode, done.stdout, done.stderr

    return call


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    """Official files, unconditional and of 101 classes."""
    folder = tmp_path_factory.mktemp("official")
    for name, config in (("ffs", SMALL), ("ucf101", UCF)):
        torch.save({"ema": Latte(config).state_dict()}, folder / f"{name}.pt")
    return folder


def test_the_overview_has_all_sizes_and_variants_beside_the_papers(run):
    code, out, _ = run("info")
    assert code == 0
    table = [line.split() for line in out.splitlines() if line.startswith("Latte-")]
    assert table == [
        ["Latte-S/2", "12", "384", "6", "32.4807", "32.48", "184.39", "187.26", "–"],
        ["Latte-B/2", "12", "768", "12", "129.5470", "129.54", "716.71", "728.21", "–"],
        ["Latte-L/2", "24", "1024", "16", "456.8156", "456.81", "2529.37", "2570.21", "–"],
        ["Latte-XL/2", "28", "1152", "16", "673.6816", "673.68", "3725.65", "3785.93", "–"],
        *(
            ["Latte-XL/2,", "variant", str(variant), *figures.split()]
            for variant, figures in enumerate(
                [
                    "28 1152 16 673.6816 673.68 3725.65 3785.93 5572.69",
                    "28 1152 16 673.6816 673.68 3725.65 3785.93 5572.69",
                    "23 1152 16 676.3289 676.33 4119.67 – 6153.15",
                    "23 1152 16 676.4348 676.44 4119.67 – 1545.15",
                ],
                start=1,
            )
        ),
    ]
    assert "another convention" in out


def test_json_holds_the_same_figures(run):
    record = json.loads(run("info", "--json")[1])
    assert [row["model"] for row in record["sizes"]][-1] == "Latte-XL/2"
    assert record["variants"][2]["parameters"] == 676_328_864
    assert record["variants"][2]["official_flops"] is None
    one = json.loads(run("info", "Latte-XL/2", "--json")[1])
    assert (one["parameters"], one["flops"]) == (673_681_568, 3_725_650_722_816)
    assert one["config"]["hidden_size"] == 1152
    assert one["settings"] == {}


def test_a_preset_can_be_changed(run):
    changes = ["--variant", "3", "--patch-embedding", "compression", "--conditioning"]
    changes += ["all-tokens", "--temporal-position", "rotary", "--num-classes", "101"]
    code, out, _ = run("info", "Latte-B/4", *changes)
    assert code == 0
    lines = dict(line.split("  ", 1) for line in out.splitlines()[2:])
    lines = {name: text.strip() for name, text in lines.items()}
    assert lines["network"] == "variant 3, 10 blocks, hidden size 768, 12 heads"
    assert lines["design"] == "compression patches, all-tokens, rotary positions in time"
    assert lines["input"] == "16 frames of 32×32×4, patches of 2×4×4"
    assert lines["condition"] == "101 classes"


def test_a_file_shows_its_settings(run, tmp_path):
    settings = {
        "dataset": "shapes",
        "classes": ["disc", "star"],
        "step": 1200,
        "autoencoder": {"name": "identity"},
        "sampling": {"guidance_scale": 2.0, "method": "ddim"},
        "training": {},
    }
    config = LatteConfig(8, 2, 3, 32, 2, 2, 4, num_classes=2)
    path = tmp_path / "ema.safetensors"
    save_checkpoint(path, config, Latte(config).state_dict(), settings)
    code, out, _ = run("info", path)
    assert code == 0
    lines = dict(line.split("  ", 1) for line in out.splitlines()[2:])
    lines = {name: text.strip() for name, text in lines.items()}
    assert lines["data set"] == "shapes"
    assert lines["classes"] == "disc, star"
    assert lines["step"] == "1200"
    assert lines["autoencoder"] == "name identity"
    assert lines["sampling"] == "guidance_scale 2.0, method ddim"
    assert lines["trained with"] == "–"
    assert json.loads(run("info", path, "--json")[1])["settings"] == settings


def test_an_official_file_is_described(run, official):
    code, out, _ = run("info", official / "ucf101.pt", "--num-heads", "2")
    assert code == 0
    assert "101 classes" in out
    assert "variant 1, 2 blocks, hidden size 32, 2 heads" in out


def test_a_converted_file_gives_the_same_network_and_says_how_to_sample(run, official, tmp_path):
    target = tmp_path / "new" / "ucf101.safetensors"
    arguments = ["--dataset", "ucf101", "--num-heads", "2"]
    code, out, _ = run("convert", official / "ucf101.pt", target, *arguments)
    assert (code, out) == (
        0,
        f"0.05 M parameters, 4 frames of 8×8×4, 101 classes, float32: {target}\n",
    )
    found, source = load_checkpoint(target), load_checkpoint(official / "ucf101.pt", 2)
    assert found.config == UCF
    assert found.settings == {
        "dataset": "ucf101",
        "fps": 8.0,
        "frame_size": 64,
        "autoencoder": {"name": "sd-vae"},
        "diffusion": {"num_steps": 1000, "schedule": "linear", "prediction": "noise"},
        "sampling": {"guidance_scale": 7.0, "method": "ddpm", "steps": 250},
    }
    built = build_model(found).state_dict()
    assert all(torch.equal(built[name], tensor) for name, tensor in source.state_dict.items())


def test_only_classes_are_guided(run, official, tmp_path):
    for name, dataset in (("ffs", "faceforensics"), ("ffs", "ucf101"), ("ucf101", None)):
        target = tmp_path / "a.safetensors"
        chosen = [] if dataset is None else ["--dataset", dataset]
        assert run("convert", official / f"{name}.pt", target, "--num-heads", 2, *chosen)[0] == 0
        settings = load_checkpoint(target).settings
        assert settings["sampling"]["guidance_scale"] == 1.0
        assert settings.get("dataset") == dataset


def test_the_autoencoder_is_found_from_anywhere(run, official, tmp_path, monkeypatch):
    (tmp_path / "vae").mkdir()
    monkeypatch.chdir(tmp_path)
    for vae, wanted in [
        ("vae", str(tmp_path / "vae")),
        ("maxin-cn/Latte/vae", "maxin-cn/Latte/vae"),
    ]:
        arguments = ["--num-heads", 2, "--vae", vae]
        assert run("convert", official / "ffs.pt", "a.safetensors", *arguments)[0] == 0
        found = load_checkpoint(tmp_path / "a.safetensors").settings
        assert found["autoencoder"] == {"name": "sd-vae", "path": wanted}


def test_half_precision_halves_the_file_and_our_files_keep_their_settings(run, official, tmp_path):
    whole, half = tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    arguments = ["--num-heads", 2, "--dataset", "taichi-hd"]
    assert run("convert", official / "ffs.pt", whole, *arguments)[0] == 0
    assert run("convert", whole, half, "--dtype", "bfloat16")[0] == 0
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    assert load_checkpoint(half).settings == load_checkpoint(whole).settings
    code, _, errors = run("convert", whole, half, "--dataset", "shapes")
    assert code == 2
    assert "has settings of its own" in errors


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["info", "Latte-Xl/2"], "no model is called 'Latte-Xl/2': did you mean Latte-XL/2"),
        (["info", "none.pt"], "none.pt: there is no such file, and no model is called so"),
        (["info", "--variant", "2"], "--variant changes one model: name it"),
        (["info", "Latte-S/2", "--variant", "5"], "variant = 5: known: 1, 2, 3, 4"),
        (["info", "{}/ffs.pt", "--num-classes", "3"], "--num-classes changes a preset"),
        (["info", "{}/ffs.pt"], "give it (num_heads, --num-heads)"),
        (["convert", "{}/ffs.pt", "out.pt"], "out.pt: give a name that ends in .safetensors"),
        (["convert", "{}/none.pt", "a.safetensors"], "there is no such file"),
        (["convert", "{}/ffs.pt", "a.safetensors", "--dtype", "int8"], "dtype int8: choose"),
        (
            ["convert", "{}/ffs.pt", "a.safetensors", "--num-heads", "2", "--dataset", "ucf"],
            'no data set "ucf": did you mean ucf101?',
        ),
        (
            ["convert", "{}/ucf101.pt", "a.safetensors", "--num-heads", "2", "--dataset", "shapes"],
            "has 10 classes, but the network has 101",
        ),
        (["convert", "{}/ffs.pt", "folder.safetensors"], "is a folder"),
    ],
)
def test_bad_input_is_one_sentence(arguments, sentence, run, official, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.safetensors").mkdir()
    code, out, errors = run(*(argument.format(official) for argument in arguments))
    assert (code, out) == (2, "")
    assert sentence in errors
    assert errors.count("\n") == 1
    assert [file.name for file in tmp_path.iterdir()] == ["folder.safetensors"]
