"""Started by torchrun in test_distributed.py: what each process sees of measurements they share."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch.distributed as dist

from evaluation import ExtractionOptions, measure
from evaluation.features.distributed import joined
from evaluation.features.store import FeatureStore
from latte.data.errors import InputError


@contextmanager
def removed_when_read(root: Path) -> Iterator[Path]:
    """A store whose files somebody removes as soon as the first process reads rows."""
    read = FeatureStore.rows

    def removing(store: FeatureStore, keys: Sequence[bytes]) -> list[np.ndarray]:
        if keys and dist.get_rank() == 0:
            FeatureStore.rows = read
            for path in root.glob("*/*.safetensors"):
                path.unlink()
        return read(store, keys)

    FeatureStore.rows = removing
    yield root
    assert (FeatureStore.rows == read) == (dist.get_rank() == 0)
    FeatureStore.rows = read


def main(folder: Path) -> None:
    """Write what this process saw into `folder`."""
    real, fake = np.load(folder / "real.npy"), np.load(folder / "fake.npy")
    dist.init_process_group("gloo")  # as a training has it
    rank, world = dist.get_rank(), dist.get_world_size()
    seen: dict[str, object] = {}

    def value(name: str, store: Path | None, *sets: object, **settings: bool) -> None:
        with joined() as processes:
            options = ExtractionOptions(
                store=store, workers=0, progress=False, processes=processes, **settings
            )
            (result,) = measure(
                *sets, protocol="shapes", device="cpu", resamples=40, options=options, out=lines
            )
        seen[name] = [result.value, result.interval, result.num_fake, result.fake.broken]

    lines = folder / f"{world}.jsonl"
    value("in memory", None, real, fake)
    value("in a store", folder / f"store-{world}", real, fake)
    with removed_when_read(folder / f"store-{world}-lost") as lost:
        value("in a store that loses rows", lost, real, fake)
    value("in stores of their own", folder / f"store-{world}-{rank}", real, fake)
    value("fewer than processes", None, real[:2], fake[:2])
    value("one is broken", None, folder / "real.npy", folder / "videos", skip_broken=True)
    for name, reporter in (("error of the last", world - 1), ("error of the first", 0)):
        try:
            with joined() as processes:
                if rank == reporter:
                    raise InputError(f"process {rank} finds no file")
                processes.agree("work", None)
        except InputError as error:
            seen[name] = str(error)
    try:
        with joined() as processes:
            processes.agree(f"network of {rank}", None)
    except InputError as error:
        seen["other steps"] = str(error)
    for name, items in (("more", range(7 + rank)), ("others", range(rank, rank + 7))):
        try:
            with joined() as processes:
                processes.map("files", list, items)
        except InputError as error:
            seen[name] = str(error)
    with joined() as processes:
        for name, reporter in (("ahead, the first", 0), ("ahead, the last", world - 1)):
            try:
                with processes.ahead(name):
                    if rank == reporter:
                        raise InputError(f"process {rank} finds no weights")
            except InputError as error:  # all go on with the next network
                seen[name] = str(error)
        seen["map"] = processes.map("squares", lambda share: [x * x for x in share], range(7))
        seen["parts"] = list(processes.part(range(7)))
    (folder / f"{world}-{rank}.json").write_text(json.dumps(seen))
    dist.destroy_process_group()


main(Path(sys.argv[1]))
