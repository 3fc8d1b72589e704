import numpy as np
import pytest


@pytest.fixture(scope="session")
def features():
    """Rows of unequal spread: (rows, columns) by seed."""

    def make(rows, columns, seed, shift=0.0):
        random = np.random.default_rng(seed)
        return random.standard_normal((rows, columns)) * np.linspace(1, 0.3, columns) + shift

    return make
