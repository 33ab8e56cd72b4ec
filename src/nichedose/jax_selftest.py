"""Is the installed JAX right? ``python -m nichedose.jax_selftest`` prints one line of JSON.

JAX 0.10.2 on a CPU gives wrong numbers in silence for a small matrix-vector product that is vmapped over more than
16,384 rows in float64 (32,768 in float32), reduced, and jitted (https://github.com/jax-ml/jax/issues/39103). The test
compares that very case with NumPy, in a process of its own so that neither JAX's settings nor its memory stay with
the caller.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

__all__ = ["TOLERANCE", "main", "selftest"]

TOLERANCE = {"float64": 1e-12, "float32": 1e-5}
_ROWS = 40_000
_SIZE = 3


def selftest() -> dict[str, Any]:
    """Largest relative error by precision, the devices, and whether all is well."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    rng = np.random.default_rng(0)
    matrix, vectors = rng.random((_SIZE, _SIZE)) + 0.1, rng.random((_ROWS, _SIZE)) + 0.1
    expected = ((vectors @ matrix.T) ** 2).sum(axis=1)
    errors = {}
    for dtype in TOLERANCE:
        shared = jnp.asarray(matrix, dtype=dtype)

        def squared_norm(row: Any, shared: Any = shared) -> Any:
            return jnp.sum(jnp.dot(shared, row, precision="highest") ** 2)

        ours = np.asarray(jax.jit(jax.vmap(squared_norm))(jnp.asarray(vectors, dtype=dtype)))
        errors[dtype] = float(np.max(np.abs(ours - expected) / expected))
    return {
        "version": jax.__version__,
        "devices": [f"{d.platform}: {d.device_kind}" for d in jax.devices()],
        "relative_error": errors,
        "ok": all(np.isfinite(errors[d]) and errors[d] <= TOLERANCE[d] for d in TOLERANCE),
    }


def main() -> None:
    print(json.dumps(selftest()))


if __name__ == "__main__":
    main()
