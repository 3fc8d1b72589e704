import errno
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from latte.autoencoder import open_autoencoder
from latte.config import LatteConfig
from latte.data.errors import InputError
from latte.data.sources import open_video_set
from latte.model import Latte
from latte.model.checkpoints import build_model, load_checkpoint, save_checkpoint
from latte.sampling import Sampler, SamplingOptions, folder, run
from latte.sampling.generate import open_diffusion
from latte.sampling.plan import SampleRequest


def sample(checkpoint, out, **options):
    request = {"num_samples": 5, "device": "cpu", "progress": False, **options}
    return run.sample(SampleRequest(checkpoint=checkpoint, out=out, **request))


def contents(root):
    """Bytes of every file that would be measured."""
    files = (path for path in root.rglob("*") if path.is_file() and path.name[0] != ".")
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def expected(path, indices, labels=None, **options):
    """What the generator itself gives."""
    options = SamplingOptions(steps=3, **options)
    sampler = Sampler(
        model=build_model(load_checkpoint(path)),
        diffusion=open_diffusion(options),
        autoencoder=open_autoencoder("identity"),
        options=options,
    )
    return list(sampler.clips(indices, labels))


@pytest.mark.parametrize("file_format", ["mkv", "png"])
def test_the_files_hold_what_was_generated(checkpoint_file, tmp_path, file_format):
    path, out = checkpoint_file(3), tmp_path / "out"
    report = sample(path, out, file_format=file_format)
    clips = expected(path, range(5), [0, 1, 2, 0, 1])
    videos = {video.name: video.read(range(4)) for video in open_video_set(out).videos}
    assert len(videos) == 5
    for index, (name, clip) in enumerate(
        zip(["ape", "bee", "cat", "ape", "bee"], clips, strict=True)
    ):
        assert np.array_equal(videos[f"{name}/{index:06d}"], clip)
    assert (report.wanted, report.num_frames, report.size, report.out) == (5, 4, 8, out)
    assert report.preview == tmp_path / "out.preview.png"
    assert report.preview.is_file()


def test_mp4_is_written_when_asked_for(checkpoint_file, tmp_path):
    sample(checkpoint_file(), tmp_path / "out", file_format="mp4", num_samples=2, fps=5.0)
    assert sorted(contents(tmp_path / "out")) == ["000000.mp4", "000001.mp4"]


def test_what_is_missing_is_made_again_alike(checkpoint_file, tmp_path, monkeypatch):
    path, out = checkpoint_file(3), tmp_path / "out"
    sample(path, out)
    whole = contents(out)
    for name in ("ape/000003.mkv", "bee/000001.mkv"):
        (out / name).unlink()
    written = []
    write = folder.SampleFolder.write

    def noted(self, index, clip):
        written.append(index)
        write(self, index, clip)

    monkeypatch.setattr(folder.SampleFolder, "write", noted)
    assert sample(path, out, batch_size=3).made == 2
    assert written == [1, 3]
    assert contents(out) == whole
    assert sample(path, out).made == 0


def test_an_interrupted_run_goes_on(checkpoint_file, tmp_path, monkeypatch):
    path, out, other = checkpoint_file(), tmp_path / "out", tmp_path / "other"
    write, count = folder.write_clip, 0

    def interrupted(*arguments, **options):
        nonlocal count
        count += 1
        if count == 3:
            raise KeyboardInterrupt
        write(*arguments, **options)

    monkeypatch.setattr(folder, "write_clip", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sample(path, out)
    assert sorted(contents(out)) == ["000000.mkv", "000001.mkv"]
    assert not (tmp_path / "out.preview.png").exists()
    monkeypatch.undo()
    assert sample(path, out).made == 3
    sample(path, other)
    assert contents(out) == contents(other)


def test_more_samples_extend_and_other_parts_join(checkpoint_file, tmp_path):
    path = checkpoint_file(3)
    sample(path, tmp_path / "a", num_samples=2, labels="random")
    assert sample(path, tmp_path / "a", labels="random").made == 3
    last = sample(path, tmp_path / "b", num_samples=2, start=3, labels="random")
    assert last.wanted == 2
    first = sample(path, tmp_path / "b", num_samples=3, labels="random")
    assert (first.wanted, first.present, first.extra) == (3, 3, 2)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_two_processes_make_the_files_of_one(checkpoint_file, tmp_path, monkeypatch):
    path = checkpoint_file(3)
    sample(path, tmp_path / "one")
    reports = []
    for rank in (0, 1):
        for name, value in (("RANK", rank), ("WORLD_SIZE", 2), ("LOCAL_RANK", rank)):
            monkeypatch.setenv(name, str(value))
        reports.append(sample(path, tmp_path / "two"))
    assert [report.made for report in reports] == [3, 2]
    assert reports[0].preview is None
    assert (reports[0].present, reports[0].wanted) == (3, 5)
    assert reports[1].preview == tmp_path / "two.preview.png"
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"options": {"steps": 4}}, r"out: .*steps 3 .*\b4\b.*--out"),
        ({"options": {"seed": 1}}, r"seed 0 .*\b1\b"),
        ({"options": {"guidance_scale": 2.0}}, r"guidance_scale 1\.0 .*\b2\.0\b"),
        ({"labels": "0"}, r"labels balanced .*\[0\]"),
        ({"precision": "bf16"}, "precision fp32 .*bf16"),
        ({"file_format": "png"}, "format mkv .*png"),
        ({"fps": 9.0}, r"fps 8\.0 .*\b9\.0\b"),
        ({"compile": True}, "compile False .*True"),
    ],
)
def test_other_settings_are_refused(checkpoint_file, tmp_path, change, sentence):
    path = checkpoint_file(3)
    sample(path, tmp_path / "out", num_samples=1)
    with pytest.raises(InputError, match=sentence):
        sample(path, tmp_path / "out", **change)


