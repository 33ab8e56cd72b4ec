"""BED of an organ over a whole course: any dose-rate history, cycles that meet, alpha particles, earlier treatment."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nichedose.dose.result import QUALITIES, Quality
from nichedose.effect.mixed_field import Exposure, pair_g
from nichedose.effect.parameters import HIGH_LET
from nichedose.errors import BadInput, near_miss

__all__ = ["OrganBed", "OrganCycle", "organ_bed_course"]


@dataclass(frozen=True)
class OrganCycle:
    """Dose of one administration to an organ: ``dose_Gy`` by quality, and the shape of its dose rate in time.

    ``curve`` is a dose rate on any scale (sum of exponentials; an uptake phase has a negative amplitude) that all
    qualities share, from ``start_h``.
    """

    dose_Gy: Mapping[Quality, float]
    curve: Exposure
    start_h: float = 0.0

    def __post_init__(self) -> None:
        for quality, dose in self.dose_Gy.items():
            if quality not in QUALITIES:
                raise BadInput(f"An organ's dose: no quality '{quality}'.{near_miss(quality, QUALITIES)}")
            if not (math.isfinite(dose) and dose >= 0.0):
                raise BadInput(f"An organ's dose of {quality}: {dose} Gy; it must be finite and not negative.")
        if not (math.isfinite(self.start_h) and self.start_h >= 0.0):
            raise BadInput(f"start_h = {self.start_h}; it must be finite and not negative.")
        if self.curve.dose_Gy <= 0.0:
            raise BadInput("The dose-rate curve of a cycle must have a dose above 0.")

    @property
    def low_let_Gy(self) -> float:
        return sum(dose for quality, dose in self.dose_Gy.items() if quality not in HIGH_LET)

    @property
    def high_let_Gy(self) -> float:
        return sum(dose for quality, dose in self.dose_Gy.items() if quality in HIGH_LET)


@dataclass(frozen=True)
class OrganBed:
    """``bed_Gy`` of the course with ``prior_bed_Gy``; its parts, by cycle where they belong to one."""

    bed_Gy: float
    prior_bed_Gy: float
    high_let_Gy: float = field(metadata={"meaning": "RBE times alpha and recoil dose"})
    low_let_Gy: float
    quadratic_Gy: float = field(metadata={"meaning": "G D2/(alpha/beta), between cycles included"})


def organ_bed_course(
    cycles: Sequence[OrganCycle], alpha_beta_Gy: float, repair_half_time_h: float | Sequence[float],
    *, rbe_high_let: float, prior_bed_Gy: float = 0.0, repair_weights: Sequence[float] = (1.0,),
) -> OrganBed:
    """BED = prior + RBE D_high + D_low + sum over pairs of cycles of G_ij D_i D_j/(alpha/beta), D_i the low-LET doses.

    High-LET dose has no quadratic term (docs/theory/survival.md). ``prior_bed_Gy`` is what the case declares of earlier
    treatment, as BED with the same alpha/beta. Several half-times with weights give multi-exponential repair. Raises
    `BadInput` for values not above 0 (rbe, alpha/beta, repair), a negative prior, and no cycle at all.

    >>> cycle = OrganCycle({"beta": 7.4 * 0.43}, Exposure((1.0,), (math.log(2.0) / 40.0,)))
    >>> round(organ_bed_course([cycle], 2.5, 2.8, rbe_high_let=5.0).bed_Gy, 3)
    3.447
    """
    halves = [repair_half_time_h] if isinstance(repair_half_time_h, float | int) else list(repair_half_time_h)
    for name, value in (("alpha_beta_Gy", alpha_beta_Gy), ("rbe_high_let", rbe_high_let),
                        *(("repair_half_time_h", half) for half in halves)):
        if not (math.isfinite(value) and value > 0.0):
            raise BadInput(f"{name} = {value}; it must be finite and above 0.")
    if not (math.isfinite(prior_bed_Gy) and prior_bed_Gy >= 0.0):
        raise BadInput(f"prior_bed_Gy = {prior_bed_Gy}; it must be finite and not negative.")
    if not cycles:
        raise BadInput("A course has at least one cycle.")
    repair = [math.log(2.0) / half for half in halves]
    ordered = sorted(cycles, key=lambda cycle: cycle.start_h)
    quadratic = 0.0
    for i, one in enumerate(ordered):
        for j, other in enumerate(ordered[i:], start=i):
            g = pair_g(one.curve, other.curve, repair, repair_weights, second_starts_h=other.start_h - one.start_h)
            quadratic += (1.0 if i == j else 2.0) * g * one.low_let_Gy * other.low_let_Gy
    quadratic /= alpha_beta_Gy
    low, high = sum(c.low_let_Gy for c in ordered), rbe_high_let * sum(c.high_let_Gy for c in ordered)
    return OrganBed(prior_bed_Gy + high + low + quadratic, prior_bed_Gy, high, low, quadratic)
