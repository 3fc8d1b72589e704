"""What the three command lines share: how they start and end, and where their notes go."""

import errno
import logging
import multiprocessing
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from threading import Thread, current_thread, main_thread
from threading import enumerate as enumerate_threads
from types import FrameType
from typing import Annotated, Any, NoReturn, TextIO

import msgspec
import typer

from latte.data.errors import (
    DISK_FULL,
    FAILURE_FILE,
    FIXABLE_ERRNOS,
    LAUNCHED,
    FailedRunError,
    Failure,
    InputError,
    escaped,
)
from latte.data.processes.rank import end_quickly, end_with_parent, this_process
from latte.data.processes.signals import polite_signals

PACKAGES = ("latte", "evaluation", "benchmarks", "reports")
BAD_INPUT, FAULT = 2, 1  # exit codes
INTERRUPTED = 130  # the exit code that typer makes of Ctrl-C
INTERRUPTED_MESSAGE = "Interrupted. Run the same command again to resume."
PATIENCE = 10.0  # seconds that an interrupted command has to write what it has
READER_GONE = (errno.EPIPE, errno.ECONNRESET, errno.EIO)  # EIO: a terminal that was closed


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
    _open_missing_streams()
    end_quickly()
    if "TORCHELASTIC_RUN_ID" in os.environ:
        end_with_parent()
    try:
        with _interruptible(), _notes_on_stderr():
            result = app(standalone_mode=False, prog_name=name)
            sys.stdout.flush()
    except InputError as error:
        _fail(str(error))
    except FailedRunError as error:
        _fail(str(error), BAD_INPUT if error.fixable else FAULT)
    except KeyboardInterrupt:
        result = INTERRUPTED
    except SystemExit as error:  # typer's, where the reader of our output went away
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        _leave_reader(error.__context__)
    except OSError as error:
        if error.errno in READER_GONE:
            _leave_reader(error)
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
        if LAUNCHED not in os.environ:  # who started torchrun says it
            _say(INTERRUPTED_MESSAGE)
        if any(not thread.daemon for thread in enumerate_threads() if thread is not main_thread()):
            with suppress(OSError, ValueError):
                sys.stdout.flush()
            _end_at_once()  # the interpreter would wait for what they compute
        _exit(BAD_INPUT)
    sys.exit(result if isinstance(result, int) else 0)


class _NoteFormatter(logging.Formatter):
    """Names of files in a note may hold control characters, which are shown escaped."""

    def format(self, record: logging.LogRecord) -> str:
        return escaped(super().format(record), keep="\n")


@contextmanager
def _notes_on_stderr() -> Iterator[None]:
    """Print log records of our packages on stderr, as `note: …`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_NoteFormatter("note: %(message)s"))
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


def _open_missing_streams() -> None:
    """Open /dev/null in the place of a standard stream that was closed by who started this.

    The next file would get its number otherwise, and all that goes to the stream with it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
        if getattr(sys, name) is None:
            mode = "w" if number else "r"
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let the first signal interrupt the command, and end the process if that takes too long.

    More signals come with the first one, from torchrun and a terminal, say: they must not interrupt
    what the command does to end well. Nor may one that comes when it has ended, while Python does
    so. Where it has handlers of its own, the time is its affair.
    """
    if current_thread() is not main_thread():
        yield
        return
    awaited = True

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal awaited
        if awaited:
            awaited = False
            raise KeyboardInterrupt

    for number in polite_signals():
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup has it ignored
            signal.signal(number, interrupt)
    if sys.platform != "win32":
        _end_after(interrupt)
    try:
        yield
    finally:
        awaited = False


def _end_after(interrupt: Callable[[int, FrameType | None], None]) -> None:
    """End the process some time after a signal of which this is the handler."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    # Written to at once, also while this thread is within a library and can handle no signal.
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def watch() -> None:
        while signal.getsignal(os.read(reading, 1)[0]) is not interrupt:
            pass
        time.sleep(PATIENCE)
        _say(INTERRUPTED_MESSAGE)
        _end_at_once()

    Thread(target=watch, daemon=True).start()


def _end_at_once() -> NoReturn:
    for process in multiprocessing.active_children():
        process.kill()
    os._exit(BAD_INPUT)


def _leave_reader(error: OSError) -> NoReturn:
    """End quietly where nobody reads the output any more.

    The code is 0 where that is the result, which comes after the work, and that of an interruption
    where it may be a note of work under way. Another broken pipe is a fault of ours.
    """
    gone = [_has_no_reader(stream) for stream in (sys.stdout, sys.stderr)]
    if not any(gone):  # the pipe to a worker process, say
        raise error from None
    _exit(BAD_INPUT if gone[1] else 0)


def _has_no_reader(stream: TextIO) -> bool:
    poll = select.poll()
    try:
        poll.register(stream.fileno(), 0)
    except ValueError:  # it is no file
        return False
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def _say(message: str) -> None:
    """Print on stderr, if somebody hears it."""
    with suppress(OSError, ValueError):
        print(message, file=sys.stderr, flush=True)


def _exit(code: int) -> NoReturn:
    """Exit without a word on output that cannot be delivered."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(code)


def _fail(message: str, code: int = BAD_INPUT) -> NoReturn:
    left, launched = False, LAUNCHED in os.environ
    if launched and code != BAD_INPUT:  # torchrun may start this process again
        _exit(code)
    if path := os.environ.get(FAILURE_FILE):
        with suppress(OSError):  # the folder is on another machine, or gone with who asked
            Path(path).write_bytes(msgspec.json.encode(Failure(message=message)))
            left = True
    # To torchrun bad input is no failure, as it would try again.
    if launched and (left or not this_process().is_first):
        _exit(0)
    _say(f"error: {escaped(message, keep=chr(10))}")
    _exit(code)


def _fail_usage(error: Any, name: str) -> NoReturn:
    message = error.format_message().rstrip(".")
    if "\n" in message:  # the help text of a group that was given no command
        error.show()
        sys.exit(BAD_INPUT)
    path = error.ctx.command_path if error.ctx else name
    _fail(f"{message} (see `{path} --help`)")
