"""Names of radionuclides: ``177Lu`` inside, and whatever people write at the border."""

from __future__ import annotations

import importlib.util
import os
import re
import unicodedata
from functools import lru_cache
from pathlib import Path

from nichedose.errors import BadInput, near_miss
from nichedose.nuclide import ensdf
from nichedose.nuclide.sources import Source, chosen_source

__all__ = ["canonical_name", "database_folder", "database_name", "known_nuclides"]

_MASS_FIRST = re.compile(r"^(\d{1,3})[- ]?([a-z]{1,3})$")
_ISOMER_FIRST = re.compile(r"^(\d{1,3})([mn])[- ]([a-z]{1,2})$")
_SYMBOL_FIRST = re.compile(r"^([a-z]{1,2})[- ]?(\d{1,3})([mn]?)$")
_CANONICAL = re.compile(r"(\d{1,3})([mn]?)([A-Z][a-z]?)")
_DATABASE = re.compile(r"^([A-Z][a-z]?)-(\d+)([mn]?)$")


@lru_cache(maxsize=1)
def database_folder() -> Path:
    """Where the ICRP-107 files of ``icrp107-database`` lie; found without importing it."""
    spec = importlib.util.find_spec("icrp107_database")
    if spec is None or spec.origin is None:
        raise BadInput("The decay data of ICRP Publication 107 are not installed; install them with 'pip install "
                       "icrp107-database', or use the shipped ENSDF extract: source='ensdf' or "
                       "NICHEDOSE_DECAY_DATA=ensdf.")
    return Path(spec.origin).parent / "icrp107"


@lru_cache(maxsize=2)
def _by_name(source: Source) -> dict[str, str]:
    if source == "ensdf":
        return {name: _hyphenated(name) for name in ensdf.records()}
    with os.scandir(database_folder()) as files:
        found = [_DATABASE.match(file.name.removesuffix(".json")) for file in files]
    return {f"{m[2]}{m[3]}{m[1]}": m[0] for m in found if m is not None}


def _hyphenated(name: str) -> str:
    mass, isomer, symbol = _CANONICAL.fullmatch(name).groups()  # type: ignore[union-attr]  # our own file
    return f"{symbol}-{mass}{isomer}"


def known_nuclides(source: Source | None = None) -> tuple[str, ...]:
    """All radionuclides of the source (ICRP Publication 107 unless chosen otherwise), canonical names, sorted."""
    return tuple(sorted(_by_name(chosen_source(source))))


def database_name(name: str, source: Source | None = None) -> str:
    """The name that the data packages use: ``Lu-177``."""
    return _by_name(chosen_source(source))[canonical_name(name, source)]


def canonical_name(name: str, source: Source | None = None) -> str:
    """The name used inside: mass, ``m`` or ``n`` for an isomer, symbol.

    Accepts ``177Lu``, ``Lu-177``, ``lu177``, ``99mTc``, ``99m-Tc``, ``Tc-99m``, and raised digits. Raises `BadInput`
    for what is not a radionuclide of the source (stable nuclides are not), with near misses.

    >>> canonical_name("Lu-177"), canonical_name("tc99m")
    ('177Lu', '99mTc')
    """
    if not isinstance(name, str):
        raise BadInput(f"{name!r} is not the name of a radionuclide; write text such as '177Lu' or 'Lu-177'.")
    return _canonical(name, chosen_source(source))


@lru_cache(maxsize=4096)
def _canonical(name: str, source: Source) -> str:
    known = _by_name(source)
    for candidate in _readings(name):
        if candidate in known:
            return candidate
    if source == "ensdf":
        raise BadInput(f"'{name}' is not a radionuclide of the ENSDF extract.{_same_mass(name, known)} It holds "
                       f"{', '.join(known)}.")
    raise BadInput(f"'{name}' is not a radionuclide of ICRP Publication 107 (stable nuclides are not in it)."
                   f"{_suggestion(name, known)}")


def _same_mass(name: str, known: dict[str, str]) -> str:
    """A near miss of the same mass number: among so few, other likenesses are chance."""
    mass = re.search(r"\d+", name)
    near = [one for one in known if mass is not None and re.match(rf"{mass[0]}\D", one)]
    return near_miss(name, near) if near else ""


def _readings(name: str) -> list[str]:
    text = unicodedata.normalize("NFKC", name).strip().lower()  # digits of a copied superscript
    mass_first, symbol_first = _MASS_FIRST.match(text), _SYMBOL_FIRST.match(text)
    isomer_first = _ISOMER_FIRST.match(text)
    readings = []
    if mass_first is not None:
        mass, letters = mass_first.groups()
        readings.append(f"{mass}{letters.capitalize()}")
        if letters[0] in "mn" and len(letters) > 1:  # '99mtc' is an isomer, '99mo' is not: the data decide
            readings.append(f"{mass}{letters[0]}{letters[1:].capitalize()}")
    if isomer_first is not None:
        mass, isomer, symbol = isomer_first.groups()
        readings.append(f"{mass}{isomer}{symbol.capitalize()}")
    if symbol_first is not None:
        symbol, mass, isomer = symbol_first.groups()
        readings.append(f"{mass}{isomer}{symbol.capitalize()}")
    return readings


def _mass_first(name: str) -> str:
    """The first number and then the letters, for likeness to names: 'lutetium-177' becomes '177lutetium'."""
    mass, letters = re.search(r"\d+", name), "".join(re.findall(r"[a-z]+", name.lower()))
    return (mass[0] if mass else "") + letters


def _suggestion(name: str, known: dict[str, str]) -> str:
    readings = _readings(name) or _readings(re.sub(r"[^a-z0-9]", "", name.lower())) or [_mass_first(name)]
    hint = near_miss(readings[0], known)
    return hint if hint.startswith(" Did") else " Write it as 177Lu or Lu-177."
