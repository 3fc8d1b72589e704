"""`latte-eval` in this process, on small sets of the embedded data set."""

import threading
from collections.abc import Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from latte.data.shapes import shapes_clips


@pytest.fixture(scope="session")
def serve():
    """Serve answers by path from this machine; that of `cut` is announced one byte too long."""

    @contextmanager
    def serve(answers: Mapping[str, bytes], *, cut: str = ""):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = answers.get(self.path)
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Length", str(len(body or b"") + (self.path == cut)))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_):
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            yield f"http://127.0.0.1:{server.server_port}"
            server.shutdown()
            thread.join()

    return serve


@pytest.fixture
def latte_eval(run_cli):
    """`latte-eval` in a folder, which has a store of features of its own."""

    def run(*arguments, cwd: Path, **environment: str):
        return run_cli(
            "latte-eval", *arguments, cwd=cwd, **({"LATTE_STORE": str(cwd / "store")} | environment)
        )

    return run


@pytest.fixture(scope="module")
def sets(tmp_path_factory) -> Path:
    """Two draws of 24 clips of the embedded data set, and one that is frozen, as arrays."""
    folder = tmp_path_factory.mktemp("sets")
    clips = shapes_clips("test", range(48))
    np.save(folder / "real.npy", clips[:24])
    np.save(folder / "good.npy", clips[24:])
    np.save(folder / "frozen.npy", np.repeat(clips[24:, :1], 16, axis=1))
    return folder


@pytest.fixture
def fvd(sets, latte_eval):
    def run(*arguments, **environment):
        command = ["fvd", "--real", "real.npy", "--network", "shapes", "--workers", 0]
        return latte_eval(*command, *arguments, cwd=sets, **environment)

    return run
