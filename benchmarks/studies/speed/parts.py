"""Parts of an evaluation by themselves, each a command of its own, which prints its seconds.

    python -m benchmarks.studies.speed.parts decode WORKERS FOLDER FOLDER
    python -m benchmarks.studies.speed.parts memory WORKERS CLIPS

Nothing heavy is imported at the top: the decoding processes import this module.
"""

import sys
import tempfile
import time
from pathlib import Path


def decode(workers: int, *folders: str) -> None:
    """Decode and prepare the clips that an evaluation by `cd-fvd` measures, without a network."""
    from dataclasses import replace

    from evaluation.features.extraction import ExtractionOptions
    from evaluation.features.sets import plan_set
    from evaluation.protocol.presets import load_protocol
    from latte.data.loading import load_in_workers
    from latte.data.sources import open_video_set

    options = ExtractionOptions(workers=workers, progress=False)
    count = sum(path.is_file() for path in Path(folders[0]).iterdir())
    protocol = replace(load_protocol("cd-fvd"), num_real=count, num_fake=count)
    for folder in folders:
        planned = plan_set(open_video_set(Path(folder)), protocol, "fake", options, count)
        clips = load_in_workers(planned.plan.clips, planned.preparation, workers=workers)
        for clip in clips:
            if isinstance(clip, Exception):
                raise clip


def extract(workers: int, num_clips: int) -> None:
    """Extract features of clips of 16×256×256 by the network of FVD-shapes."""
    from dataclasses import replace

    from benchmarks.shapes.distortions import PaddedVideo
    from evaluation.features.extraction import ExtractionOptions
    from evaluation.measuring.measurer import Measurer
    from evaluation.measuring.networks import Networks
    from evaluation.protocol.presets import SHAPES
    from latte.data.shapes import ShapesVideo
    from latte.data.sources import VideoSet

    clips = tuple(
        PaddedVideo(video=ShapesVideo(index=index, split="test"), margin=112, above=112)
        for index in range(num_clips)
    )
    with tempfile.TemporaryDirectory() as folder:
        options = ExtractionOptions(store=Path(folder), workers=workers, progress=False)
        measurer = Measurer(
            replace(SHAPES, num_real=len(clips)), ("fvd",), Networks(options), notes=False
        )
        videos = VideoSet(name="enlarged", videos=clips, root="enlarged")
        measured = measurer.extract(videos, "real")
        measurer.network("fvd").statistics(measured.keys)


def main(name: str, workers: str, *arguments: str) -> None:
    """Do one of the parts, and print how long it took."""
    started = time.perf_counter()
    if name == "decode":
        decode(int(workers), *arguments)
    else:
        extract(int(workers), int(arguments[0]))
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main(*sys.argv[1:])
