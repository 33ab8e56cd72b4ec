"""Tasks give the same results, in the same order, in this process and in others."""

from __future__ import annotations

import os

import numpy as np
import pytest

from nichedose.errors import NichedoseError
from nichedose.study.pool import run_tasks
from nichedose.values import uniform_from_key


def _work(shared: int, task: int) -> float:
    values = np.array([uniform_from_key(shared, task, f"k{i}") for i in range(64)])
    return float(values @ values)


def _fail(shared: int, task: int) -> int:
    raise ValueError(f"task {task}")


def test_results_and_order_do_not_depend_on_workers() -> None:
    tasks = list(range(7))
    assert list(run_tasks(_work, 3, tasks, workers=1)) == list(run_tasks(_work, 3, tasks, workers=2))


def test_no_tasks_is_no_work() -> None:
    assert list(run_tasks(_work, 3, [], workers=2)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_in_a_task_reaches_the_caller(workers: int) -> None:
    with pytest.raises(ValueError, match="task 0"):
        list(run_tasks(_fail, 0, [0, 1], workers=workers))


class _DiesWhereItArrives:
    """Ends the process that unpickles it; larger than a pipe holds."""

    def __init__(self) -> None:
        self.payload = bytes(2**20)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return _die, (self.payload,)


def _die(_: bytes) -> None:
    os._exit(1)


def test_a_process_that_dies_at_its_start_is_an_error_not_a_wait() -> None:
    with pytest.raises(NichedoseError, match="fewer workers"):
        list(run_tasks(_work, _DiesWhereItArrives(), [0, 1], workers=2))
