"""The networks, one thread each."""

import pytest
import torch


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """The larger networks crawl where several threads share one busy core."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
