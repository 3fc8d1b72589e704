import pytest


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    """The commands are not started by torchrun, whoever runs the tests."""
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "LATTE_DATA"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def latte(run_cli):
    """Run `latte` with these arguments."""
    return lambda *arguments, **settings: run_cli("latte", *arguments, **settings)
