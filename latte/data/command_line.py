"""What the three command lines share: how they start and end, and where their notes go."""

import logging
import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
import typer

from latte.data.errors import (
    DISK_FULL,
    FAILURE_FILE,
    FIXABLE_ERRNOS,
    FailedRunError,
    Failure,
    InputError,
)

PACKAGES = ("latte", "evaluation", "benchmarks", "reports")
BAD_INPUT, FAULT = 2, 1  # exit codes
INTERRUPTED = 130  # the exit code that typer makes of Ctrl-C
INTERRUPTED_MESSAGE = "Interrupted. Run the same command again to resume."


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
    """Run a command line; exit with 0 (done), 2 (bad input, or interrupted) or 1 (a fault of ours).

    Errors that the user can fix are one sentence on stderr, without a traceback, and a `Failure` in
    the file that the environment names, for a process that started this one. Log records of our
    packages are notes there, so that stdout holds the result alone.
    """
    for kind in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, kind, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:  # ignored by nohup
            signal.signal(number, signal.default_int_handler)  # ends like Ctrl-C
    try:
        with _notes_on_stderr():
            result = app(standalone_mode=False, prog_name=name)
            sys.stdout.flush()
    except InputError as error:
        _fail(str(error))
    except FailedRunError as error:
        _fail(str(error), BAD_INPUT if error.fixable else FAULT)
    except KeyboardInterrupt:
        result = INTERRUPTED
    except (BrokenPipeError, SystemExit) as error:
        # The reader of our output went away (`… | head`), which is no error. Typer exits with 1.
        broken = error if isinstance(error, BrokenPipeError) else error.__context__
        if not isinstance(broken, BrokenPipeError):
            raise
        if not _reader_left():  # the pipe to a worker process, say, which is a fault of ours
            raise broken from None
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if error.errno not in FIXABLE_ERRNOS:
            raise
        where = f"{error.filename}: " if error.filename else ""
        reason = (error.strerror or str(error)).lower()
        advice = "free some space, or choose" if error.errno in DISK_FULL else "choose"
        _fail(f"{where}{reason}: {advice} another path, and run the command again")
    except Exception as error:
        # Typer carries a copy of click, whose usage errors are recognised by their methods.
        if not all(hasattr(error, method) for method in ("format_message", "ctx", "show")):
            raise
        _fail_usage(error, name)
    if result == INTERRUPTED:
        print(INTERRUPTED_MESSAGE, file=sys.stderr)
        sys.exit(BAD_INPUT)
    sys.exit(result if isinstance(result, int) else 0)


@contextmanager
def _notes_on_stderr() -> Iterator[None]:
    """Print log records of our packages on stderr, as `note: …`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("note: %(message)s"))
    loggers = {logger: logger.level for logger in map(logging.getLogger, PACKAGES)}
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, level in loggers.items():
            logger.removeHandler(handler)
            logger.setLevel(level)


def _reader_left() -> bool:
    """Whether nobody reads the pipe that is standard output or standard error."""
    poll = select.poll()
    for stream in (sys.stdout, sys.stderr):
        poll.register(stream.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _fail(message: str, code: int = BAD_INPUT) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    if path := os.environ.get(FAILURE_FILE):
        with suppress(OSError):  # the folder is on another machine, or gone with who asked
            Path(path).write_bytes(msgspec.json.encode(Failure(message=message)))
    sys.exit(code)


def _fail_usage(error: Any, name: str) -> NoReturn:
    message = error.format_message().rstrip(".")
    if "\n" in message:  # the help text of a group that was given no command
        error.show()
        sys.exit(BAD_INPUT)
    path = error.ctx.command_path if error.ctx else name
    _fail(f"{message} (see `{path} --help`)")
