"""The documents of Figures 5 and 7 and of the text, from cells as trainings would leave them."""

import csv
import pickle
import re
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.cells.cache import CellRecord, MeasuredCells
from benchmarks.cells.executors import read_job
from benchmarks.figures import figure5, figure7, masks
from benchmarks.figures.curves.curves import CurveFigure
from benchmarks.figures.curves.documents import curve_document, label_styles
from benchmarks.figures.designs import SETUPS, SIZES, DesignCells
from benchmarks.figures.paper.cells import job_commands
from benchmarks.figures.requests import TrainingRequest
from benchmarks.figures.trainings import Training
from benchmarks.runners import RUNNERS
from latte.training.config import load_config

FIGURES = [*figure5.figures().values(), figure7.figure(), masks.figure()]


def cell(figure: CurveFigure, label: str, seed: int, folder: Path, factor: float) -> CellRecord:
    """Distances that fall from 300·f to 60·f, with other noise for each seed."""
    design = figure.designs[label]
    training = Training(design=design, setup=SETUPS["tiny"], seed=seed, folder=folder)
    noise = 1 + 0.01 * seed
    rows = [
        [step, value * factor * noise, value * factor * 0.9, value * factor * 1.1]
        for step, value in zip(training.steps, (300, 200, 120, 90, 60), strict=True)
    ]
    return CellRecord(
        key=training.key,
        name=training.name,
        value=rows[-1][1],
        interval=(rows[-1][2], rows[-1][3]),
        seconds=80.0,
        details={
            "points": [rows] * len(training.strides),
            "fid": [20 * factor * noise, 19 * factor, 21 * factor],
            "fingerprint": "0123456789ab",
            "parameters": 1,
            "mse": [],
        },
        provenance={"date": "2024-01-05", "versions": {"torch": "2"}, "host": {"cores": 2}},
    )


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """A folder with the cells of three seeds: each design is 10 % worse than the one before."""
    folder = tmp_path / "trainings"
    folder.mkdir()
    found: dict[str, CellRecord] = {}
    for figure in FIGURES:
        for place, label in enumerate(figure.designs):
            for seed in range(3):
                made = cell(figure, label, seed, folder, 1.1**place)
                found.setdefault(made.key, made)  # the baseline's, of the first figure
    lines = "".join(each.to_json() + "\n" for each in found.values())
    (folder / "cells.jsonl").write_text(lines, encoding="utf-8")
    return folder


@pytest.fixture
def bench(run_cli, cells: Path, tmp_path: Path):
    """Runner of a figure on the cells, with its documents in the folder `o`."""
    return lambda *words: run_cli("latte-bench", *words, "--cells", cells, "--out", tmp_path / "o")


