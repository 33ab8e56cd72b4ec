"""Which decay data are used: ICRP Publication 107, or the ENSDF extract that is shipped."""

from __future__ import annotations

import importlib.util
import os
import warnings
from functools import lru_cache
from typing import Literal

from nichedose.errors import BadInput, near_miss

__all__ = ["SOURCES", "Source", "chosen_source"]

Source = Literal["icrp107", "ensdf"]
SOURCES: tuple[Source, ...] = ("icrp107", "ensdf")
VARIABLE = "NICHEDOSE_DECAY_DATA"


def chosen_source(source: Source | None = None) -> Source:
    """``source`` itself; for None the one of the process.

    That is the environment variable ``NICHEDOSE_DECAY_DATA`` where it is set when first asked, else ICRP Publication
    107 where ``icrp107-database`` is installed, else ENSDF with a warning. Raises `BadInput` for an unknown source.
    """
    if source is None:
        return _of_the_process()
    return _checked(source, "source")


@lru_cache(maxsize=1)
def _of_the_process() -> Source:
    named = os.environ.get(VARIABLE, "").strip().lower()
    if named:
        return _checked(named, VARIABLE)
    if importlib.util.find_spec("icrp107_database") is not None:
        return "icrp107"
    warnings.warn("icrp107-database is not installed: decay data are taken from the ENSDF extract, which holds a few "
                  f"dozen radionuclides. Set {VARIABLE}=ensdf to say that this is meant, or install the package.",
                  UserWarning, stacklevel=3)
    return "ensdf"


def _checked(name: str, where: str) -> Source:
    for known in SOURCES:
        if name == known:
            return known
    raise BadInput(f"{where} = '{name}'; it must be 'icrp107' or 'ensdf'.{near_miss(str(name), SOURCES)}")
