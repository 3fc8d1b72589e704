"""`latte`: the generator's command line. Heavy imports happen in the commands that need them."""

from latte.cli.convert import convert
from latte.cli.info import info
from latte.cli.patches import patches
from latte.cli.sample import sample
from latte.cli.shapes import shapes
from latte.cli.train import train
from latte.data.command_line import new_app, run_app

app = new_app("latte", "Latte: video generation, and the data set that comes with it.")
for command in (train, sample, info, convert, patches, shapes):
    app.command()(command)


def main() -> None:
    """Entry point of `latte`."""
    run_app(app, "latte")
