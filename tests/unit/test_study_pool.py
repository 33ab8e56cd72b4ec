"""Tasks give the same results, in the same order, in this process and in others."""

from __future__ import annotations

import numpy as np
import pytest

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
