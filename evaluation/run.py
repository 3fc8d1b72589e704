"""`latte-eval fvd` from files to a line in the results file."""

import time
from dataclasses import dataclass
from pathlib import Path

from evaluation.extraction import RunOptions, StoredNetwork
from evaluation.measure import Comparison, frechet_result, notes, say
from evaluation.networks.registry import NetworkSpec, build
from evaluation.protocol import Protocol
from evaluation.result import Result, append_result, check_writable
from evaluation.sets import MeasuredSet, PlannedSet, measure_set, plan_set, statistics_set
from evaluation.uncertainty import MIN_RESAMPLES
from latte.data.errors import InputError
from latte.data.sources import VideoSet


@dataclass(frozen=True, kw_only=True)
class FvdRequest:
    """What to measure, and where the result goes."""

    real: VideoSet | Path  # a path is that of a statistics file
    fake: VideoSet | Path
    protocol: Protocol
    weights: Path | None
    at_least: int  # clips that each set must have
    dataset: str | None
    model: str
    resamples: int
    out: Path


def run_fvd(request: FvdRequest, options: RunOptions) -> Result:
    """Measure, write the result, and say on stderr what is not as the protocol asks.

    What can fail early fails early: the results file, the weights and both plans are looked at
    before the first clip is decoded.
    """
    started = time.monotonic()
    protocol = request.protocol
    check_writable(request.out)
    if 0 < request.resamples < MIN_RESAMPLES:
        raise InputError(
            f"--resamples {request.resamples}: an interval needs at least {MIN_RESAMPLES}, or 0 "
            "for none"
        )
    extractor = build(
        protocol.network, request.weights, options.device, batch_size=options.batch_size
    )
    spec = extractor.spec
    _check_fits(protocol, spec)
    if extractor.probe_difference is not None:
        say(
            f"{spec.name} runs as {extractor.path_taken}; probe clips differ by "
            f"{extractor.probe_difference:.1e} of the largest feature between the two ways"
        )
    network = StoredNetwork.open(extractor, options.store)
    preparation = protocol.preparation()
    # Both plans first: what is wrong with either set shows before hours of work on the other.
    planned = [
        statistics_set(videos, spec.num_features, request.at_least)
        if isinstance(videos, Path)
        else plan_set(
            videos, selection, preparation, options, label=label, at_least=request.at_least
        )
        for videos, selection, label in (
            (request.real, protocol.real_selection(), "real"),
            (request.fake, protocol.fake_selection(), "fake"),
        )
    ]
    for chosen in planned:
        _check_two_clips(chosen)
    real, fake = (
        measure_set(chosen, [network], options, request.at_least)
        if isinstance(chosen, PlannedSet)
        else chosen
        for chosen in planned
    )
    comparison = Comparison(
        protocol=protocol,
        dataset=request.dataset,
        model=request.model,
        resamples=request.resamples,
        started=started,
    )
    result = frechet_result(real, fake, network, comparison)
    append_result(request.out, result)
    for note in notes(result, num_features=spec.num_features):
        say(note)
    return result


def _check_fits(protocol: Protocol, spec: NetworkSpec) -> None:
    """The network can do what the protocol asks of it."""
    if spec.unit != "clip":
        raise InputError(f"network {spec.name} looks at single frames: an FVD needs one of clips")
    if protocol.output != spec.output:
        raise InputError(
            f"network {spec.name} gives {spec.output}, not {protocol.output}: set output="
            f"{spec.output}"
        )
    if protocol.num_frames < spec.min_frames:
        raise InputError(
            f"network {spec.name} needs clips of at least {spec.min_frames} frames, not "
            f"{protocol.num_frames}: raise --num-frames"
        )


def _check_two_clips(chosen: PlannedSet | MeasuredSet) -> None:
    if isinstance(chosen, PlannedSet) and len(chosen.plan.clips) < 2:
        raise InputError(
            f"{chosen.videos.root}: a Fréchet distance needs at least 2 clips of each set, this "
            "one has 1: give more videos"
        )
