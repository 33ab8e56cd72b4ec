"""Protraction, survival, BED, oxygen and control against closed forms and published tables."""

from __future__ import annotations

import numpy as np

from nichedose.check.row import CheckRow
from nichedose.dose.result import QUALITIES, DoseRateHistory, Quality
from nichedose.effect import (
    EffectParameters,
    bed,
    bed_from_log_survival,
    eqd2,
    g_exponentials,
    lea_catcheside,
    log_survival,
    organ_bed,
    oxygen_enhancement_ratio,
    region_effect,
    tcp,
)
from nichedose.fields.grid import Array

__all__ = ["rows"]

_LN2, _LN10 = float(np.log(2.0)), float(np.log(10.0))
_LEA = "Lea and Catcheside 1942, doi:10.1007/BF02982830"
_LQ = "linear-quadratic model evaluated by hand; parameters as printed in PMC9608466, figure 1"
_WENZL = "Wenzl and Wilkens 2011, doi:10.1186/1748-717X-6-171, table 3 (as transcribed in a public compilation)"
_PLENTY_mmHg = 1e9


def rows() -> list[CheckRow]:
    """All comparisons of the effect room."""
    return [*_protraction(), *_survival(), *_oxygen(), *_alpha_particles(), *_organs(), *_regions()]


def _protraction() -> list[CheckRow]:
    """G from curves sampled at 80 log-spaced times, as a run has them, to 40 half-lives, against closed forms."""
    out = []
    for effective_h, repair_h in [(51.0, 1.9), (51.0, 2.8), (40.0, 2.8), (60.0, 1.5), (159.5, 1.9), (240.0, 1.9)]:
        out.append(CheckRow(
            id=f"effect.G.{effective_h:g}h.repair{repair_h:g}h", kind="analytic", tolerance=1e-3,
            source="one exponential: G = T_repair/(T_repair + T_effective)",
            ours=_sampled_g((1.0,), (effective_h,), repair_h), reference=repair_h / (repair_h + effective_h),
        ))
    for effective_h, uptake_h, repair_h, value in [
        (51.0, 1.0, 1.9, 0.035679), (51.0, 6.0, 1.9, 0.033045), (51.0, 12.0, 1.9, 0.030011), (60.0, 4.0, 2.8, 0.042947),
    ]:
        out.append(CheckRow(
            id=f"effect.G.{effective_h:g}h.uptake{uptake_h:g}h.repair{repair_h:g}h", kind="analytic", tolerance=1e-3,
            source="two exponentials: the double integral by hand, confirmed by quadrature",
            ours=_sampled_g((1.0, -1.0), (effective_h, uptake_h), repair_h), reference=value,
        ))
    x = 0.36 * 10.0
    flat = DoseRateHistory(np.linspace(0.0, 10.0, 6), np.full(6, 0.1), np.empty((0, 6)), np.empty((0, 1, 1)), 0.0)
    out.append(CheckRow(
        id="effect.G.constant-rate", kind="analytic", source=_LEA, tolerance=1e-10,
        ours=float(lea_catcheside(flat, np.ones((1, 1)), 0.36)[0, 0]), reference=2.0 * (x - 1.0 + np.exp(-x)) / x**2,
    ))
    return out


def _sampled_g(amplitudes: tuple[float, ...], half_lives_h: tuple[float, ...], repair_h: float) -> float:
    times_h = np.concatenate([[0.0], np.geomspace(0.1, 40.0 * max(half_lives_h), 80)])
    a, k = np.array(amplitudes), _LN2 / np.array(half_lives_h)
    rate = (a[:, None] * np.exp(-np.outer(k, times_h))).sum(axis=0) / np.sum(a / k)
    history = DoseRateHistory(times_h, rate, np.empty((0, len(times_h))), np.empty((0, 1, 1)), 0.0)
    return float(lea_catcheside(history, np.ones((1, 1)), _LN2 / repair_h)[0, 0])


def _parameters(alpha_beta_Gy: float = 1.5) -> EffectParameters:
    high = ("alpha", "recoil")
    return EffectParameters(
        alpha_per_Gy=0.147, alpha_beta_Gy=alpha_beta_Gy, repair_rate_per_h=_LN2 / 1.9, oer_half_pressure_mmHg=3.0,
        rbe={q: 5.0 if q in high else 1.0 for q in QUALITIES},
        oer_max={q: 1.3 if q in high else 3.0 for q in QUALITIES},
    )


def _log_survival(
    beta_Gy: float, alpha_Gy: float = 0.0, oxygen_mmHg: float = _PLENTY_mmHg, alpha_beta_Gy: float = 1.5
) -> float:
    g = g_exponentials([1.0], [_LN2 / 51.0], _LN2 / 1.9)
    doses: dict[Quality, Array] = {"beta": np.array(beta_Gy), "alpha": np.array(alpha_Gy)}
    return float(log_survival(doses, np.array(g), np.array(oxygen_mmHg), _parameters(alpha_beta_Gy)))


