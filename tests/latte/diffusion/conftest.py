import pytest
import torch


@pytest.fixture(scope="session")
def golden_inputs(latents):
    """x_0, noise and times of the golden arrays."""
    return latents("x0", 4, 4) * 0.6, latents("noise", 4, 4), torch.tensor([0, 17, 801, 999])
