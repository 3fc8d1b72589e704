"""`latte-eval`: measure generated videos. Heavy imports happen in the commands that need them."""

import os
import sys
from pathlib import Path

import typer

from evaluation.catalogue.registry import METRICS
from evaluation.cli.cache import cache_list, cache_prune, cache_verify
from evaluation.cli.compare import compare_results
from evaluation.cli.metrics import ALL_HELP, fid, metric_command
from evaluation.cli.networks import networks, networks_verify
from evaluation.cli.power import power
from evaluation.cli.protocols import protocols_diff, protocols_list, protocols_show
from evaluation.cli.similarity import similarity
from evaluation.cli.statistics import stats_export, stats_import, stats_show
from evaluation.cli.videos import clips, datasets, prepare
from latte.data.command_line import new_app, run_app

app = new_app("latte-eval", "Measure generated videos: a number, how it was made, its uncertainty.")
# The commands of two metrics take more than two sets: hidden states, and published statistics.
_OWN = {"similarity": similarity, "fid": fid}
for _name, _metric in METRICS.items():
    app.command(_name, help=_metric.help)(_OWN.get(_name) or metric_command(_name))
app.command("all", help=ALL_HELP)(metric_command(None))
for _command in (power, clips, prepare, datasets):
    app.command()(_command)
app.command("compare")(compare_results)

protocols_app = typer.Typer(no_args_is_help=True, help="Protocols: list, show, diff.")
app.add_typer(protocols_app, name="protocols")
protocols_app.command("list")(protocols_list)
protocols_app.command("show")(protocols_show)
protocols_app.command("diff")(protocols_diff)

networks_app = typer.Typer(help="Feature networks: list them, check their weights.")
app.add_typer(networks_app, name="networks")
networks_app.callback(invoke_without_command=True)(networks)
networks_app.command("verify")(networks_verify)

cache_app = typer.Typer(no_args_is_help=True, help="Kept features: list, prune, verify.")
app.add_typer(cache_app, name="cache")
cache_app.command("list")(cache_list)
cache_app.command("prune")(cache_prune)
cache_app.command("verify")(cache_verify)

stats_app = typer.Typer(no_args_is_help=True, help="Statistics of a set as one file.")
app.add_typer(stats_app, name="stats")
stats_app.command("export")(stats_export)
stats_app.command("import")(stats_import)
stats_app.command("show")(stats_show)


def main() -> None:
    """Entry point of `latte-eval`; of torchrun's processes the first one alone speaks."""
    if os.environ.get("RANK", "0") == "0":
        run_app(app, "latte-eval")
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        sys.stdout = sys.stderr = nowhere
        try:
            run_app(app, "latte-eval")
        except Exception:  # a fault of ours is said wherever it shows
            sys.stderr = sys.__stderr__
            raise
