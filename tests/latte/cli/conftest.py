import pytest


@pytest.fixture
def latte(run_cli):
    """Run `latte` with these arguments."""
    return lambda *arguments, **settings: run_cli("latte", *arguments, **settings)
