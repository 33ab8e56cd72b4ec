"""One BLAS thread, so that the same sums are made in the same order."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

from threadpoolctl import threadpool_limits

__all__ = ["on_one_blas_thread", "one_blas_thread"]

P = ParamSpec("P")
R = TypeVar("R")

_limited: ContextVar[bool] = ContextVar("limited", default=False)


@contextmanager
def on_one_blas_thread() -> Iterator[None]:
    """Within, BLAS runs on one thread; nested use costs nothing (setting the limit searches all loaded libraries)."""
    if _limited.get():
        yield
        return
    token = _limited.set(True)
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        _limited.reset(token)


def one_blas_thread(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate what is computed once and kept: its bits must not depend on who asked first, or on how many cores."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with on_one_blas_thread():
            return function(*args, **kwargs)

    return wrapped
