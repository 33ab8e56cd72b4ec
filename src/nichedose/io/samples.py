"""Which rows of a table belong to the one sample that was asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import BoolArray
from nichedose.io.reader import ReadOptions

__all__ = ["choose_sample", "sample_names"]

_SAMPLE_COLUMNS = ("libraryid", "sampleid", "sample", "imageid", "batch")


def choose_sample(obs: Any, libraries: list[str], options: ReadOptions, where: str) -> tuple[BoolArray, str | None]:
    """Rows of the chosen sample, and its name (None when the file names no sample).

    ``obs`` is a DataFrame; ``libraries`` are the keys of ``uns["spatial"]``. Several samples without a choice are
    refused by name, because their positions overlap.
    """
    everything = np.ones(len(obs), dtype=bool)
    if options.sample_key is not None:
        if options.sample_key not in obs.columns:
            raise BadInput(f"{where}: sample_key = '{options.sample_key}' is no column of "
                           f"obs.{near_miss(options.sample_key, [str(c) for c in obs.columns])}")
        return _pick(obs, options.sample_key, options.sample, where)
    columns = _sample_columns(obs)
    if options.sample is None:
        for column in columns:
            names = _names(obs, column)
            if len(names) > 1:
                raise _several(where, names, column)
        if len(libraries) > 1 and not columns:
            raise BadInput(f"{where}: uns['spatial'] names several samples ({', '.join(libraries)}), but no obs column "
                           "tells which spot is whose; name it with sample_key and choose one with sample.")
        name = _names(obs, columns[0])[0] if columns else (libraries[0] if libraries else None)
        return everything, name
    holding = [c for c in columns if options.sample in _names(obs, c)]
    if not holding:
        if not any(len(_names(obs, c)) > 1 for c in columns) and len(libraries) < 2:
            return everything, options.sample  # one sample only: the name is the user's to give
        known = sorted({n for c in columns for n in _names(obs, c)} | set(libraries))
        raise BadInput(f"{where}: no sample '{options.sample}'.{near_miss(options.sample, known)} If another column "
                       "names the samples, give it as sample_key.")
    rows, name = _pick(obs, holding[0], options.sample, where)
    for column in columns:
        names = _names(obs[rows], column)
        if len(names) > 1:
            raise _several(where, names, column)
    return rows, name


def sample_names(obs: Any, libraries: list[str], options: ReadOptions) -> list[str]:
    """The samples that `choose_sample` would choose between; empty when the file names none or one."""
    if options.sample_key is not None:
        return _names(obs, options.sample_key) if options.sample_key in obs.columns else []
    for column in _sample_columns(obs):
        names = _names(obs, column)
        if len(names) > 1:
            return names
    return libraries if len(libraries) > 1 else []


def _sample_columns(obs: Any) -> list[str]:
    """Columns named like a sample column; one that tells nearly every spot apart is an identifier, not a sample."""
    by_plain = {"".join(ch for ch in str(c).lower() if ch.isalnum()): c for c in obs.columns}
    found = [by_plain[p] for p in _SAMPLE_COLUMNS if p in by_plain]
    return [c for c in found if 0 < len(_names(obs, c)) <= max(1, len(obs) // 2)]


def _names(obs: Any, column: str) -> list[str]:
    return sorted(str(v) for v in obs[column].dropna().unique())


def _pick(obs: Any, column: str, sample: str | None, where: str) -> tuple[BoolArray, str]:
    names = _names(obs, column)
    if sample is None:
        if len(names) != 1:
            raise _several(where, names, column)
        sample = names[0]
    if sample not in names:
        raise BadInput(f"{where}: no sample '{sample}' in obs['{column}'].{near_miss(sample, names)}")
    return np.asarray(obs[column].astype(str) == sample, dtype=bool), sample


def _several(where: str, names: list[str], column: str) -> BadInput:
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return BadInput(f"{where}: holds {len(names)} samples in obs['{column}'] ({shown}); choose one with sample = "
                    f"\"{names[0]}\", and read each as its own section.")
