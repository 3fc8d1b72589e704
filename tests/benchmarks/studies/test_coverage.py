import numpy as np
import pandas as pd
import pytest

from benchmarks.studies.coverage import CASES, Case, CoverageRequest, run
from evaluation.metrics import frechet_distance


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_the_truth_of_each_case_is_its_closed_form(case):
    deviations = np.linspace(1, 0.2, case.features)
    sigma = np.diag(deviations**2)
    shift = np.full(case.features, case.shift / np.sqrt(case.features))
    expected = frechet_distance(0 * shift, sigma, shift, sigma * case.scale**2)
    assert case.truth == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("heavy", [False, True])
def test_draws_have_the_moments_of_their_case(heavy):
    x, y = Case(3, 20000, 30000, 1.5, 2.0, heavy=heavy).draw(np.random.default_rng(0))
    assert (x.shape, y.shape) == ((20000, 3), (30000, 3))
    np.testing.assert_allclose(x.std(axis=0), [1, 0.6, 0.2], rtol=0.05)
    np.testing.assert_allclose(y.std(axis=0), [1.5, 0.9, 0.3], rtol=0.05)
    np.testing.assert_allclose(y.mean(axis=0), np.full(3, 2 / np.sqrt(3)), atol=0.05)


def test_both_tables_are_written_and_repeat(tmp_path, section, capsys):
    cases = (Case(3, 30, 40, 1.0, 1.0), Case(4, 4, 4))
    frames = []
    for number in range(2):
        out = tmp_path / str(number)
        request = CoverageRequest(
            repetitions=3, resamples=8, reference=20, cases=cases, workers=number
        )
        run(out, request)
        frames.append(pd.read_csv(out / "coverage.csv"))
    pd.testing.assert_frame_equal(*frames)
    assert list(frames[0]["N, M"]) == ["30, 40", "4, 4"]
    assert list(frames[0]["reliable"]) == ["yes", "no"]
    assert frames[0]["half samples"].between(0, 100).all()
    text = (tmp_path / "0" / "coverage.md").read_text(encoding="utf-8")
    assert "half samples: width" in text
    assert "FD∞ covers" in text
    assert text.strip() in capsys.readouterr().out
    report = section(tmp_path / "0", "coverage")
    found = frames[0]["half samples"]
    assert f"half samples in {found.min():.3g} to {found.max():.3g}" in report.lead
    assert len(report.blocks[0].table.rows) == 2
    for part in ("command: ", "host: ", " s in all"):
        assert part in text
