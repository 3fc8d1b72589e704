"""`latte-bench protocols`: how far each single choice of a protocol changes FVD.

One pair of sets and one base protocol; every choice on which papers differ is changed, one at a
time. A table, and a chart with the largest change at the top.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.documents.tables import publish
from benchmarks.shapes.measuring import WorkOptions
from benchmarks.studies.protocols.measure import ProtocolBench, measure
from benchmarks.studies.protocols.report import ProtocolStudy, protocols_document
from benchmarks.studies.protocols.videos import as_source, shapes_pair
from evaluation.networks.registry import network
from evaluation.protocol.fields import Protocol, override
from evaluation.protocol.presets import load_protocol
from latte.data.errors import InputError
from latte.data.sources import open_video_set
from reports.files import write_files

DEFAULT_COUNT = 256
MIN_VIDEOS = 8  # in each set


@dataclass(frozen=True, kw_only=True)
class ProtocolsRequest(WorkOptions):
    """Which pair under which base protocol, and how the work is done.

    Raises:
        InputError: one set without the other, or too few videos.
    """

    real: Path | None = None  # real and generated source videos; None: the embedded pair
    fake: Path | None = None
    base: str | None = None  # name or file; None: shapes, or stylegan-v for given videos
    settings: tuple[str, ...] = ()  # FIELD=VALUE, changes of the base protocol
    network: str | None = None  # replaces the base protocol's
    weights: Path | None = None
    num_videos: int | None = None  # clips of each set
    resamples: int = 400

    def __post_init__(self) -> None:
        if (self.real is None) != (self.fake is None):
            raise InputError("--real and --fake go together: give both or neither")
        if self.num_videos is not None and self.num_videos < MIN_VIDEOS:
            raise InputError(f"--num-videos {self.num_videos}: must be at least {MIN_VIDEOS}")


def run(out: Path, request: ProtocolsRequest) -> None:
    """Measure every choice; write the table and the chart into `out`, print the table.

    Raises:
        InputError: a base protocol that cannot be measured.
    """
    started = time.monotonic()
    bench = open_bench(request, out)
    result, choices = measure(bench)
    seconds = time.monotonic() - started
    study = ProtocolStudy(base=bench.base, result=result, choices=choices, seconds=seconds)
    publish(protocols_document(study), out)
    results = [study.result, *(result for _, result in study.measured)]
    write_files(out, {"results.jsonl": "".join(result.to_json() + "\n" for result in results)})
    print(f"{seconds:.0f} s in all")


def open_bench(request: ProtocolsRequest, out: Path) -> ProtocolBench:
    """The pair and the base protocol, for as many clips as both sets have.

    Raises:
        InputError: an unknown preset or network, or fewer videos than were asked for.
    """
    count, embedded = request.num_videos, request.real is None
    if request.real is None or request.fake is None:
        count = count or DEFAULT_COUNT
        real, fake = shapes_pair(count)
    else:
        real, fake = (as_source(open_video_set(path)) for path in (request.real, request.fake))
    available = min(len(real.videos), len(fake.videos))
    if count is not None and count > available:
        raise InputError(
            f"--num-videos {count}: the smaller set has {available} videos: give a smaller number"
        )
    base = base_protocol(request)
    count = count or min(base.num_real or available, base.num_fake or available, available)
    base = replace(base, num_real=count, num_fake=count)
    return ProtocolBench(
        real=real,
        fake=fake,
        base=base,
        options=request.extraction(out),
        weights={} if request.weights is None else {base.network: request.weights},
        dataset="shapes" if embedded else None,
        resamples=request.resamples,
    )


def base_protocol(request: ProtocolsRequest) -> Protocol:
    """The protocol that the choices start from.

    Raises:
        InputError: an unknown preset or network.
    """
    embedded = request.real is None or (request.network or "").startswith("shapes")
    name = request.base or ("shapes" if embedded else "stylegan-v")
    base = override(load_protocol(name), [*request.settings])
    return base if request.network is None else with_network(base, request.network)


def with_network(protocol: Protocol, name: str) -> Protocol:
    """The protocol with another network, at its first output and resizing.

    Raises:
        InputError: there is no network of this name.
    """
    if name == protocol.network:
        return protocol
    spec = network(name)
    layer = [f"network={spec.name}", f"output={spec.output}", f"resize={spec.resize}"]
    return override(protocol, layer)
