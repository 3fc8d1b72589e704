"""Table 4: the paper's VBench scores, and results files of VBench below them."""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmarks.tables.request import TableRequest
from benchmarks.tables.table4 import published_rows, run, vbench_table
from benchmarks.tables.vbench import DIMENSIONS, read_models, read_scores, total
from latte.data.errors import InputError


def videos(prompts: int, samples: int = 5, *, seed: int = 0) -> list[dict[str, Any]]:
    """Scores of videos as VBench writes them; those of one prompt resemble each other."""
    random = np.random.default_rng(seed)
    return [
        {"video_path": f"videos/a dog {prompt}-{index}.mp4", "video_results": float(value)}
        for prompt in range(prompts)
        for index, value in enumerate(random.uniform(0.2, 0.8) + random.normal(0, 0.01, samples))
    ]


def mean(entries: list[dict[str, Any]]) -> float:
    return float(np.mean([each["video_results"] for each in entries]))


def write(path: Path, **dimensions: Any) -> Path:
    path.write_text(json.dumps(dimensions), encoding="utf-8")
    return path


def test_the_paper_has_six_methods_and_sixteen_dimensions_in_vbenchs_order() -> None:
    rows = published_rows()
    assert [row.label for row in rows] == [
        "ModelScope", "VideoCrafter", "CogVideo", "HiGen", "OpenSoraPlan", "Latte",
    ]  # fmt: skip
    assert [column.key for column in vbench_table([]).columns] == list(DIMENSIONS)
    assert all(list(row.cells) == list(DIMENSIONS) for row in rows)


def test_prompts_are_those_of_vbenchs_eleven_lists() -> None:
    shared = {  # one dimension has the list of another
        "background_consistency", "motion_smoothness", "dynamic_degree", "aesthetic_quality",
        "imaging_quality",
    }  # fmt: skip
    own = [each.prompts for key, each in DIMENSIONS.items() if key not in shared]
    assert (len(own), sum(own)) == (11, 946)


def test_scores_of_the_paper_make_the_totals_of_vbenchs_leaderboard() -> None:
    rows = {row.label: row.cells for row in published_rows()}
    for label, quality, semantic, together in (
        ("Latte", 79.72, 67.58, 77.29),
        ("ModelScope", 78.05, 66.54, 75.75),
    ):
        found = total({key: cell.value or 0.0 for key, cell in rows[label].items()})
        assert found.quality == pytest.approx(quality, abs=0.01)  # scores are rounded
        assert found.semantic == pytest.approx(semantic, abs=0.01)
        assert found.total == pytest.approx(together, abs=0.01)


def test_best_and_second_are_marked_in_every_dimension() -> None:
    (section,) = vbench_table([]).layout().sections
    for column in range(len(DIMENSIONS)):
        ranks = [row.cells[column].rank for row in section.rows]
        assert sorted(filter(None, ranks)) == ["best", "second"]


def test_a_model_of_several_files_is_one_row(tmp_path: Path) -> None:
    scenes = videos(86)
    first = write(tmp_path / "results_1_eval_results.json", scene=[mean(scenes), scenes])
    second = write(tmp_path / "results_2_eval_results.json", color=[0.9, []])
    models = read_models([f"my model={first}", f"my model={second}"])
    (row,) = vbench_table(models).rows[6:]
    assert (row.label, row.section) == ("my model", "Measured here")
    assert row.cells["scene"].value == pytest.approx(100 * mean(scenes))
    assert row.cells["color"].number == "90.00"
    (note,) = row.cells["color"].notes
    assert re.findall(r"\d+", note) == ["0", "425"]
    assert not row.cells["color"].comparable
    assert row.cells["scene"].comparable
    assert row.cells["human_action"].reason == "Not measured."


def test_a_file_without_a_name_gives_its_own(tmp_path: Path) -> None:
    path = write(tmp_path / "a=b_eval_results.json", scene=[0.5, []])
    assert [model.name for model in read_models([str(path)])] == ["a=b"]


def test_an_interval_counts_prompts_and_not_videos(tmp_path: Path) -> None:
    entries = videos(40)
    path = write(tmp_path / "a_eval_results.json", scene=[mean(entries), entries])
    low, high = read_scores(path)["scene"].interval or (0, 0)
    of_prompts = [mean(entries[5 * i : 5 * i + 5]) for i in range(40)]
    half = stats.t.ppf(0.975, 39) * np.std(of_prompts, ddof=1) / math.sqrt(40)
    assert (high - low) / 2 == pytest.approx(100 * half)
    assert (high + low) / 2 == pytest.approx(100 * mean(entries))


def test_what_is_no_mean_over_videos_has_no_interval(tmp_path: Path) -> None:
    entries = videos(40)
    path = write(
        tmp_path / "a_eval_results.json",
        subject_consistency=[mean(entries) + 0.01, entries],  # a mean over frames
        scene=[0.5, [{"video_path": "a-0.mp4", "video_results": [1, 2]}]],
        color=[0.5, [{"video_path": "a-0.mp4", "video_results": 0.5}]],  # one prompt
    )
    assert [score.interval for score in read_scores(path).values()] == [None] * 3


