"""Tasks in processes, in a fixed order: results do not depend on how many workers there are."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from nichedose.errors import NichedoseError
from nichedose.fields.threads import on_one_blas_thread

__all__ = ["run_tasks"]

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")

_shared: Any = None


def _initialise(path: str) -> None:
    global _shared
    _shared = pickle.loads(Path(path).read_bytes())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Processes started inside inherit a blocked SIGINT, so that Ctrl-C during their start prints no traceback."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _call(job: tuple[Callable[[Any, Task], Outcome], Task]) -> Outcome:
    function, task = job
    return _run_one(function, _shared, task)


def _run_one(function: Callable[[Any, Task], Outcome], shared: Any, task: Task) -> Outcome:
    # one BLAS thread: the same sums in the same order, whoever runs the task
    with on_one_blas_thread():
        return function(shared, task)


def run_tasks(
    function: Callable[[Any, Task], Outcome], shared: Any, tasks: Sequence[Task], *, workers: int | None
) -> Iterator[Outcome]:
    """Yield ``function(shared, task)`` for each task, in order; ``shared`` is sent to each process once.

    ``function`` must be importable. With one worker, or one task, everything runs in this process.
    """
    count = min(workers or os.cpu_count() or 1, len(tasks))
    if count <= 1:
        for task in tasks:
            yield _run_one(function, shared, task)
        return
    # Through a file: a process that dies while it starts would leave us writing into its full pipe for ever.
    with tempfile.TemporaryDirectory(prefix="nichedose-") as folder:
        path = Path(folder) / "shared.pickle"
        path.write_bytes(pickle.dumps(shared, pickle.HIGHEST_PROTOCOL))
        yield from _in_processes(function, str(path), tasks, count)


def _in_processes(
    function: Callable[[Any, Task], Outcome], path: str, tasks: Sequence[Task], count: int
) -> Iterator[Outcome]:
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        count, mp_context=multiprocessing.get_context("spawn"), initializer=_initialise, initargs=(path,))
    try:
        with _interrupts_held():
            outcomes = pool.map(_call, [(function, task) for task in tasks])
        yield from outcomes
    except BrokenProcessPool as error:
        raise NichedoseError(
            "A worker process ended abruptly, most often for want of memory. Use fewer workers "
            "(sampling.workers), or a coarser sampling.grid_spacing.") from error
    except (KeyboardInterrupt, GeneratorExit):
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()  # it may be far from the end of its task, and nobody waits for the outcome
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
