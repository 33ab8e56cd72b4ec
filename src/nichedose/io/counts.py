"""Are these raw counts? Whole numbers, none negative, none missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from nichedose.errors import BadInput
from nichedose.values import Flag

__all__ = ["holds_raw_counts", "raw_counts", "total_flags"]


def holds_raw_counts(matrix: Any) -> bool:
    """True when every stored number is finite, whole and at least zero."""
    values = _stored(matrix)
    if values.size == 0:
        return True
    return bool(np.isfinite(values).all() and (values >= 0).all() and (values == np.rint(values)).all())


def raw_counts(matrix: Any, where: str, hint: str = "") -> sp.csr_matrix:
    """``matrix`` (n_spots, n_genes) as int64 CSR; a float dtype that holds whole numbers is fine.

    Raises `BadInput` for NaN, infinite, negative or fractional values; ``hint`` says where raw counts may be found.
    """
    values = _stored(matrix)
    if values.size and values.dtype.kind not in "iufb":
        raise BadInput(f"{where}: counts are of type {values.dtype}, not numbers.")
    bad = int((~np.isfinite(values)).sum()) if values.dtype.kind == "f" else 0
    if bad:
        raise BadInput(f"{where}: {bad} counts are NaN or infinite; give the raw count matrix.{hint}")
    if values.size and values.min() < 0:
        raise BadInput(f"{where}: counts go down to {values.min():g}; raw counts are never negative (scaled or centred "
                       f"data?). Give the raw count matrix.{hint}")
    if not holds_raw_counts(matrix):
        looks = "log-normalised" if values.max() < 30 else "normalised"
        example = float(values[values != np.rint(values)][0])
        raise BadInput(f"{where}: counts are not whole numbers (for example {example:.4g}; the largest is "
                       f"{values.max():.4g}), so they look {looks}. Raw counts are needed, because counting noise is "
                       f"part of the model.{hint}")
    # canonical: sorted, no stored zeros, no duplicates, wide enough to be summed and squared
    csr = sp.csr_matrix(matrix, dtype=np.int64)
    csr.sum_duplicates()
    csr.eliminate_zeros()
    return csr


def total_flags(counts: sp.csr_matrix) -> tuple[Flag, ...]:
    """What the totals per spot give away: totals that are all the same, empty spots aside."""
    totals = np.asarray(counts.sum(axis=1)).ravel()
    totals = totals[totals > 0]
    if totals.size < 20 or (totals != totals[0]).any():
        return ()
    return (Flag("caution", "tissue data", f"Every spot has the same total, {int(totals[0])} counts: the data may have "
                                           "been down-sampled or normalised and rounded."),)


def _stored(matrix: Any) -> Any:
    return matrix.tocsr().data if hasattr(matrix, "tocsr") else np.asarray(matrix).ravel()
