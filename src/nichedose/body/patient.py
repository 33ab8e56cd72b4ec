"""Who is treated: size, kidneys, blood, and tumours. Facts of one person; no model's defaults."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from nichedose.errors import BadInput

__all__ = ["Patient", "Tumour"]

RANGES = {
    "weight_kg": (20.0, 400.0), "height_cm": (100.0, 250.0), "age_years": (18.0, 115.0),
    "gfr_mL_per_min": (2.0, 250.0), "haematocrit": (0.1, 0.65),
}


@dataclass(frozen=True)
class Tumour:
    """One lesion, or all lesions of a kind together, as blood sees it.

    ``plasma_flow`` and ``permeability`` (x surface) in mL/min per mL of tumour; ``target_nmol_per_L`` binding sites per
    tumour volume; ``void_fraction`` what ligand can enter; ``plasma_fraction`` plasma in vessels. Raises `BadInput`.
    """

    name: str
    volume_mL: float
    plasma_flow_mL_per_min_per_mL: float
    permeability_mL_per_min_per_mL: float
    target_nmol_per_L: float
    void_fraction: float = 0.38
    plasma_fraction: float = 0.03

    def __post_init__(self) -> None:
        for name in ("volume_mL", "plasma_flow_mL_per_min_per_mL", "permeability_mL_per_min_per_mL",
                     "target_nmol_per_L"):
            value = getattr(self, name)
            low = 0.0 if name in ("target_nmol_per_L", "permeability_mL_per_min_per_mL") else 1e-9
            if not (math.isfinite(value) and value >= low):
                raise BadInput(f"Tumour '{self.name}': {name} must be finite and "
                               f"{'at or ' if low == 0.0 else ''}above 0; got {value}.")
        for name in ("void_fraction", "plasma_fraction"):
            value = getattr(self, name)
            if not 0.0 < value < 1.0:
                raise BadInput(f"Tumour '{self.name}': {name} must lie between 0 and 1; got {value}.")
        if self.void_fraction + self.plasma_fraction > 1.0:
            raise BadInput(f"Tumour '{self.name}': plasma and void take more than the whole volume.")


@dataclass(frozen=True)
class Patient:
    """One person. ``gfr_mL_per_min`` is not normalised to body surface; None: by age and size. ``organ_volumes_mL``
    replaces what size predicts. Raises `BadInput` for values outside life.

    >>> Patient(weight_kg=80.0, gfr_mL_per_min=55.0).sex
    'male'
    """

    weight_kg: float = 70.0
    height_cm: float = 175.0
    sex: Literal["male", "female"] = "male"
    age_years: float = 65.0
    gfr_mL_per_min: float | None = None
    haematocrit: float | None = None
    organ_volumes_mL: Mapping[str, float] = field(default_factory=dict)
    tumours: tuple[Tumour, ...] = ()

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and low <= value <= high):
                raise BadInput(f"Patient: {name} must lie in {low:g} to {high:g}; got {value:g}."
                               f"{_hint(name, value, low)}")
        if self.sex not in ("male", "female"):
            raise BadInput(f"Patient: sex must be 'male' or 'female' (it sets organ sizes); got '{self.sex}'.")
        for organ, volume in self.organ_volumes_mL.items():
            if not (math.isfinite(volume) and volume > 0.0):
                raise BadInput(f"Patient: the volume of '{organ}' must be above 0 mL; got {volume}.")
        names = [t.name for t in self.tumours]
        if len(set(names)) < len(names):
            raise BadInput(f"Patient: tumours named twice among {', '.join(names)}; give each its own name.")


def _hint(name: str, value: float, low: float) -> str:
    if name == "haematocrit" and 1.0 < value <= 65.0:
        return f" It is a fraction: {value / 100.0:g}, not {value:g} %."
    if name == "height_cm" and 0.45 <= value <= 2.5:
        return f" It is in cm: {value * 100.0:g}."
    if name in ("weight_kg", "height_cm", "age_years") and 0.0 < value < low:
        return " Organs, flows and filtration are those of adults."
    return ""