def _survival() -> list[CheckRow]:
    """alpha 0.147 per Gy, alpha/beta 1.5 Gy, effective half-life 51 h, repair half-time 1.9 h, 1.79e8 clonogens."""
    at_50 = _log_survival(50.0)
    values = [
        ("survival.20Gy", np.exp(_log_survival(20.0)), 1.29e-2, 4e-3, ""),
        ("BED.50Gy", float(bed(50.0, g_exponentials([1.0], [_LN2 / 51.0], _LN2 / 1.9), 1.5)), 109.86, 5e-5, "Gy"),
        ("survival.50Gy", np.exp(at_50), 9.69e-8, 6e-4, ""),
        ("TCP.50Gy", tcp(-at_50 / _LN10, 1.79e3, 1e5), 2.9e-8, 2e-2, ""),
        ("TCP.80Gy", tcp(-_log_survival(80.0) / _LN10, 1.79e3, 1e5), 0.9999998, 5e-8, ""),
    ]
    return [
        CheckRow(id=f"effect.{name}", source=_LQ, kind="analytic", ours=float(ours), reference=ref, tolerance=tol,
                 unit=unit, note="tolerance is the last printed digit")
        for name, ours, ref, tol, unit in values
    ]


def _oxygen() -> list[CheckRow]:
    out = [
        CheckRow(id=f"effect.OER.{p:g}mmHg", kind="analytic", tolerance=5e-4, absolute=True,
                 source="OER = (p + K)/(p + K/m) by hand, m = 3, K = 3 mmHg",
                 ours=float(oxygen_enhancement_ratio(p, 3.0, 3.0)), reference=value)
        for p, value in [(0.0, 3.0), (1.0, 2.0), (2.5, 1.571), (10.0, 1.182)]
    ]
    for name, anoxic, half, table in [
        ("photons", 2.83, 2.65, (2.13, 1.84, 1.46, 1.25, 1.03)),
        ("carbon.40keV-um", 2.34, 2.68, (1.88, 1.68, 1.39, 1.21, 1.03)),
        ("carbon.223keV-um", 1.36, 2.78, (1.27, 1.23, 1.15, 1.09, 1.01)),
    ]:
        normal = oxygen_enhancement_ratio(60.0, anoxic, half)
        for p, value in zip((0.5, 1.0, 2.5, 5.0, 20.0), table, strict=True):
            out.append(CheckRow(
                id=f"effect.OER.{name}.{p:g}mmHg", kind="published", source=_WENZL, tolerance=0.025, absolute=True,
                ours=float(oxygen_enhancement_ratio(p, anoxic, half) / normal), reference=value,
                note=f"shape only: anoxic OER {anoxic:g} and K {half:g} mmHg are fitted to these five values, "
                     "with 60 mmHg assumed as the oxic reference",
            ))
    return out


def _alpha_particles() -> list[CheckRow]:
    out = []
    for ratio_Gy, value in [(2.5, 2.78), (10.0, 4.17)]:
        kill = bed_from_log_survival(_log_survival(0.0, alpha_Gy=1.0, alpha_beta_Gy=ratio_Gy), 0.147)
        out.append(CheckRow(
            id=f"effect.RBE2.alpha-beta{ratio_Gy:g}Gy", kind="analytic", tolerance=2e-3,
            source="RBE2 = RBE_max/(1 + 2/(alpha/beta)) by hand", ours=float(eqd2(kill, ratio_Gy)), reference=value,
            note="EQD2 of 1 Gy of alpha particles, RBE 5",
        ))
    anoxic = _log_survival(0.0, alpha_Gy=1.0, oxygen_mmHg=0.0) / _log_survival(0.0, alpha_Gy=1.0)
    out.append(CheckRow(id="effect.OER.alpha-particles.anoxia", kind="self-test", source="the parameter that was given",
                        ours=1.0 / anoxic, reference=1.3, tolerance=1e-6))
    return out


def _organs() -> list[CheckRow]:
    source = "BED = D (1 + G D/(alpha/beta)) by hand: 7.4 GBq x 0.43 Gy/GBq, 2.5 Gy, repair 2.8 h, effective 40 h"
    return [
        CheckRow(id=f"effect.BED.kidney.{n}cycles", kind="analytic", source=source, unit="Gy", tolerance=tolerance,
                 absolute=True, ours=organ_bed(7.4 * 0.43, 2.5, 2.8, 40.0, n), reference=value)
        for n, value, tolerance in [(1, 3.447, 5e-4), (6, 20.7, 0.05)]
    ]


def _regions() -> list[CheckRow]:
    """Survivals far below what a float can hold."""
    logs = np.array([-900.0, -901.0, -5000.0]) * _LN10
    return [CheckRow(
        id="effect.log-kill.no-underflow", kind="analytic", source="-log10((1e-900 + 1e-901 + 1e-5000)/3) by hand",
        ours=region_effect({"all": logs}, {"all": np.ones(3)}).log_kill, reference=900.0 - np.log10(1.1 / 3.0),
        tolerance=1e-12,
    )]
