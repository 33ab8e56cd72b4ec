"""Linear-quadratic and oxygen parameters of one tumour in one draw."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from nichedose.dose.result import Quality
from nichedose.errors import BadInput

__all__ = ["HIGH_LET", "EffectParameters"]

HIGH_LET: frozenset[Quality] = frozenset({"alpha", "recoil"})
"""Qualities whose quadratic coefficient is taken as zero, unless ``high_let_root_beta`` says otherwise."""


@dataclass(frozen=True)
class EffectParameters:
    """Numbers of the survival model; no defaults.

    ``alpha_per_Gy`` and ``alpha_beta_Gy`` are those of low-LET radiation in well-oxygenated cells;
    ``repair_rate_per_h`` is ln 2 over the repair half-time. ``rbe`` multiplies alpha; ``oer_max`` is the oxygen
    enhancement ratio of anoxia; both by radiation quality. ``oer_half_pressure_mmHg`` is K in
    OER = (p + K)/(p + K/oer_max). ``high_let_root_beta`` is sqrt(beta) of alpha particles and recoils over that of low
    LET: 0 leaves them out of the quadratic term, above 0 lets their damage meet that of electrons (synergy).
    """

    alpha_per_Gy: float
    alpha_beta_Gy: float
    repair_rate_per_h: float
    rbe: Mapping[Quality, float]
    oer_max: Mapping[Quality, float]
    oer_half_pressure_mmHg: float
    high_let_root_beta: float = 0.0

    def __post_init__(self) -> None:
        for name in ("alpha_per_Gy", "alpha_beta_Gy", "oer_half_pressure_mmHg"):
            _require(math.isfinite(v := getattr(self, name)) and v > 0.0, f"{name} = {v:g}", "above 0")
        rate = self.repair_rate_per_h
        _require(math.isfinite(rate) and rate >= 0.0, f"repair_rate_per_h = {rate:g}", "0 (no repair) or above")
        root = self.high_let_root_beta
        _require(math.isfinite(root) and 0.0 <= root <= 1.0, f"high_let_root_beta = {root:g}", "between 0 and 1")
        for quality, ratio in self.rbe.items():
            _require(math.isfinite(ratio) and ratio > 0.0, f"rbe['{quality}'] = {ratio:g}", "above 0")
        for quality, ratio in self.oer_max.items():
            _require(math.isfinite(ratio) and ratio >= 1.0, f"oer_max['{quality}'] = {ratio:g}", "at least 1")
        lone = set(self.rbe) ^ set(self.oer_max)
        if lone:
            raise BadInput("rbe and oer_max must name the same qualities; only one of them has "
                           f"{', '.join(sorted(lone))}.")

    @property
    def beta_per_Gy2(self) -> float:
        """Quadratic coefficient of low-LET radiation in well-oxygenated cells."""
        return self.alpha_per_Gy / self.alpha_beta_Gy


def _require(holds: bool, given: str, rule: str) -> None:
    if not holds:
        raise BadInput(f"EffectParameters: {given}; it must be finite and {rule}.")
