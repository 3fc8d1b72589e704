"""Commands in several processes, which torchrun or Slurm start."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from evaluation.results.files import read_results

ROOT = Path(__file__).parents[3]
FVD = ("fvd", "--protocol", "shapes", "--resamples", "40", "--json", "--quiet", "--workers", "0")
RUN = "import sys; from evaluation.cli.app import main; main()"
# The last process is killed after it has written its rows, when it is started for the first time.
KILLED_ONCE = """
import os, signal
from evaluation.features.distributed import Processes
def die(self, stores, keys):
    os.kill(os.getpid(), signal.SIGKILL)
if os.environ["RANK"] == "1" and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
    Processes.hand_over = die
"""


@pytest.fixture
def options(sets, tmp_path) -> list[str]:
    files = {
        "--real": sets / "real.npy",
        "--fake": sets / "good.npy",
        "--store": tmp_path / "store",
    }
    return [*FVD, "--device", "cpu", *(str(part) for pair in files.items() for part in pair)]


@pytest.fixture
def run(tmp_path):
    """A Python command in a folder that has packages of somebody else."""
    for name in ("evaluation", "latte", "benchmarks", "reports"):
        (tmp_path / "work" / name).mkdir(parents=True)
        (tmp_path / "work" / name / "__init__.py").write_text("raise SystemExit('not ours')")

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", *arguments],
            cwd=tmp_path / "work",
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            capture_output=True,
            text=True,
            timeout=600,
        )

    return run


@pytest.fixture
def value(latte_eval, options, tmp_path) -> float:
    """What one process gives."""
    done = latte_eval(*options, "--store", tmp_path / "alone", cwd=tmp_path)
    return json.loads(done.stdout)["value"]


@pytest.mark.slow
def test_processes_of_one_command_speak_once_and_give_the_value_of_one(
    run, options, value, tmp_path
):
    done = run("-c", RUN, *options, "--gpus", "3", "--out", "shared.jsonl")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["value"] == value
    (result,) = read_results(tmp_path / "work" / "shared.jsonl")
    assert result.value == value
    assert done.stderr.count("deviates") == 1


@pytest.mark.slow
def test_bad_input_is_said_once(run, options):
    done = run("-c", RUN, *options, "--gpus", "2", "--fake", "none.npy")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: none.npy: ")


@pytest.mark.slow
def test_a_killed_process_is_started_again_and_its_rows_are_kept(run, options, value, tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(KILLED_ONCE + RUN)
    torchrun = ("-m", "latte.data.processes.torchrun", "--standalone", "--nproc-per-node=2")
    done = run(*torchrun, "--max-restarts=1", str(script), *options, PYTHONSAFEPATH="1")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["value"] == value
    assert result["details"]["decoded_clips"] == result["num_fake"]  # the real ones were there


@pytest.mark.slow
def test_a_command_is_a_job(run, options, value):
    code = f"import evaluation.cli.launching as launching; launching.CLUSTER = 'local'; {RUN}"
    done = run("-c", code, *options, "--executor", "slurm")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["value"] == value
    done = run("-c", code, *options, "--executor", "slurm", "--fake", "none.npy")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: none.npy: ")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_the_script_for_slurm_works_as_it_stands(options, value, tmp_path):
    text = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    (tmp_path / "evaluate.sh").write_text(text.partition("```bash\n")[2].partition("```")[0])
    programs = {
        "scontrol": "echo localhost",
        "srun": 'while [ "${1#-}" != "$1" ]; do shift; done; exec "$@"',
        "torchrun": f'exec {sys.executable} -m torch.distributed.run "$@"',
        "latte-eval": f'exec {sys.executable} -m evaluation "$@"',
    }
    (tmp_path / "bin").mkdir()
    for name, code in programs.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{code}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    job = {"JOB_ID": "7", "JOB_NODELIST": "node1", "JOB_NUM_NODES": "1", "GPUS_ON_NODE": "2"}
    done = subprocess.run(
        ["bash", tmp_path / "evaluate.sh", *options],
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "SLURM_CPUS_PER_TASK": "1",
            **{f"SLURM_{name}": text for name, text in job.items()},
        },
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["value"] == value


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--gpus", 1000, "--device", "auto"], "--gpus 1000: .* GPUs"),
        (["--gpus", 2, "--device", "cuda:1"], "--device cuda:1"),
        (["--nodes", 2], "--executor slurm"),
        (["--slurm", "partition=gpu"], "--executor slurm"),
    ],
)
def test_what_cannot_be_is_refused(latte_eval, options, tmp_path, given, message):
    done = latte_eval(*options, *given, cwd=tmp_path)
    assert done.returncode == 2
    assert re.search(f"^error: .*{message}", done.stderr)
