"""Statistics of ours, which say how they were made."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluation.protocol.presets import STYLEGAN_V
from evaluation.results.record import SetRecord
from evaluation.statistics.file import Origin, StatisticsFile
from evaluation.statistics.running import Statistics


@pytest.fixture(scope="session")
def origin() -> Origin:
    record = SetRecord(
        path="ucf101",
        digest="ab" * 32,
        num_listed=13320,
        num_clips=2048,
        height=256,
        width=256,
        storage="jpeg-75",
        recipe="stylegan-v",
        too_short=("short\udcff.avi",),
    )
    return Origin(
        protocol="stylegan-v",
        protocol_fields=STYLEGAN_V.affecting_fields(),
        side="real",
        network="i3d",
        network_version=1,
        weights_sha256="cd" * 32,
        num_clips=2048,
        dataset="ucf101",
        record=record,
    )


@pytest.fixture(scope="session")
def file_of(origin):
    """Maker of what a file of such statistics holds, by what is different about their origin."""
    statistics = Statistics(mean=np.ones(2), covariance=np.eye(2), count=2048)
    file = StatisticsFile(
        path=Path("ref.npz"), statistics=statistics, digest="ef" * 32, origin=origin
    )
    return lambda **changes: replace(file, origin=replace(origin, **changes))
