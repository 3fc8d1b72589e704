"""Our metrics against those of other packages, on the same features."""

import inspect

import numpy as np
import pytest
import scipy.linalg

from evaluation.metrics import (
    density_coverage,
    frechet_distance,
    frechet_distance_from_features,
    inception_score,
    jedi_distance,
    kernel_distance,
    polynomial_mmd,
    precision_recall,
)

RELATIVE = 1e-6
SHAPES = [(600, 500, 64), (1500, 1200, 400)]  # N, M, D: more samples than features
DISPLAYS = "disp" in inspect.signature(scipy.linalg.sqrtm).parameters
needs_disp = pytest.mark.skipif(not DISPLAYS, reason="it calls sqrtm(disp=…), gone in SciPy 1.18")


def features(rows: int, columns: int, seed: int) -> np.ndarray:
    """Correlated features as networks make them: float32 values, not centred."""
    random = np.random.default_rng(seed)
    mixing = np.linalg.qr(np.random.default_rng(99).standard_normal((columns, columns)))[0]
    rows_ = random.standard_normal((rows, columns)) * np.linspace(0.3, 2, columns) @ mixing
    return (rows_ * (1 + 0.1 * seed) + 0.5 + 0.2 * seed).astype(np.float32)


def pair(shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Two sets whose float64 values are float32 ones, so that no package rounds them."""
    n, m, columns = shape
    return features(n, columns, 0).astype(np.float64), features(m, columns, 1).astype(np.float64)


def relative(value: float, other: float) -> float:
    return abs(value - other) / abs(other)


def moments(rows: np.ndarray, ddof: int) -> tuple[np.ndarray, np.ndarray]:
    return rows.mean(axis=0), np.cov(rows, rowvar=False, ddof=ddof)


@needs_disp
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("package", "module", "name"),
    [
        ("pytorch-fid", "pytorch_fid.fid_score", "calculate_frechet_distance"),
        ("clean-fid", "cleanfid.fid", "frechet_distance"),
    ],
)
def test_frechet_of_moments(check_difference, shape, package, module, name):
    theirs = getattr(pytest.importorskip(module), name)
    x, y = (moments(rows, 1) for rows in pair(shape))
    expected = theirs(*x, *y)
    from_features = frechet_distance_from_features(*pair(shape), ddof=1)
    label = f"Fréchet distance, D {shape[2]}"
    check_difference(label, package, relative(frechet_distance(*x, *y), expected), RELATIVE)
    check_difference(
        f"{label}, from features", package, relative(from_features, expected), RELATIVE
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_frechet_of_torch_fidelity(check_difference, shape):
    theirs = pytest.importorskip("torch_fidelity.metric_fid")
    torch = pytest.importorskip("torch")
    x, y = pair(shape)
    statistics = [theirs.fid_features_to_statistics(torch.from_numpy(rows)) for rows in (x, y)]
    expected = theirs.fid_statistics_to_metric(*statistics, verbose=False)[theirs.KEY_METRIC_FID]
    value = frechet_distance_from_features(x, y, ddof=1)
    label = f"Fréchet distance, D {shape[2]}, from features"
    check_difference(label, "torch-fidelity", relative(value, expected), RELATIVE)


@needs_disp
@pytest.mark.parametrize("shape", SHAPES)
def test_frechet_of_cd_fvd(check_difference, shape):
    theirs = pytest.importorskip("cdfvd.fvd")
    x, y = pair(shape)
    statistics = []
    for rows in (x, y):
        statistics.append(theirs.FeatureStats(capture_mean_cov=True))
        for start in range(0, len(rows), 16):
            statistics[-1].append(rows[start : start + 16])
    # Without __init__, which loads the network.
    model = object.__new__(theirs.cdfvd)
    expected = model.compute_fvd_from_stats(*statistics)
    value = frechet_distance_from_features(x, y, ddof=0)
    label = f"Fréchet distance, D {shape[2]}, from features"
    check_difference(label, "cd-fvd", relative(value, expected), RELATIVE)


@pytest.mark.parametrize("shape", SHAPES)
def test_mmd_and_jedi_of_scikit_learn(check_difference, shape):
    pairwise = pytest.importorskip("sklearn.metrics.pairwise")
    x, y = pair(shape)

    def mean_off_diagonal(kernel):
        return (kernel.sum() - np.trace(kernel)) / (len(kernel) * (len(kernel) - 1))

    def kernels(**options):
        return [pairwise.polynomial_kernel(a, b, **options) for a, b in ((x, x), (y, y), (x, y))]

    xx, yy, xy = kernels()
    expected = mean_off_diagonal(xx) + mean_off_diagonal(yy) - 2 * xy.mean()
    label = f"D {shape[2]}"
    check_difference(
        f"KVD, {label}",
        "DIGAN's formula with scikit-learn",
        relative(polynomial_mmd(x, y), expected),
        RELATIVE,
    )
    xx, yy, xy = kernels(degree=2, gamma=None, coef0=0)
    expected = 100 * (xx.mean() + yy.mean() - 2 * xy.mean())
    check_difference(
        f"JEDi, {label}",
        "videojedi's formula with scikit-learn",
        relative(jedi_distance(x, y), expected),
        RELATIVE,
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_kid_of_torch_fidelity(check_difference, shape):
    theirs = pytest.importorskip("torch_fidelity.metric_kid")
    torch = pytest.importorskip("torch")
    x, y = pair(shape)
    n = min(len(x), len(y))

    def kid(a, b, **options):
        tables = torch.from_numpy(a), torch.from_numpy(b)
        metric = theirs.kid_features_to_metric(*tables, verbose=False, **options)
        return metric[theirs.KEY_METRIC_KID_MEAN]

    whole = kid(x[:n], y[:n], kid_subsets=3, kid_subset_size=n)
    label = f"KID, D {shape[2]}"
    value = kernel_distance(x[:n], y[:n], num_subsets=3, subset_size=n)
    check_difference(f"{label}, whole sets", "torch-fidelity", relative(value, whole), RELATIVE)

    random = np.random.RandomState(2020)  # their draws
    draws = [(random.choice(len(x), 300, False), random.choice(len(y), 300, False)) for _ in "abc"]
    same = np.mean([polynomial_mmd(x[rows], y[columns]) for rows, columns in draws])
    expected = kid(x, y, kid_subsets=3, kid_subset_size=300, rng_seed=2020)
    check_difference(f"{label}, subsets", "torch-fidelity", relative(same, expected), RELATIVE)


@pytest.mark.parametrize("shape", SHAPES)
def test_kid_of_clean_fid(check_difference, shape):
    theirs = pytest.importorskip("cleanfid.fid")
    x, y = pair(shape)
    size = 300
    np.random.seed(0)  # noqa: NPY002 - theirs draws from the global generator
    expected = theirs.kernel_distance(x, y, num_subsets=3, max_subset_size=size)
    random = np.random.RandomState(0)
    values = []
    for _ in range(3):
        columns = random.choice(len(y), size, replace=False)
        rows = random.choice(len(x), size, replace=False)
        values.append(polynomial_mmd(x[rows], y[columns]))
    label = f"KID, D {shape[2]}"
    check_difference(
        f"{label}, subsets", "clean-fid", relative(np.mean(values), expected), RELATIVE
    )

    n = min(len(x), len(y))
    expected = theirs.kernel_distance(x[:n], y[:n], num_subsets=1, max_subset_size=n)
    value = kernel_distance(x[:n], y[:n], subset_size=n)
    check_difference(f"{label}, whole sets", "clean-fid", relative(value, expected), RELATIVE)


@pytest.mark.parametrize("shape", SHAPES)
def test_precision_and_recall_of_torch_fidelity(check_difference, shape):
    theirs = pytest.importorskip("torch_fidelity.metric_prc")
    torch = pytest.importorskip("torch")
    real, fake = pair(shape)
    expected = theirs.prc_features_to_metric(
        torch.from_numpy(fake), torch.from_numpy(real), verbose=False
    )
    for name, value in precision_recall(real, fake)._asdict().items():
        assert 0 < value < 1  # a value that says something
        difference = abs(value - expected[name])
        check_difference(f"{name}, D {shape[2]}", "torch-fidelity", difference, RELATIVE)


@pytest.mark.parametrize("shape", SHAPES)
def test_density_and_coverage_of_prdc(check_difference, shape):
    theirs = pytest.importorskip("prdc")
    real, fake = pair(shape)
    expected = theirs.compute_prdc(real, fake, nearest_k=5)
    values = density_coverage(real, fake)._asdict() | precision_recall(real, fake, 5)._asdict()
    for name, value in values.items():
        assert 0 < value < 1
        label = f"{name}, D {shape[2]}, k = 5"
        check_difference(label, "prdc", abs(value - expected[name]), RELATIVE)


@pytest.mark.parametrize(("rows", "classes"), [(2048, 101), (500, 1008)])
def test_inception_score_of_torch_fidelity(check_difference, rows, classes):
    theirs = pytest.importorskip("torch_fidelity.metric_isc")
    torch = pytest.importorskip("torch")
    logits = torch.from_numpy(3 * np.random.default_rng(0).standard_normal((rows, classes)))
    expected = theirs.isc_features_to_metric(logits, splits=10, shuffle=True, rng_seed=42)
    mean, deviation = inception_score(torch.softmax(logits, dim=1).numpy())
    label = f"Inception Score, {classes} classes"
    their_mean = expected[theirs.KEY_METRIC_ISC_MEAN]
    their_deviation = expected[theirs.KEY_METRIC_ISC_STD]
    check_difference(label, "torch-fidelity", relative(mean, their_mean), RELATIVE)
    check_difference(
        f"{label}, deviation", "torch-fidelity", relative(deviation, their_deviation), RELATIVE
    )
