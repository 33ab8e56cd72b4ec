"""The shipped extract of ENSDF: one record for each radionuclide (``data/PROVENANCE.md`` says how it was made)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Any

__all__ = ["packages", "record", "records"]


@lru_cache(maxsize=1)
def _file() -> Mapping[str, Any]:
    content: dict[str, Any] = json.loads(resources.files("nichedose.nuclide").joinpath("data/ensdf.json").read_text())
    return MappingProxyType(content)


def records() -> Mapping[str, Mapping[str, Any]]:
    """All records by canonical name.

    Each holds ``half_life_h``, ``q_MeV`` (energy set free per decay: Q by branching, less that of a daughter isomer),
    ``neutrino_MeV`` per decay, and where they apply ``progeny`` (branching), ``alpha``, ``recoil``, ``conversion``,
    ``auger``, ``photon`` (pairs of energy in MeV and number per decay), ``beta`` (end point and mean in MeV, number per
    decay, sign, forbiddenness as ENSDF writes it) and ``spectrum`` (energies in MeV, betas per MeV and decay).
    """
    found: Mapping[str, Mapping[str, Any]] = _file()["nuclides"]
    return found


def record(name: str) -> Mapping[str, Any]:
    """The record of a canonical name; `KeyError` for others."""
    return records()[name]


def packages() -> Mapping[str, str]:
    """Versions of the packages that the extract was made with."""
    found: Mapping[str, str] = _file()["packages"]
    return found
