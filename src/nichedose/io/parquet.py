"""Parquet tables, which need a package of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nichedose.errors import BadInput

__all__ = ["read_parquet"]


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> Any:
    """A pandas DataFrame; raises `BadInput` without pyarrow, and for a damaged file or one without the columns."""
    import pandas as pd

    try:
        return pd.read_parquet(path, columns=None if columns is None else list(columns))
    except ImportError as error:
        raise BadInput(f"{path}: reading parquet needs the package pyarrow (pip install "
                       "'nichedose[parquet]').") from error
    except (OSError, ValueError, KeyError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadInput(f"{path}: cannot be read as parquet ({reason}); is it damaged or cut off?") from error
