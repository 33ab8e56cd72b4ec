"""JAX, where it is installed and right: what to say when it is not, and double precision for as long as it is used."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from nichedose.errors import BadInput

__all__ = ["LEAST_JAX", "WRONG_JAX", "Precision", "in_double_precision", "in_precision",
           "refuse_single_precision", "require_jax"]

Precision = Literal["double", "single"]
LEAST_JAX = "0.10.1"
WRONG_JAX = "0.10.2"  # wrong numbers in silence, see `nichedose.jax_selftest`
INSTALL = "Install it with: pip install 'nichedose[jax]'"


def require_jax(purpose: str) -> Any:
    """The module ``jax``. Raises `BadInput`, naming ``purpose``, where it is absent, too old or known to be wrong.

    >>> require_jax("This example").__name__
    'jax'
    """
    try:
        jax = importlib.import_module("jax")
    except ImportError as error:
        raise BadInput(f"{purpose} needs the package jax ({error}). {INSTALL}.") from error
    version = str(jax.__version__)
    if version == WRONG_JAX:
        raise BadInput(
            f"{purpose} cannot use JAX {version}, which gives wrong numbers in silence "
            f"(https://github.com/jax-ml/jax/issues/39103). {INSTALL}, which picks another version.")
    if _numbers(version) < _numbers(LEAST_JAX):
        raise BadInput(f"{purpose} needs JAX {LEAST_JAX} or newer; {version} is installed. {INSTALL}.")
    return jax


@contextmanager
def in_double_precision(purpose: str = "This calculation") -> Iterator[Any]:
    """Within, JAX of this thread computes in float64; what the caller had set holds again afterwards. Gives ``jax``.

    >>> with in_double_precision() as jax:
    ...     print(jax.numpy.ones(1).dtype)
    float64
    """
    with in_precision("double", purpose) as jax:
        yield jax


@contextmanager
def in_precision(precision: Precision, purpose: str = "This calculation") -> Iterator[Any]:
    """As `in_double_precision`, or with "single" in float32.

    >>> with in_precision("single") as jax:
    ...     print(jax.numpy.ones(1).dtype)
    float32
    """
    jax = require_jax(purpose)
    with jax.enable_x64(precision == "double"):
        yield jax


def refuse_single_precision(purpose: str) -> None:
    """Raise `BadInput` where JAX would turn float64 into float32 in silence, its own default."""
    if not require_jax(purpose).config.jax_enable_x64:
        raise BadInput(
            f"{purpose} needs double precision, and JAX is set to single. Work inside "
            "'with nichedose.jax_support.in_double_precision():' (jax.grad, jax.jit and jax.vmap too), or set "
            "jax.config.update('jax_enable_x64', True) at the start of your program.")


def _numbers(version: str) -> tuple[int, ...]:
    """(0, 10, 1) of "0.10.1", whatever follows."""
    parts = []
    for part in version.split(".")[:3]:
        digits = "".join(c for c in part if c.isdigit())
        parts.append(int(digits or 0))
    return tuple(parts)
