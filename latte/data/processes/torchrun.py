"""torchrun without a traceback of its own: its processes have said what there is to say.

    python -P -m latte.data.processes.torchrun --standalone --nproc-per-node 2 -m evaluation fvd …

It takes torchrun's options, and ends with 2 where one of its processes did or a signal ended it.
"""

import logging
import os
import signal
import sys

from latte.data.errors import LAUNCHED
from latte.data.processes.rank import PARENT, end_quickly, end_with_parent


def main() -> None:
    """Run torchrun with the arguments of this process.

    Raises:
        SystemExit: with 2 (bad input, or interrupted) or 1 (a fault), unless all ended with 0.
    """
    end_quickly()
    if LAUNCHED in os.environ:  # before torch, whose import takes seconds
        end_with_parent()
    os.environ[PARENT] = str(os.getpid())
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args, run

    # The agent logs how each process ended, at length.
    logging.disable(logging.ERROR)
    # Processes that are started again meet in a store of their own (PyTorch 2.14 shares one).
    os.environ.setdefault("TORCH_DISABLE_SHARE_RDZV_TCP_STORE", "1")
    try:
        run(parse_args(sys.argv[1:]))
    except ChildFailedError as error:
        codes = {rank: failure.exitcode for rank, failure in error.failures.items()}
        for rank, code in codes.items():
            if code < 0:
                name = signal.Signals(-code).name
                print(f"error: process {rank} was ended by the signal {name}", file=sys.stderr)
        sys.exit(2 if 2 in codes.values() else 1)
    except SignalException:
        sys.exit(2)


if __name__ == "__main__":
    main()