def test_another_checkpoint_is_refused(checkpoint_file, tmp_path):
    sample(checkpoint_file(3), tmp_path / "out", num_samples=1)
    with pytest.raises(InputError, match=r"out: .*\bcheckpoint [0-9a-f]{8} .*\b[0-9a-f]{8}\b"):
        sample(checkpoint_file(3, name="later.safetensors", step=9), tmp_path / "out")


def test_a_run_that_made_nothing_binds_nobody(checkpoint_file, tmp_path, monkeypatch):
    path, out = checkpoint_file(), tmp_path / "out"

    def stopped(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(folder, "write_clip", stopped)
    with pytest.raises(KeyboardInterrupt):
        sample(path, out)
    assert not out.exists()
    out.mkdir()
    with pytest.raises(KeyboardInterrupt):
        sample(path, out)
    assert list(out.iterdir()) == []
    monkeypatch.undo()
    assert sample(path, out, options={"steps": 2}, num_samples=1).made == 1


def test_the_record_says_how_the_samples_were_made(checkpoint_file, tmp_path):
    sample(checkpoint_file(3, step=70), tmp_path / "out", num_samples=1)
    record = json.loads((tmp_path / "out" / ".sampling.json").read_text())
    assert record["settings"] | {"checkpoint": None} == {
        "checkpoint": None,
        "autoencoder": "identity",
        "autoencoder_digest": None,
        "labels": "balanced",
        "method": "ddpm",
        "steps": 3,
        "eta": 0.0,
        "guidance_scale": 1.0,
        "guided": "noise",
        "seed": 0,
        "precision": "fp32",
        "compile": False,
        "device": "cpu",
        "format": "mkv",
        "fps": 8.0,
    }
    assert len(record["settings"]["checkpoint"]) == 64
    assert record["made_by"]["checkpoint"] == "tiny.safetensors"
    assert record["made_by"]["step"] == 70
    assert record["made_by"]["num_frames"] == 4


@pytest.mark.slow  # imports diffusers
def test_an_official_file_is_decoded_by_the_autoencoder_that_is_given(formula_state_dict, tmp_path):
    diffusers = pytest.importorskip("diffusers")
    torch.save({"ema": formula_state_dict(3)}, tmp_path / "ucf101.pt")
    vae = diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 8),
        norm_num_groups=4,
    )
    vae.save_pretrained(tmp_path / "vae")
    path, out = tmp_path / "ucf101.pt", tmp_path / "out"
    how = {"num_heads": 4, "options": {"steps": 2}, "num_samples": 2, "dataset": "ucf101"}
    with pytest.raises(InputError, match=r"ucf101\.pt: .*latents.*--autoencoder"):
        sample(path, out, **how)
    report = sample(path, out, autoencoder=str(tmp_path / "vae"), **how)
    assert (report.size, report.num_frames) == (16, 4)
    assert sorted(contents(out)) == ["000000.mkv", "000001.mkv"]
    settings = json.loads((out / ".sampling.json").read_text())["settings"]
    assert settings["guidance_scale"] == 7.0
    assert settings["autoencoder"] == "sd-vae"
    assert settings["autoencoder_digest"] == open_autoencoder("sd-vae", tmp_path / "vae").digest


def test_samples_are_those_of_one_autoencoder_wherever_it_lies(checkpoint_file, tmp_path, patches):
    digest, out = patches("a.safetensors"), tmp_path / "out"
    path = checkpoint_file(3, autoencoder={"name": "patches"})
    sample(path, out, num_samples=1, autoencoder=str(tmp_path / "a.safetensors"))
    record = json.loads((out / ".sampling.json").read_text())
    assert record["settings"]["autoencoder_digest"] == digest
    (tmp_path / "a.safetensors").rename(tmp_path / "b.safetensors")
    sample(path, out, num_samples=2, autoencoder=str(tmp_path / "b.safetensors"))
    patches("b.safetensors", seed=1)
    with pytest.raises(InputError, match=r"out: .*autoencoder_digest \w{8} .*\b[0-9a-f]{8}\b"):
        sample(path, out, num_samples=3, autoencoder=str(tmp_path / "b.safetensors"))


