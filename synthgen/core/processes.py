"""Worker processes that end when the process that started them does, however that was killed."""

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, connection, get_context, parent_process
from multiprocessing.process import BaseProcess

from synthgen.core.signals import STOPPING
from synthgen.errors import SynthgenError


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch computes in one thread inside, and as before outside."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes to hand work to; what is still waiting when the block is left is not begun any more.

    Where it is left by what is no Exception, or that comes while it waits for them, they are killed.

    Raises:
        SynthgenError: One of them was killed.
    """
    others = active_children()
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin) as found:
        try:
            yield found
        except BrokenProcessPool:
            raise SynthgenError(
                "a worker was killed, perhaps for want of memory; run the same command again, or with fewer --workers; "
                "or the script that asked for workers lacks `if __name__ == '__main__':`"
            ) from None
        except (Exception, GeneratorExit):
            raise
        except BaseException:
            _kill_all_but(others)
            raise
        finally:
            try:
                found.shutdown(cancel_futures=True)
            except BaseException:
                _kill_all_but(others)
                raise


def _kill_all_but(others: Sequence[BaseProcess]) -> None:
    for process in active_children():
        if process not in others:
            process.kill()


def _begin() -> None:
    """Leave signals that ask to stop, which a terminal or a job sends to all, to the parent, and end with it."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_wait_and_end, args=(parent.sentinel,), daemon=True).start()


def _wait_and_end(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)