def test_yes_and_no_of_a_video_have_an_interval(tmp_path: Path) -> None:
    entries = [
        {"video_path": f"p{prompt}-0.mp4", "video_results": prompt % 4 == 0} for prompt in range(40)
    ]
    path = write(tmp_path / "a_eval_results.json", dynamic_degree=[0.25, entries])
    low, high = read_scores(path)["dynamic_degree"].interval or (0, 0)
    assert 0 < low < 25 < high


@pytest.mark.parametrize("unit", [1, 100])
def test_imaging_quality_is_a_share_or_a_percentage(tmp_path: Path, unit: float) -> None:
    entries = [
        {**each, "video_results": 100 * each["video_results"]} for each in videos(20)
    ]  # always in percent
    path = write(
        tmp_path / "a_eval_results.json", imaging_quality=[unit * mean(entries) / 100, entries]
    )
    score = read_scores(path)["imaging_quality"]
    assert score.percent == pytest.approx(mean(entries))
    assert score.interval is not None


def test_a_whole_model_has_vbenchs_total(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a_eval_results.json",
        **{key: [float(published_rows()[-1].cells[key].number) / 100, []] for key in DIMENSIONS},
    )
    remarks = vbench_table(read_models([str(path)])).remarks
    assert re.findall(r"\d+\.\d+", remarks[-1]) == ["79.71", "67.58", "77.29"]


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("{not json", ""),
        ("[]", ""),
        ("{}", ""),
        ('{"scence": [0.5, []]}', "did you mean scene?"),
        ('{"scene": 0.5}', "scene"),
        ('{"scene": [NaN, []]}', "scene is NaN over 0 videos"),
        ('{"scene": ["x", []]}', 'scene is "x" over 0 videos'),
        ('{"scene": [55.0, []]}', "scene is 55"),
        ('{"scene": [-0.1, []]}', "scene is -0.1"),
        ("[" * 100_000, ""),
        (f'{{"scene": [1{"0" * 400}, []]}}', ""),
        (f'{{"scene": [0.5, [1{"0" * 9999}]]}}', ""),
        ('{"scene": [[[0.5]], []]}', "scene"),
    ],
)
def test_a_file_that_is_none_of_vbenchs_is_one_sentence_and_overwrites_nothing(
    tmp_path: Path, text: str, fact: str
) -> None:
    out = tmp_path / "out"
    run(out, TableRequest())
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    path = tmp_path / "a_eval_results.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        run(out, TableRequest(results=(str(path),)))
    assert str(error.value).startswith(f"{path}: ")
    assert fact in str(error.value)
    assert "\n" not in str(error.value)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_two_results_for_one_cell_are_refused_by_their_files(tmp_path: Path) -> None:
    first = write(tmp_path / "1.json", scene=[0.5, []], color=[0.25, []])
    second = write(tmp_path / "2.json", scene=[0.75, []], color=[0.25, []])
    with pytest.raises(InputError) as error:
        read_models([f"a={first}", f"a={second}"])
    for fact in (str(first), str(second), "a, scene", "50 and 75"):
        assert fact in str(error.value)
    assert len(read_models([f"a={first}", f"b={second}"])) == 2


def test_one_score_of_other_videos_is_another_result(tmp_path: Path) -> None:
    entries = videos(40)
    first = write(tmp_path / "1.json", scene=[mean(entries), entries])
    second = write(tmp_path / "2.json", scene=[mean(entries), []])
    with pytest.raises(InputError, match=r"1\.json .*2\.json: .*a, scene \(both "):
        read_models([f"a={first}", f"a={second}"])
    assert len(read_models([f"a={first}", f"a={first}"])) == 1


def test_values_of_videos_that_are_none_make_no_interval(tmp_path: Path) -> None:
    """Their mean is the score, but only because they cancel."""
    entries = [
        {"video_path": f"a {number}-0.mp4", "video_results": value}
        for number, value in enumerate([1e308, -1e308])
    ]
    path = write(tmp_path / "a_eval_results.json", scene=[0.0, entries])
    assert read_scores(path)["scene"].interval is None


def test_a_missing_file_says_what_writes_one() -> None:
    with pytest.raises(InputError, match=r"no\.json: "):
        read_models(["a=no.json"])


def test_at_paper_scale_results_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"results file of VBench: .*`pip install vbench`"):
        run(tmp_path / "out", TableRequest(scale="paper", cells=tmp_path / "methods"))
    assert not (tmp_path / "out").exists()


def test_the_section_has_both_halves_and_counts_the_published_leaders(
    tmp_path: Path, section
) -> None:
    run(tmp_path, TableRequest())
    report = section(tmp_path, "table4")
    leads = [int(count) for count in re.findall(r" in (\d+)\b", report.lead)]
    assert sum(leads) == 16
    assert leads == sorted(leads, reverse=True)
    first, second, made = report.blocks
    assert [len(half.table.columns) for half in (first, second)] == [8, 8]
    assert "published" in made.records[0].details
    assert made.records[1].command