def test_several_figures_share_a_chart_and_judge_the_papers_claims(
    cells: Path, tmp_path: Path, section, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    found = figure5.run(out, TrainingRequest(cells=cells), "b", "f")
    printed = capsys.readouterr().out
    assert all(claim.line in printed for claim in found)
    assert found[0].measured.verdict == "yes"
    for fact in ("all tokens ÷ S-AdaLN = 1.10 [1.10, 1.10] at step 800", "3 of 3 seeds"):
        assert fact in found[0].measured.numbers
    assert {claim.claim: claim.measured.verdict for claim in found[2:]} == {
        "Variant 1 has the lowest FVD at the end": "yes",
        "Then come variant 3, variant 2, variant 4": "no",
        "Variant 4 has the highest FVD at the end": "yes",
    }
    for ending in ("md", "html", "tex", "csv", "svg", "png", "jsonl"):
        assert (out / f"figure5f.{ending}").stat().st_size > 0
    each, together = section(out, "figure5f"), section(out, "figure5")
    assert each.title == RUNNERS["figure5f"].title == "Figure 5f: Variants"
    assert [claim.verdict for claim in each.findings] == ["yes", "no", "yes"]
    assert [getattr(block, "name", None) for block in each.blocks[:2]] == ["figure5f", None]
    assert together.findings == ()  # each is told once
    assert "4 yes, 1 no" in together.lead
    chart, made = together.blocks
    assert chart.name == "figure5"
    assert "95 %" in chart.caption
    assert "±" not in chart.caption  # tables have it, drawings do not
    # The baseline, which both figures show, is counted once.
    _, measured = made.records
    assert measured.details["cells"].startswith("15 ")
    assert measured.seconds == 15 * 80
    with (out / "figure5.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["panel"] for row in rows] == ["(b) Timestep and class"] * 10 + ["(f) Variants"] * 20
    # Exactly the cells that are shown, as they are in the common file.
    lines = (out / "figure5b.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 6
    assert set(lines) <= set((cells / "cells.jsonl").read_text(encoding="utf-8").splitlines())


def test_a_table_has_the_mean_over_seeds_at_every_checkpoint(bench, tmp_path: Path) -> None:
    assert bench("patches").returncode == 0
    text = (tmp_path / "o" / "figure5a.md").read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith("| uniform frame"))
    # 60, 60.6, 61.2: the geometric mean, with Student's interval.
    assert "60.60 ± 1.49**" in line
    assert "Tubes" in text.title()
    assert "<table" in (tmp_path / "o" / "figure5a.html").read_text(encoding="utf-8")
    assert r"\toprule" in (tmp_path / "o" / "figure5a.tex").read_text(encoding="utf-8")


def test_figure7_orders_its_sizes(bench, tmp_path: Path, section) -> None:
    assert bench("figure7").returncode == 0
    (larger, *_) = section(tmp_path / "o", "figure7").findings
    assert larger.verdict == "no"


def test_the_baseline_looks_the_same_under_each_of_its_labels() -> None:
    labels = ("uniform frame", "S-AdaLN", "absolute", "random", "interval 1", "variant 1")
    figures = [*figure5.figures().values()]
    styles = label_styles([*figures, figure7.figure(), masks.figure()], "tiny")
    (look,) = {styles[label] for label in (*labels, "Latte-B", "videos alone")}
    others = [each for label, each in styles.items() if each != look]
    assert len(others) == len(styles) - 8


def test_sizes_are_as_many_times_larger_as_the_papers() -> None:
    for scale in ("tiny", "small"):
        models = [SETUPS[scale].config_of(size).model for size in SIZES.values()]
        weights = [18 * table.hidden_size**2 * table.depth for table in models]
        ratios = [weight / weights[0] for weight in weights]
        assert ratios == pytest.approx([1, 4, 14, 21], rel=0.1)


def test_intext_keeps_published_and_measured_apart(bench, tmp_path: Path, section) -> None:
    assert bench("intext").returncode == 0
    with (tmp_path / "o" / "intext.csv").open(encoding="utf-8", newline="") as file:
        rows = {(row["row"], row["column"]): row for row in csv.DictReader(file)}
    mask = "zero-shot UCF101, joint training mask Temporal Mask"
    assert rows[mask, "FVD"]["value"] == "589.86"
    assert rows[mask, "FVD-shapes"]["reason"]
    assert rows["Temporal Mask", "FVD"]["reason"]
    assert float(rows["Temporal Mask", "FID-shapes"]["value"]) == pytest.approx(
        20.2 * 1.1, rel=1e-3
    )
    # One section for figure and table, with every claim once.
    assert [path.name for path in (tmp_path / "o").glob("*.report.json")] == ["intext.report.json"]
    report = section(tmp_path / "o", "intext")
    title = "In the text: joint training and text-to-video"
    assert report.title == RUNNERS["intext"].title == title
    assert [claim.verdict for claim in report.findings] == ["no"] * 4
    text = (tmp_path / "o" / "intext.md").read_text(encoding="utf-8")
    assert all(claim.claim in text for claim in report.findings)
    assert report.blocks[0].name == "intext-masks"
    published, *made = report.blocks[-1].records
    assert "published" in published.details
    assert sum(record.command is not None for record in made) == 1
    assert all(claim.claim in report.lead for claim in report.findings)


def test_one_seed_is_shown_with_the_interval_of_its_samples(bench, tmp_path: Path, section) -> None:
    done = bench("figure5c", "--seeds", 1)
    assert done.returncode == 0
    assert "60.00 ± 6.00" in done.stdout
    (claim,) = section(tmp_path / "o", "figure5c").findings
    assert claim.verdict == "not decided"


def test_two_results_for_one_cell_are_refused_and_nothing_is_written(
    bench, cells: Path, tmp_path: Path
) -> None:
    path = cells / "cells.jsonl"
    first = path.read_text(encoding="utf-8").splitlines()[0]
    with path.open("a", encoding="utf-8") as file:
        file.write(first + "\n")
    done = bench("figure5a")
    assert done.returncode == 2
    assert f"{path}, lines 1 and " in done.stderr
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("points", ["[]", "[[]]", "[[[160, 0.0, 1.0, 2.0]]]", "null"])
def test_a_cell_that_was_changed_by_hand_is_named(bench, cells: Path, points: str) -> None:
    path = cells / "cells.jsonl"
    text = re.sub(r'"points": .*?, "fid"', f'"points": {points}, "fid"', path.read_text())
    path.write_text(text)
    done = bench("figure5a")
    assert done.returncode == 2
    assert "(baseline, seed 0): " in done.stderr


@pytest.mark.parametrize(
    "changed", ['"fid": [20.0]', '"fid": null', '"deviations": [{"field": 1}], "fid": [2, 1, 3]']
)
def test_other_details_of_cells_are_checked_as_well(bench, cells: Path, changed: str) -> None:
    path = cells / "cells.jsonl"
    path.write_text(re.sub(r'"fid": \[.*?\]', changed, path.read_text()))
    done = bench("intext")
    assert done.returncode == 2
    assert ", seed 0): remove its line, and it is measured again: " in done.stderr


def train_commands(cells: Path) -> list[list[str]]:
    """The trainings of the jobs beside the cells."""
    return [job_commands(read_job(path))[0] for path in sorted((cells / "jobs").glob("*.json"))]


def test_at_paper_scale_all_that_is_missing_is_said_and_the_jobs_are_written(
    tmp_path: Path, run_cli
) -> None:
    place = ("--cells", tmp_path / "cells", "--data-root", tmp_path, "--out", tmp_path / "o")
    none = {"LATTE_WEIGHTS": str(tmp_path / "none")}
    done = run_cli("latte-bench", "figure5", "--scale", "paper", *place, **none)
    assert done.returncode == 2
    for missing in ("data set faceforensics", "network i3d", "DiT-XL/2's weights", "8 GPUs"):
        count = done.stderr.count(f"  - {missing}")
        assert count + done.stderr.count(f"weights of the {missing}") == 1
    trainings = train_commands(tmp_path / "cells")
    assert len(trainings) == 11  # each design once: the baseline is in every figure
    for words in trainings:
        settings = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
        assert load_config("faceforensics", settings).training.steps == 200_000
    assert not (tmp_path / "o").exists()
    job = next((tmp_path / "cells" / "jobs").glob("*.json"))
    shown = run_cli("latte-bench", "cell", "--show", job)
    assert shown.stdout.startswith("torchrun --standalone --nproc_per_node=8 -m latte train ")
    assert len(shown.stdout.splitlines()) >= 1 + 10 * 2 + 1


def test_at_paper_scale_a_local_autoencoder_and_fewer_gpus_can_be_had(
    tmp_path: Path, run_cli
) -> None:
    options = ("--vae", tmp_path / "my vae", "--gpus", 2)
    place = ("--data-root", tmp_path, "--cells", tmp_path / "cells", "--seeds", 1)
    none = {"LATTE_WEIGHTS": str(tmp_path / "none")}
    done = run_cli("latte-bench", "figure7", "--scale", "paper", *options, *place, **none)
    assert done.returncode == 2
    assert f"the autoencoder {tmp_path / 'my vae'}: " in done.stderr
    assert "  - 2 GPUs: " in done.stderr
    trainings = train_commands(tmp_path / "cells")
    assert len(trainings) == 4
    for words in trainings:
        assert "--nproc_per_node=2" in words
        assert f"autoencoder.path={tmp_path / 'my vae'}" in words
    done = run_cli("latte-bench", "intext", "--scale", "paper", "--gpus", 5, *place)
    assert done.returncode == 2
    assert "--gpus 5: " in done.stderr


def test_what_is_not_as_the_protocol_asks_stands_under_the_table(tmp_path: Path) -> None:
    figure = figure5.figures("paper")["a"]
    few = {"field": "num_real", "value": 11, "wanted": 704}
    other = {"field": "weights", "value": "sha256:1", "wanted": "i3d_torchscript.pt"}
    found: dict[str, CellRecord] = {}
    keys = {}
    for label, deviations in (("uniform frame", [few]), ("compression frame", [few, other])):
        made = cell(figure5.figures()["a"], label, 0, tmp_path, 1.0)
        found[made.key] = replace(made, details={**made.details, "deviations": deviations})
        keys[figure.designs[label], 0] = made.key
    cells = DesignCells(measured=MeasuredCells(cells=found), keys=keys)
    document = curve_document(figure, cells, TrainingRequest(scale="paper"))
    assert document.values is not None
    for fact in (
        "num_real 11 instead of 704 (uniform frame, compression frame)",
        "weights sha256:1 instead of i3d_torchscript.pt (compression frame)",
    ):
        assert fact in document.values.remarks[-1]
    plain = {
        key: replace(each, details={**each.details, "deviations": []})
        for key, each in found.items()
    }
    cells = replace(cells, measured=MeasuredCells(cells=plain))
    document = curve_document(figure, cells, TrainingRequest(scale="paper"))
    assert document.values.remarks == figure.remarks


def test_other_batches_of_joint_training_are_said_where_there_are_some() -> None:
    (images, batches) = masks.figure("paper").remarks
    assert "8 images" in images
    assert re.search(r"\b4 clips .*\b5\b", batches)
    assert len(masks.figure("tiny").remarks) == 1


def test_designs_are_configurations_of_latte_train_at_every_scale() -> None:
    for scale, setup in SETUPS.items():
        figures = [*figure5.figures(scale).values()]
        figures.append(figure7.figure(scale))
        figures.append(masks.figure(scale))
        keys = set()
        for design in {design for figure in figures for design in figure.designs.values()}:
            config = load_config(setup.config, setup.settings_of(design))
            assert config.training.steps % setup.points == 0
            training = Training(design=design, setup=setup, folder=Path())
            assert pickle.loads(pickle.dumps(training)) == training  # it travels to a worker
            keys.add(training.key)
        # All but the size and the interval that are the baseline's differ.
        assert len(keys) == 16
