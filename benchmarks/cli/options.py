"""Every option of `latte-bench`, once. Imports nothing heavy.

An entry of the registry names its options by the keys of `OPTIONS`. All of them default to "not
given": the defaults are those of the runner's request.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from inspect import Parameter
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated, Any

import typer

from benchmarks.cells.scale import MEANINGS
from latte.data.errors import InputError
from latte.data.files import folder_if_used

SCALES = "tiny|small|paper"
METAVARS = {int: "N", float: "S", str: "NAME", Path: "DIR"}  # unless an option has its own


@dataclass(frozen=True)
class RunnerOption:
    """An option of a command: how it is written, and when it has an effect."""

    annotation: Any
    default: Any = None  # stands for "not given"
    parameter: str = ""  # field of the request; empty: the key
    paper_only: bool = False  # refused at other scales, which would ignore it
    flags: tuple[str, ...] = ()  # empty: made from the parameter


def _one(
    kind: Any, help_text: str, *flags: str, parameter: str = "", at_paper: bool = False, **more: Any
) -> RunnerOption:
    """An option with one value, or of a list with several; flags are on or off."""
    if kind in METAVARS:
        more.setdefault("metavar", METAVARS[kind])
    if kind == list[str]:
        help_text = f"{help_text} Repeatable."
    if at_paper:
        help_text = f"At paper scale: {help_text}"
    option = typer.Option(*flags, help=help_text, **more)
    annotation, default = (bool, False) if kind is bool else (kind | None, None)
    return RunnerOption(Annotated[annotation, option], default, parameter, at_paper, flags)


_at_paper = partial(_one, at_paper=True)
SCALE_HELP = "; ".join(f"{scale}: {meaning}" for scale, meaning in MEANINGS.items()) + "."
OPTIONS: Mapping[str, RunnerOption] = {
    # What is made, where, and how.
    "scale": _one(str, SCALE_HELP, metavar=SCALES),
    "optional_scale": _one(
        str,
        "Measure too. tiny: methods on the embedded data set, minutes on two cores; small: the "
        "same with more clips and steps, about an hour on two cores; paper: the published weights "
        "on the paper's data sets, on a GPU.",
        "--scale",
        metavar=SCALES,
        parameter="scale",
    ),
    "any_scale": _one(
        str,
        "Accepted for all tables; what is counted is the same at every scale.",
        "--scale",
        metavar=SCALES,
        parameter="scale",
    ),
    "seeds": _one(
        int,
        "Number of seeds: trainings, or draws of videos and samples. [default: of figures 3, and "
        "1 at paper scale; of tables 1]",
        min=1,
    ),
    "seed": _one(int, "Random seed. [default: 0]", min=0),
    "workers": _one(
        int, "Worker processes; 0 works in this one. [default: cores, at most 8]", min=0
    ),
    "device": _one(
        str, "auto, cpu, cuda or cuda:N. [default: cpu at tiny and for studies, else a GPU]"
    ),
    "out": _one(
        Path,
        "Folder for the documents. [default: results/NAME; at other scales than tiny "
        "results/NAME-SCALE]",
    ),
    "cells": _one(
        Path,
        "Folder of measured cells, which runners share. [default: results/methods for tables, "
        "results/trainings for figures; at other scales than tiny with -SCALE]",
    ),
    "store": _one(Path, "Folder that keeps features. [default: features beside the results]"),
    "results_folder": _one(
        Path,
        "Folder for the folders of all runners. [default: results]",
        "--results",
        parameter="out",
    ),
    # Videos, networks and results that are measured or shown.
    "results": _one(
        list[str], "Results file of latte-eval. [default: published figures alone]", metavar="FILE"
    ),
    "vbench_results": _one(
        list[str],
        "NAME_eval_results.json of VBench; files of one name make one row.",
        "--results",
        metavar="[NAME=]FILE",
        parameter="results",
    ),
    "vbench": _one(
        list[str], "results of VBench for table4.", metavar="[NAME=]FILE", at_paper=True
    ),
    "real": _one(
        Path,
        "Real videos: a folder of videos or of frame folders, or an array file. [default: shapes]",
        metavar="PATH",
    ),
    "fake": _one(Path, "Generated videos, likewise.", metavar="PATH"),
    "num_videos": _one(
        int, "Clips in each set. [default: 256 on shapes at tiny; else the protocol's]", min=2
    ),
    "num_clips": _one(
        int,
        "Clips that networks are shown. [default: 256; 64 at paper scale]",
        "--num-videos",
        "--num-clips",
        min=1,
    ),
    "checkpoint": _one(Path, "Another model of shapes. [default: the bundled one]", metavar="FILE"),
    "network_file": _one(
        Path,
        "A trained network of that variant, in place of trainings.",
        "--checkpoint",
        metavar="FILE",
        parameter="checkpoint",
    ),
    "network_vae": _one(
        str,
        "The networks' autoencoder, if not the one that they name.",
        "--vae",
        metavar="DIR|NAME",
        parameter="vae",
    ),
    "base": _one(
        str,
        "Protocol that each choice starts from. [default: shapes; stylegan-v with --real]",
        metavar="NAME|FILE",
    ),
    "settings": _one(
        list[str], "Change one field of that protocol.", "--set", metavar="FIELD=VALUE"
    ),
    "network": _one(str, "Network of clips. [default: the protocol's]", metavar="NAME"),
    "weights": _one(Path, "Weights of the network.", metavar="FILE"),
    "network_weights": _one(
        list[str], "Weights of a network.", "--weights", metavar="NETWORK=FILE", parameter="weights"
    ),
    "trust_weights": _one(
        bool,
        "Run weights that are TorchScript, which is code, even if their hash is not published.",
        "--trust-weights",
    ),
    "metrics": _one(list[str], "Only this metric. [default: all]", "--metric", metavar="NAME"),
    "draws": _one(int, "Undistorted sets for the baseline range. [default: 8]", min=3),
    "repetitions": _one(
        int, "Repetitions of each simulated case. [default: 300, about half an hour]", min=2
    ),
    "mutants": _one(int, "Damaged files of all kinds together. [default: 2500]", min=1),
    "kills": _one(int, "Number of kills. [default: 50]", min=1),
    "only": _one(list[str], "Only this kind of file, or this mutant.", metavar="KIND[:SEED]"),
    "keep": _one(Path, "Folder for the files of single mutants. [default: kept in --out]"),
    "models": _one(
        list[str], "Preset to time. [default: Latte-B/2 and XL/2]", "--model", metavar="NAME"
    ),
    "quick": _one(bool, "Only Latte-B/2, with few repetitions.", "--quick"),
    "tiny": _one(bool, "A small network on a few small clips: a minute or two.", "--tiny"),
    "small": _one(bool, "24 videos in each set and less memory: about fifteen minutes.", "--small"),
    "videos": _one(
        Path, "Videos that are cut into clips. [default: drawn ones, 256×256]", metavar="DIR"
    ),
    "compiled": RunnerOption(
        Annotated[bool | None, typer.Option("--compile/--no-compile", help="torch.compile too.")]
    ),
    "folder": RunnerOption(
        Annotated[Path, typer.Argument(metavar="RUN", help="Folder that `latte train` wrote.")],
        default=Parameter.empty,
    ),
    "fvd": _one(bool, "Measure FVD-shapes of every checkpoint too; for models of shapes.", "--fvd"),
    "steps": _one(int, "Steps of DDIM, for --fvd. [default: the demo's]", min=1),
    "guidance_scale": _one(float, "Guidance, for --fvd. [default: the demo's]", min=0),
    # Needed at the paper's settings.
    "data_root": _at_paper(Path, "folder of the data sets. [default: $LATTE_DATA, else ./data]"),
    "checkpoints": _at_paper(
        Path, "folder of the published models of Latte. [default: checkpoints]"
    ),
    "vae": _at_paper(
        str,
        "Stable Diffusion's autoencoder. [default: stabilityai/sd-vae-ft-ema]",
        metavar="DIR|NAME",
    ),
    "initialise_from": _at_paper(Path, "DiT-XL-2-256x256.pt, for figure5d.", metavar="FILE"),
    "executor": _at_paper(
        str,
        "where cells run: here, or as jobs of Slurm, all at the same time. [default: local]",
        metavar="local|slurm",
    ),
    "nodes": _at_paper(int, "nodes of one training. [default: 1]", min=1),
    "gpus": _at_paper(
        int,
        "GPUs of a training on each node; fewer make the same batch in several passes. "
        "[default: 8 over all nodes]",
        min=1,
    ),
    "job_gpus": _at_paper(
        int, "GPUs of a job of Slurm. [default: 1]", "--gpus", min=1, parameter="gpus"
    ),
    "slurm": _one(
        list[str], "option of sbatch, as partition=gpu.", metavar="NAME=VALUE", at_paper=True
    ),
    "only_available": _at_paper(
        bool, "run what can be run, and leave the rest empty.", "--only-available"
    ),
}


def parameters(keys: tuple[str, ...]) -> list[Parameter]:
    """The options of a command, as parameters of its function."""
    return [
        Parameter(
            field_of(key),
            Parameter.KEYWORD_ONLY,
            default=OPTIONS[key].default,
            annotation=OPTIONS[key].annotation,
        )
        for key in keys
    ]


def field_of(key: str) -> str:
    """The field of the request that an option gives."""
    return OPTIONS[key].parameter or key


def flag(key: str) -> str:
    """How an option is written.

    >>> flag("data_root"), flag("settings")
    ('--data-root', '--set')
    """
    flags = OPTIONS[key].flags
    return flags[0] if flags else f"--{key.replace('_', '-')}"


def documents_folder(name: str, out: Path | None, *, option: str = "--out") -> Path:
    """The folder for documents, checked before the work, created when there is something to write.

    Args:
        option: with which the user chooses it.

    Raises:
        InputError: a file is in the way, or the folder cannot be created or written.
    """
    folder = out if out is not None else Path("results") / name
    try:
        for place in (folder, *folder.parents):
            if place.exists() and not place.is_dir():
                raise InputError(f"{place} is a file, not a folder: choose another {option}")
        # Permissions do not say whether writing works: the superuser has all of them.
        with folder_if_used(folder), TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"{folder} is not a folder that can be written ({error.strerror or error}): choose "
            f"another {option}"
        ) from None
    return folder