def test_the_autoencoder_of_the_training_is_not_exchanged_unseen(
    checkpoint_file, tmp_path, patches
):
    digest, file = patches("a.safetensors"), tmp_path / "a.safetensors"
    stated = {"name": "patches", "path": str(file), "digest": digest}
    path = checkpoint_file(3, autoencoder=stated)
    assert sample(path, tmp_path / "first", num_samples=1).made == 1
    patches("a.safetensors", seed=1)
    with pytest.raises(InputError) as refused:
        sample(path, tmp_path / "second", num_samples=1)
    assert str(refused.value) == (
        f"{path}: was trained with another autoencoder than {file} is now: bring that one back, "
        f"or take this one all the same with --autoencoder {file}"
    )
    assert not (tmp_path / "second").exists()
    assert sample(path, tmp_path / "second", num_samples=1, autoencoder=str(file)).made == 1
    older = checkpoint_file(3, autoencoder={"name": "patches", "path": str(file)})
    assert sample(older, tmp_path / "third", num_samples=1).made == 1


def test_an_autoencoder_of_other_latents_is_refused(checkpoint_file, tmp_path, formula_state_dict):
    torch.save(formula_state_dict(), tmp_path / "ffs.pt")
    with pytest.raises(InputError, match=r"ffs\.pt: .*\b4\b.*identity.*\b3\b.*--autoencoder"):
        sample(tmp_path / "ffs.pt", tmp_path / "out", num_heads=4, autoencoder="identity")
    assert not (tmp_path / "out").exists()


CUDA = torch.cuda.OutOfMemoryError("CUDA out of memory.")
CPU = "DefaultCPUAllocator: "


@pytest.mark.parametrize(
    ("error", "device", "batch_size", "sentence"),
    [
        (CUDA, "cuda:0", 8, r"memory.*cuda:0.*\b8 samples.*--batch-size 4"),
        (CUDA, "cuda:0", 1, "memory.*cuda:0.*one sample.*--precision bf16"),
        (
            RuntimeError(f"{CPU}not enough memory: you tried"),
            "cpu",
            8,
            r"memory.*cpu.*one sample",
        ),
        (RuntimeError(f"{CPU}can't allocate memory: you tried"), "cpu", 8, r"memory.*\bcpu\b"),
        (MemoryError(), "cpu", 8, r"memory.*\bcpu\b"),
    ],
)
def test_too_little_memory_is_one_sentence(
    checkpoint_file, tmp_path, monkeypatch, error, device, batch_size, sentence
):
    def full(*arguments, **options):
        raise error

    monkeypatch.setattr(run, "choose_device", lambda *arguments: torch.device(device))
    monkeypatch.setattr(run, "build_model", full)
    with pytest.raises(InputError, match=sentence):
        sample(checkpoint_file(), tmp_path / "out", batch_size=batch_size)
    assert not (tmp_path / "out").exists()


def test_a_machine_without_a_compiler_is_one_sentence(checkpoint_file, tmp_path, monkeypatch):
    class InductorError(RuntimeError):
        __module__ = "torch._inductor.exc"

    def broken(*arguments, **options):
        raise InductorError("InvalidCxxCompiler: none found\nSet TORCHDYNAMO_VERBOSE=1")

    monkeypatch.setattr(run, "build_model", broken)
    with pytest.raises(InputError, match=r"InvalidCxxCompiler: none found\b.*--compile"):
        sample(checkpoint_file(), tmp_path / "out", compile=True)


def test_other_faults_stay_faults(checkpoint_file, tmp_path, monkeypatch):
    def broken(*arguments, **options):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(run, "build_model", broken)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        sample(checkpoint_file(), tmp_path / "out")


def test_a_full_disk_names_the_file_and_keeps_what_is_there(checkpoint_file, tmp_path, monkeypatch):
    write, out = folder.write_clip, tmp_path / "out"

    def full(final, clip, **options):
        if final.stem == "000002":
            raise OSError(errno.ENOSPC, "No space left on device", str(final))
        write(final, clip, **options)

    monkeypatch.setattr(folder, "write_clip", full)
    with pytest.raises(OSError, match="No space left"):
        sample(checkpoint_file(), out)
    assert sorted(contents(out)) == ["000000.mkv", "000001.mkv"]


def test_without_a_checkpoint_the_bundled_one_is_used(checkpoint_file, tmp_path, monkeypatch):
    path = checkpoint_file(3)
    monkeypatch.setattr(run, "bundled_checkpoint", lambda: path)
    monkeypatch.chdir(tmp_path)
    assert sample(None, None, dataset="shapes", num_samples=1).out == Path("samples/shapes")
    with pytest.raises(InputError, match=r"no checkpoint.*taichi-hd.*--dataset taichi-hd"):
        sample(None, None, dataset="taichi-hd")


def test_odd_sides_cannot_be_h264(tmp_path):
    config = LatteConfig(9, 3, 3, 32, 2, 2, 4)
    save_checkpoint(tmp_path / "odd.safetensors", config, Latte(config).state_dict(), {})
    with pytest.raises(InputError, match=r"--format mp4: .*even.*9×9.*mkv"):
        sample(tmp_path / "odd.safetensors", tmp_path / "out", file_format="mp4")
    assert not (tmp_path / "out").exists()
