"""Units at the border: text such as ``"7.4 GBq"`` becomes a float in the canonical unit, once.

Inside the package numbers are plain floats, and the unit stands in the name (``half_life_h``).
Canonical units: h, um (tissue), mm (images), nmol/L, nmol, MBq, MeV, Gy, mmHg, um2/s, um/s, kDa.
"""

from __future__ import annotations

import math
import re
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from nichedose.errors import BadInput, near_miss

__all__ = [
    "MOLECULES_PER_NMOL", "ActivityMBq", "AmountNmol", "ConcentrationNmolPerL", "DensityPerMm3", "DoseGy", "LengthMm",
    "LengthUm", "StartTimeH", "TimeH", "convert", "known_dimension", "parse_quantity", "split_unit", "unit_of_key",
]

MOLECULES_PER_NMOL = 6.02214076e14

# unit -> (dimension, factor to the SI-like base of that dimension)
_UNITS: dict[str, tuple[str, float]] = {
    "s": ("time", 1.0), "min": ("time", 60.0), "h": ("time", 3600.0), "d": ("time", 86400.0),
    "wk": ("time", 604800.0),
    "nm": ("length", 1e-9), "um": ("length", 1e-6), "mm": ("length", 1e-3), "cm": ("length", 1e-2),
    "m": ("length", 1.0),
    "Bq": ("activity", 1.0), "kBq": ("activity", 1e3), "MBq": ("activity", 1e6), "GBq": ("activity", 1e9),
    "uCi": ("activity", 3.7e4), "mCi": ("activity", 3.7e7), "Ci": ("activity", 3.7e10),
    "fmol": ("amount", 1e-15), "pmol": ("amount", 1e-12), "nmol": ("amount", 1e-9), "umol": ("amount", 1e-6),
    "mol": ("amount", 1.0),
    "pmol/L": ("concentration", 1e-12), "nmol/L": ("concentration", 1e-9), "umol/L": ("concentration", 1e-6),
    "fmol/mL": ("concentration", 1e-12), "pmol/mL": ("concentration", 1e-9), "nmol/mL": ("concentration", 1e-6),
    "pM": ("concentration", 1e-12), "nM": ("concentration", 1e-9), "uM": ("concentration", 1e-6),
    "ng": ("mass", 1e-9), "ug": ("mass", 1e-6), "mg": ("mass", 1e-3), "g": ("mass", 1.0), "kg": ("mass", 1e3),
    "mGy": ("dose", 1e-3), "cGy": ("dose", 1e-2), "Gy": ("dose", 1.0),
    "mmHg": ("pressure", 1.0),
    "1/mm3": ("number density", 1.0), "1/mL": ("number density", 1e-3), "1/cm3": ("number density", 1e-3),
    "g/mL": ("density", 1.0), "g/cm3": ("density", 1.0), "kg/L": ("density", 1.0),
    "mL": ("volume", 1.0), "L": ("volume", 1e3), "cm3": ("volume", 1.0), "mm3": ("volume", 1e-3),
}
_ALIASES = {
    "µm": "um", "μm": "um", "micron": "um", "microns": "um", "week": "wk", "weeks": "wk", "w": "wk", "day": "d",
    "days": "d", "hour": "h", "hours": "h", "hr": "h", "minutes": "min", "minute": "min", "sec": "s",
    "µg": "ug", "μg": "ug", "µmol": "umol", "μmol": "umol", "cells/mm3": "1/mm3", "cells/mL": "1/mL",
    "/mm3": "1/mm3", "mm-3": "1/mm3",
}
# Endings of names that carry a unit, longer before shorter wherever one ends with another.
_ENDINGS = {
    "L_per_nmol_per_h": "L/(nmol.h)", "mL_per_min_per_mL": "mL/min/mL", "mL_per_min": "mL/min",
    "mmHg_per_s": "mmHg/s", "um2_per_s": "um2/s", "um_per_s": "um/s", "nmol_per_L": "nmol/L",
    "Gy_per_GBq": "Gy/GBq", "Gy_per_MBq": "Gy/MBq", "fraction_per_L": "1/L", "per_mm3": "1/mm3", "per_Gy": "1/Gy",
    "per_cm": "1/cm", "kg_per_L": "kg/L", "per_L": "1/L", "per_h": "1/h", "mmHg": "mmHg", "MBq": "MBq", "GBq": "GBq",
    "nmol": "nmol", "kDa": "kDa", "MiB": "MiB", "GiB": "GiB", "mL": "mL", "Gy": "Gy", "um": "um", "mm": "mm",
    "kg": "kg", "h": "h", "s": "s",
}
# Keys of library values that end in the name of an organ or of a quantity instead.
_KEYS_WITHOUT_ENDING = (
    (re.compile(r"[.]dose[.][^.]+$"), "Gy/GBq"),
    (re.compile(r"[.]body[.]target_nmol_per_L[.][^.]+$"), "nmol/L"),
    (re.compile(r"[.]body[.](internalisation|release)_per_h[.][^.]+$"), "1/h"),
    (re.compile(r"^limit[.].*[.](absorbed_dose|bed|weighted_rbe5)$"), "Gy"),
)
_QUANTITY = re.compile(r"^\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(\S.*?)?\s*$")


