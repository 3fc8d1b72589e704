"""What the three commands share: how they end. Imports nothing heavy."""

import errno
import os
import signal
import sys
from collections.abc import Callable
from difflib import get_close_matches
from importlib.metadata import version
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer

from latte.data.errors import InputError

BAD_INPUT = 2
INTERRUPTED = 130  # what typer makes of Ctrl-C
FULL = {errno.ENOSPC, errno.EDQUOT}
MENDABLE = {
    *FULL,
    errno.EACCES,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ENOENT,
    errno.ENAMETOOLONG,
}
STOPPED = "stopped; what was finished is kept, and the same command goes on from there"


def new_app(name: str, help_text: str, **settings: Any) -> typer.Typer:
    """A command line with `--version`; its commands are added by the caller."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        help=help_text,
        **settings,
    )

    def show_version(wanted: bool) -> None:
        if wanted:
            typer.echo(f"{name} {version('latte-eval')}")
            raise typer.Exit

    @app.callback()
    def _root(
        version: Annotated[
            bool,
            typer.Option(
                "--version", callback=show_version, is_eager=True, help="Show the version."
            ),
        ] = False,
    ) -> None:
        pass

    return app


def run_app(app: Callable[..., Any], name: str) -> NoReturn:
    """Run a command line; end with 0 (done), 2 (bad input, or stopped by the user) or 1 (fault).

    What the user can mend is one sentence on stderr, without a traceback.
    """
    for kind in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, kind, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, _stop)
    try:
        result = app(standalone_mode=False, prog_name=name)
    except InputError as error:
        _fail(f"error: {error}")
    except KeyboardInterrupt:
        _fail(STOPPED)
    except BrokenPipeError:
        # The reader of our output went away (`… | head`): nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if error.errno not in MENDABLE:
            raise
        where = f" ({error.filename})" if error.filename else ""
        mend = "choose another path, and give the command again"
        if error.errno in FULL:
            mend = f"what was finished is kept; make room, or {mend}"
        _fail(f"error: {(error.strerror or str(error)).lower()}{where}: {mend}")
    except Exception as error:
        # Typer carries a copy of click: its usage errors are known by what they can do.
        if not (
            hasattr(error, "format_message") and hasattr(error, "ctx") and hasattr(error, "show")
        ):
            raise
        message = error.format_message().rstrip(".")
        if "\n" in message:  # a group without a command: its help
            error.show()
            sys.exit(BAD_INPUT)
        path = error.ctx.command_path if error.ctx else name
        _fail(f"error: {message} (`{path} --help` lists what there is)")
    if result == INTERRUPTED:
        _fail(STOPPED)
    sys.exit(result if isinstance(result, int) else 0)


def nearest(name: str, known: list[str] | tuple[str, ...]) -> str:
    """ "did you mean …?" where a known name is near, else all known names."""
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"known: {', '.join(known)}"


def _stop(signum: int, frame: FrameType | None) -> None:
    """A polite kill ends like Ctrl-C: what is computed is written first."""
    raise KeyboardInterrupt


def _fail(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(BAD_INPUT)
