"""`latte sample`: videos from a trained model."""

from pathlib import Path
from typing import Annotated

import typer

from latte.cli.options import Device, NumHeads, Quiet


def sample(
    checkpoint: Annotated[
        Path | None,
        typer.Argument(
            help="A .safetensors of `latte train`, or an official .pt. "
            "[default: the bundled model of the data set shapes]"
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Training data: gives the defaults of official files, and the output folder. "
            "[default: from the checkpoint]",
        ),
    ] = None,
    num_samples: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Number of samples. [default: 16, or one for each label]"
        ),
    ] = None,
    num_frames: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=4096,
            metavar="N",
            help="Frames of each sample; other numbers than in training may look worse. "
            "[default: as in training]",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Output folder. [default: ./samples/<dataset>]"),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="LABELS",
            help='balanced (each class in turn), random, or numbers or names of classes: "3,1,4". '
            "[default: balanced]",
        ),
    ] = None,
    guidance_scale: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            help="Classifier-free guidance; 1 is none. [default: from the checkpoint, else 7 for "
            "ucf101 and 1 for others, as in the official samples]",
        ),
    ] = None,
    guided: Annotated[
        str | None,
        typer.Option(
            metavar="WHAT",
            help="Channels that guidance applies to: noise, or all (variance too). "
            "[default: noise]",
        ),
    ] = None,
    method: Annotated[
        str | None, typer.Option(metavar="NAME", help="ddpm or ddim. [default: ddpm]")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(metavar="N", help="Sampling steps, up to 1000. [default: 250]")
    ] = None,
    eta: Annotated[
        float | None,
        typer.Option(metavar="E", help="Noise of ddim: 0 (none) … 1 (as ddpm). [default: 0]"),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Random seed. [default: 0]")
    ] = None,
    start: Annotated[int, typer.Option(min=0, metavar="N", help="Number of the first sample.")] = 0,
    file_format: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="NAME",
            help="mkv or png (a folder of frames for each sample), both lossless; or mp4.",
        ),
    ] = "mkv",
    fps: Annotated[
        float | None,
        typer.Option(metavar="X", help="Frames per second. [default: from the checkpoint, else 8]"),
    ] = None,
    autoencoder: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="Stable Diffusion's VAE: a folder, or its name on the Hugging Face hub. "
            "[default: from the checkpoint]",
        ),
    ] = None,
    num_heads: NumHeads = None,
    device: Device = "auto",
    precision: Annotated[
        str, typer.Option(metavar="NAME", help="Precision of the network: fp32, bf16 or fp16.")
    ] = "fp32",
    batch_size: Annotated[
        int, typer.Option(min=1, metavar="N", help="Samples at a time on a GPU (one on a CPU).")
    ] = 8,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the network: slow to start, then faster.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Generate videos, or resume an interrupted run.

    Sample i is the same whatever the number of samples, the batch, and the processes of torchrun.

    latte sample --num-samples 64

    torchrun --nproc_per_node 8 -m latte sample ucf101.pt --dataset ucf101 --num-samples 2048
    --autoencoder stabilityai/sd-vae-ft-ema
    """
    from latte.sampling.plan import SampleRequest
    from latte.sampling.run import sample as run

    request = SampleRequest(
        checkpoint=checkpoint,
        num_heads=num_heads,
        dataset=dataset,
        out=out,
        num_samples=num_samples,
        num_frames=num_frames,
        start=start,
        labels=labels,
        options={
            "guidance_scale": guidance_scale,
            "guided": guided,
            "method": method,
            "steps": steps,
            "eta": eta,
            "seed": seed,
        },
        file_format=file_format,
        fps=fps,
        autoencoder=autoencoder,
        device=device,
        precision=precision,
        batch_size=batch_size,
        compile=compiled,
        progress=not quiet,
    )
    report = run(request)
    what = f"samples of {report.num_frames} frames, {report.size}×{report.size}: {report.out}"
    if report.preview is None:
        typer.echo(
            f"{report.present} of {report.wanted} {what} (the others are with other processes)"
        )
    else:
        more = f" (and {report.extra} more from before)" if report.extra else ""
        typer.echo(f"{report.wanted} {what}{more}; preview: {report.preview}")
