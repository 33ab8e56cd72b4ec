"""Is the installed JAX right? ``python -m nichedose.jax_selftest`` prints one line of JSON.

JAX 0.10.2 on a CPU gives wrong numbers in silence for ``jit(vmap(small mat-vec))`` over more than 16,384 rows in
float64 (32,768 in float32). The test compares that very case with NumPy, in a process of its own so that neither JAX's
settings nor its memory stay with the caller.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

__all__ = ["TOLERANCE", "main", "selftest"]

TOLERANCE = {"float64": 1e-12, "float32": 1e-5}
_ROWS = 40_000
_SIZE = 4


def selftest() -> dict[str, Any]:
    """Largest relative error by precision, the devices, and whether all is well."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    product = jax.jit(jax.vmap(lambda matrix, vector: jnp.dot(matrix, vector, precision="highest")))
    rng = np.random.default_rng(0)
    matrices, vectors = rng.random((_ROWS, _SIZE, _SIZE)) + 0.1, rng.random((_ROWS, _SIZE)) + 0.1
    expected = np.einsum("nij,nj->ni", matrices, vectors)
    errors = {}
    for dtype in TOLERANCE:
        ours = np.asarray(product(jnp.asarray(matrices, dtype=dtype), jnp.asarray(vectors, dtype=dtype)))
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
