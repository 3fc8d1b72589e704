"""The registry of runners: every table, figure and study that `latte-bench` can make.

The command line, `reproduce`, `report`, the README's table and the environments of tox are made
from these entries or checked against them. They are data: a module is imported when it runs.

A runner's module has `run(out: Path, request: Request, *panels: str)`. The fields of the request
have the names of the command's options, and their defaults.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from benchmarks.cells.scale import SCALES, Scale


@dataclass(frozen=True, kw_only=True)
class Runner:
    """One table, figure or study."""

    name: str  # name of the command, its folder and its files
    alias: str = ""  # another name of the command
    shows: str = ""  # part of the paper: "Table 3"; empty for our own studies
    topic: str = ""  # heads its section; empty where the report has none
    summary: str  # the first line of its help
    details: str = ""  # the rest of it
    needs: str = "nothing"
    kind: Literal["table", "figure", "study"]
    scales: tuple[Scale, ...] = ()  # empty: the results are the same at every scale
    options: tuple[str, ...]  # keys of `benchmarks.cli.options.OPTIONS`
    module: str
    request: str = ""  # "module:class"; empty where the module takes no request
    panels: tuple[str, ...] = ()  # letters of the panels of a figure
    reproduced: bool = True  # `latte-bench reproduce` runs it
    reproduce_options: tuple[str, ...] = ()  # words of its command there

    @property
    def title(self) -> str:
        """Title of its section in the report: "Figure 5a: Patch embedding"."""
        if not self.topic:
            return ""
        panel = self.panels[0] if len(self.panels) == 1 else ""
        return f"{self.shows}{panel}: {self.topic}" if self.shows else self.topic

    @property
    def measures_only_if_asked(self) -> bool:
        """Whether it shows published figures alone unless a scale is given."""
        return "optional_scale" in self.options

    @property
    def help(self) -> str:
        """What `latte-bench NAME --help` says."""
        also = f"Also called {self.alias}." if self.alias else ""
        return "\n\n".join(part for part in (f"{self.summary}.", self.details, also) if part)

    def run(self, out: Path, options: Mapping[str, Any]) -> None:
        """Make its documents in a folder.

        Args:
            options: fields of its request that are not the default.
        """
        run = import_module(self.module).run
        if not self.request:
            run(out)
            return
        module, _, name = self.request.partition(":")
        run(out, getattr(import_module(module), name)(**options), *self.panels)


def _keys(text: str) -> tuple[str, ...]:
    return tuple(text.split())


TABLE_OPTIONS = _keys("optional_scale seeds num_videos checkpoint workers device cells store out")
PAPER_TABLE_OPTIONS = _keys("checkpoints data_root vae executor job_gpus slurm only_available")
TRAINING_OPTIONS = _keys(
    "scale seeds out cells workers device data_root initialise_from vae executor nodes gpus slurm "
    "only_available"
)
SIMILARITY_OPTIONS = _keys(
    "scale seeds network_file num_clips out cells workers device data_root network_vae"
)
_closed_form = partial(
    Runner,
    kind="table",
    details="Computed from the architecture; nothing is trained or measured.",
    options=_keys("any_scale out"),
)
_published_table = partial(
    Runner,
    kind="table",
    scales=SCALES,
    needs="nothing; a results file for your rows",
    request="benchmarks.tables.request:TableRequest",
)
_training_figure = partial(
    Runner,
    kind="figure",
    scales=SCALES,
    details="Trains the designs that are not trained yet, and tests the paper's claims.",
    needs="nothing at tiny; a GPU at small",
    options=TRAINING_OPTIONS,
    request="benchmarks.figures.requests:TrainingRequest",
)
_similarity_figure = partial(
    Runner,
    kind="figure",
    scales=SCALES,
    details="Uses the networks of Figure 5f and tests the paper's claims.",
    needs="nothing at tiny; a GPU at small",
    options=SIMILARITY_OPTIONS,
    request="benchmarks.figures.requests:SimilarityRequest",
)


def _study(*, request: str = "", module: str = "", **fields: Any) -> Runner:
    """A study; its module is that of its request, if it has one."""
    module = module or request.partition(":")[0]
    return Runner(kind="study", module=module, request=request, **fields)


def _panel(letter: str, alias: str, topic: str, summary: str) -> Runner:
    return _training_figure(
        name=f"figure5{letter}",
        alias=alias,
        shows="Figure 5",
        topic=topic,
        summary=f"{summary}: FVD over training",
        module="benchmarks.figures.figure5",
        panels=(letter,),
        reproduced=False,  # `figure5` runs all panels
    )


PANELS = (
    _panel("a", "patches", "Patch embedding", "Uniform or compression frame patch embedding"),
    _panel("b", "conditioning", "Timestep and class", "Conditioning by S-AdaLN or all tokens"),
    _panel("c", "positions", "Temporal positions", "Absolute or rotary positions in time"),
    _panel("d", "initialisation", "Initialisation", "Random weights or an image model's"),
    _panel("e", "interval", "Sampling interval", "Sampling interval of the clips"),
    _panel("f", "architectures", "Variants", "The four variants of the architecture"),
)
# The paper's third version, in its order, then our own studies.
_ENTRIES = (
    _closed_form(
        name="table1",
        alias="variants",
        shows="Table 1",
        topic="Variants",
        summary="Parameters and FLOPs of the four variants, the paper's and ours",
        module="benchmarks.tables.table1",
    ),
    _closed_form(
        name="table2",
        alias="sizes",
        shows="Table 2",
        topic="Sizes",
        summary="Layers, width, heads and parameters of the sizes, the paper's and ours",
        module="benchmarks.tables.table2",
    ),
    _published_table(
        name="table3",
        alias="fvd",
        shows="Table 3",
        topic="FVD",
        summary="FVD of methods × data sets, the paper's and yours",
        details="latte-bench table3 --results results.jsonl\n\nlatte-bench table3 --scale tiny",
        options=("results", *TABLE_OPTIONS, *PAPER_TABLE_OPTIONS),
        module="benchmarks.tables.table3",
    ),
    _published_table(
        name="table4",
        alias="vbench",
        shows="Table 4",
        topic="VBench",
        summary="VBench's dimensions of text-to-video models, the paper's and yours",
        details=(
            "VBench's own package measures; its results stand below the paper's. At the scales "
            "tiny and small VBench's formulas are measured on shapes too, with stand-ins for its "
            'networks.\n\nlatte-bench table4 --results "my model=results_eval_results.json"\n\n'
            "latte-bench table4 --scale tiny"
        ),
        options=("vbench_results", *TABLE_OPTIONS),
        module="benchmarks.tables.table4",
    ),
    _training_figure(
        name="figure5",
        alias="ablations",
        shows="Figure 5",
        summary="All six ablations of Figure 5",
        module="benchmarks.figures.figure5",
        panels=("a", "b", "c", "d", "e", "f"),
    ),
    *PANELS,
    _similarity_figure(
        name="figure6",
        alias="spatial-blocks",
        shows="Figure 6",
        topic="Spatial blocks of variant 2",
        summary="Similarity of frames after the spatial blocks of variant 2",
        module="benchmarks.figures.figure6",
    ),
    _training_figure(
        name="figure7",
        alias="model-sizes",
        shows="Figure 7",
        topic="Model size",
        summary="Sizes S, B, L and XL: FVD over training",
        module="benchmarks.figures.figure7",
    ),
    _similarity_figure(
        name="figure8",
        alias="attentions",
        shows="Figure 8",
        topic="Attentions of variant 4",
        summary="Similarity of frames after both attentions of variant 4",
        module="benchmarks.figures.figure8",
    ),
    _published_table(
        name="table5",
        alias="is-fid",
        shows="Table 5",
        topic="IS and FID",
        summary="Inception Score on UCF101 and FID on FaceForensics, the paper's and yours",
        details="latte-bench table5 --results results.jsonl\n\nlatte-bench table5 --scale tiny",
        options=("results", *TABLE_OPTIONS, *PAPER_TABLE_OPTIONS, "trust_weights"),
        module="benchmarks.tables.table5",
    ),
    _training_figure(
        name="intext",
        alias="masks",
        shows="In the text",
        topic="joint training and text-to-video",
        summary="Masks of joint training, and the paper's figures of text-to-video",
        module="benchmarks.figures.masks",
    ),
    _study(
        name="demo",
        topic="Demo",
        summary="Every metric on a small Latte and on stand-in generators: a report in minutes",
        details="Uses the embedded data set and networks: no download, no GPU, no network access.",
        options=_keys("num_videos workers seed device store checkpoint out"),
        request="benchmarks.demo.run:DemoRequest",
    ),
    _study(
        name="protocols",
        topic="How far a choice of the protocol moves FVD",
        summary="How far each single choice of a protocol moves FVD",
        details=(
            "Stride, resizing, storage, which and how many clips, layer, covariance, one at a "
            "time: a table and a tornado chart. About five minutes on two cores.\n\n"
            "latte-bench protocols --real real_videos/ --fake my_videos/ --base latte"
        ),
        needs="nothing on shapes; --real and --fake for your videos",
        options=_keys(
            "real fake base settings network weights trust_weights num_videos workers device "
            "store out"
        ),
        request="benchmarks.studies.protocols.run:ProtocolsRequest",
    ),
    _study(
        name="sensitivity",
        topic="Sensitivity: which metric sees what",
        summary="Which metric sees what: distorted real videos by every metric",
        details=(
            "Blur, noise, JPEG, … in space, freezing, shuffling, speed, … in time, at growing "
            "strength, and from which strength on each metric notices. About five minutes on two "
            "cores.\n\nlatte-bench sensitivity --metric fvd --metric fid"
        ),
        needs="nothing on shapes; --real for your videos",
        options=_keys(
            "real network network_weights trust_weights metrics num_videos draws workers seed "
            "device store out"
        ),
        request="benchmarks.studies.sensitivity.run:SensitivityRequest",
    ),
    _study(
        name="coverage",
        topic="Coverage of intervals",
        summary="How often the 95 % intervals cover the true value, in simulations",
        options=_keys("repetitions workers out"),
        request="benchmarks.studies.coverage:CoverageRequest",
        reproduce_options=("--repetitions", "60"),  # 300 take half an hour
    ),
    _study(
        name="speed",
        topic="Speed and memory",
        summary="Time and memory of the evaluation, beside cd-fvd, scripts and what is promised",
        details="With 96 videos in each set it takes forty minutes.\n\n"
        "latte-bench speed --small --videos my_videos/",
        needs="nothing; --videos for real ones, cd-fvd for its rows",
        options=_keys("tiny small videos workers out"),
        request="benchmarks.studies.speed.evaluation:SpeedRequest",
        reproduce_options=("--tiny",),
    ),
    _study(
        name="speed-generator",
        topic="Speed of the generator",
        summary="Time and memory of the generator on this machine, beside other implementations",
        details="Forward, training step and sampling, as ratios within one run.",
        options=_keys("models quick compiled device out"),
        request="benchmarks.studies.speed.generator:GeneratorSpeedRequest",
        reproduced=False,
    ),
    _study(
        name="torture",
        topic="Damaged files",
        summary="Thousands of damaged files by seeds: measured, refused, crashed, hung",
        details="Takes twenty minutes.\n\nlatte-bench torture --only h264-mp4:17 --keep mutants",
        options=_keys("mutants only keep workers out"),
        request="benchmarks.studies.torture.run:TortureRequest",
        reproduced=False,
    ),
    _study(
        name="kills",
        topic="Killed measurements",
        summary="Measurements whose processes are killed at random moments, and started again",
        options=_keys("kills num_videos out"),
        request="benchmarks.studies.kills.run:KillsRequest",
        reproduced=False,
    ),
    _study(
        name="training",
        summary="What a run of `latte train` did: losses, measurements, samples",
        details="latte-bench training runs/shapes --fvd",
        needs="the folder of a training",
        options=_keys("folder fvd num_videos steps guidance_scale workers device store out"),
        request="benchmarks.studies.training.run:TrainingReportRequest",
        reproduced=False,
    ),
)
RUNNERS: Mapping[str, Runner] = {runner.name: runner for runner in _ENTRIES}
SECTIONS = tuple(runner for runner in _ENTRIES if runner.title)  # the report has them in this order
REPRODUCED = tuple(runner for runner in _ENTRIES if runner.reproduced)


def runners_table() -> str:
    """The runners as a table in Markdown, for the README; panels stand with their figure."""
    lines = ["| Command | What it shows | What it needs |", "| --- | --- | --- |"]
    for runner in RUNNERS.values():
        if runner not in PANELS:
            names = [runner.name, runner.alias] if runner.alias else [runner.name]
            if len(runner.panels) > 1:
                names += [panel.name for panel in PANELS]
            written = ", ".join(f"`{name}`" for name in names)
            lines.append(f"| {written} | {runner.summary} | {runner.needs} |")
    return "\n".join(lines) + "\n"