def convert(value: float, unit: str, to: str) -> float:
    """``value`` in ``unit`` expressed in ``to``; raises `BadInput` when the two measure different things."""
    wanted, wanted_factor = _lookup(to)
    dimension, factor = _lookup(unit, wanted)
    if dimension != wanted:
        raise BadInput(f"'{value:g} {unit}' measures {dimension}; {wanted} is needed, for example in {to}.")
    return value * factor / wanted_factor


def known_dimension(unit: str) -> str | None:
    """What a unit measures; None for one that is not known.

    >>> known_dimension("fmol"), known_dimension("H-score")
    ('amount', None)
    """
    found = _UNITS.get(_ALIASES.get(unit, unit))
    return None if found is None else found[0]


def parse_quantity(text: object, unit: str, *, minimum: float | None = None) -> float:
    """Parse ``"7.4 GBq"`` into a float in ``unit``.

    Raises `BadInput` for a bare number, an unknown unit, a unit that does not fit, NaN or infinity.

    >>> parse_quantity("7.4 GBq", "MBq")
    7400.0
    >>> parse_quantity("6 wk", "h")
    1008.0
    """
    if not isinstance(text, str):
        raise BadInput(f"{text!r} has no unit; write it as text with a unit, for example \"{text} {unit}\".")
    match = _QUANTITY.match(text)
    if match is None:
        raise BadInput(f"'{text}' is not a number with a unit; write for example \"1.5 {unit}\".")
    number, given = match.groups()
    if given is None:
        raise BadInput(f"'{text}' has no unit; write for example \"{text} {unit}\".")
    value = convert(float(number), given, unit)
    if not math.isfinite(value):
        raise BadInput(f"'{text}' is not a finite number.")
    if minimum is not None and value < minimum:
        raise BadInput(f"'{text}' is below the smallest allowed value, {minimum:g} {unit}.")
    return value


def split_unit(name: str) -> tuple[str, str]:
    """A name and the unit at its end; the unit is empty where the name ends in none.

    >>> split_unit("run_time_s"), split_unit("vessel_contrast")
    (('run_time', 's'), ('vessel_contrast', ''))
    """
    for ending, unit in _ENDINGS.items():
        if name.endswith(f"_{ending}"):
            return name[: -len(ending) - 1], unit
    return name, ""


def unit_of_key(key: str) -> str:
    """The unit of a library value by its key; empty for a pure number.

    >>> unit_of_key("form.PSMA-617.plasma.fraction_per_L[0]"), unit_of_key("limit.kidney.bed")
    ('1/L', 'Gy')
    """
    for pattern, unit in _KEYS_WITHOUT_ENDING:
        if pattern.search(key):
            return unit
    last = re.sub(r"\[[^\]]*\]", "", key).rsplit(".", 1)[-1]
    return _ENDINGS.get(last) or split_unit(last)[1]


def _lookup(unit: str, wanted: str | None = None) -> tuple[str, float]:
    name = _ALIASES.get(unit, unit)
    if name not in _UNITS:
        fitting = [u for u, (dimension, _) in _UNITS.items() if wanted in (None, dimension)]
        raise BadInput(f"Unknown unit '{unit}'.{near_miss(unit, fitting)}")
    return _UNITS[name]


def _border(unit: str, *, positive: bool) -> BeforeValidator:
    def validate(raw: object) -> float:
        try:
            value = parse_quantity(raw, unit, minimum=0.0)
        except BadInput as error:  # pydantic reports ValueError with the field's place in the file
            raise ValueError(str(error)) from error
        if positive and value == 0.0:
            raise ValueError(f"'{raw}' must be above zero.")
        return value

    return BeforeValidator(validate)


def _schema(example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "description": f"a number with its unit, for example \"{example}\""})


TimeH = Annotated[float, _border("h", positive=True), _schema("6 wk")]
StartTimeH = Annotated[float, _border("h", positive=False), _schema("0 h")]
LengthUm = Annotated[float, _border("um", positive=True), _schema("20 um")]
LengthMm = Annotated[float, _border("mm", positive=True), _schema("20 mm")]
ActivityMBq = Annotated[float, _border("MBq", positive=True), _schema("7.4 GBq")]
AmountNmol = Annotated[float, _border("nmol", positive=True), _schema("60 nmol")]
ConcentrationNmolPerL = Annotated[float, _border("nmol/L", positive=False), _schema("50 nmol/L")]
DoseGy = Annotated[float, _border("Gy", positive=False), _schema("3 Gy")]
DensityPerMm3 = Annotated[float, _border("1/mm3", positive=True), _schema("1e5 1/mm3")]
