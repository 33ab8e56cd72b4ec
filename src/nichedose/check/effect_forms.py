"""Oxygen by LET, alpha RBE, mixed fields, cycles, harm and control, against published and independent numbers."""

from __future__ import annotations

import numpy as np

from nichedose.check.row import CheckRow
from nichedose.dose.alphas import alpha_stopping_keV_per_um
from nichedose.effect import (
    DoseRate,
    Exposure,
    ImmuneParameters,
    LymanCurve,
    Repopulation,
    calibrate_immune,
    cycles_g,
    effective_time_h,
    immune_course,
    log_kill_for_control,
    log_survival_mixed,
    ntcp,
    oer_form,
    oxygen_enhancement_ratio,
    rbe_by_energy,
    rbe_by_let,
    track_oer_max,
)
from nichedose.library import load_library
from nichedose.nuclide import Lines

__all__ = ["rows"]

_TINGANELLI = "Tinganelli et al. 2015, CHO cells, measured OER (as transcribed in a public compilation)"
_BARENDSEN = "Barendsen et al. 1966, T1 cells, read off independently of the points that we interpolate"
_MSTAR = "average along the track computed independently with MSTAR stopping powers; ours with ASTAR"
_PAROTID = "Michigan and Utrecht, Int J Radiat Oncol Biol Phys 2010;78:449 (pubmed 20056347)"
_PERCENT_mmHg = 7.6


def rows() -> list[CheckRow]:
    """All comparisons of the optional forms."""
    return [*_oxygen(), *_rbe(), *_mixed(), *_harm(), _immune(), *_held_out()]


def _oxygen() -> list[CheckRow]:
    out = [
        CheckRow(id=f"effect.OER.tinganelli.{let:g}keV-um.{percent:g}percent", kind="published", source=_TINGANELLI,
                 ours=float(oer_form("tinganelli").oer(percent * _PERCENT_mmHg, let)), reference=measured,
                 tolerance=2.0 * error, absolute=True, note="tolerance: two standard errors of the measurement")
        for let, percent, measured, error in [
            (51.0, 0.0, 2.46, 0.23), (100.0, 0.0, 1.81, 0.12), (150.0, 0.0, 1.33, 0.05), (68.0, 0.15, 1.64, 0.18),
            (124.0, 0.15, 1.34, 0.12), (1.0, 0.5, 1.50, 0.10), (100.0, 0.5, 1.29, 0.08), (68.0, 2.0, 1.20, 0.13)]
    ]
    out += [
        CheckRow(id=f"effect.OER.barendsen.{let:g}keV-um", kind="published", source=_BARENDSEN, absolute=True,
                 ours=float(oer_form("barendsen").oer_max(let)), reference=measured, tolerance=0.08,
                 note="tolerance: two digitisations of one figure differ by so much")
        for let, measured in [(26.0, 2.4), (61.0, 2.05), (88.0, 1.7), (110.0, 1.3), (140.0, 1.1), (166.0, 1.0)]
    ]
    for energy, anoxic, low in [(5.30, 1.18, 1.09), (5.83, 1.22, 1.11), (7.07, 1.30, 1.15), (8.375, 1.37, 1.18)]:
        found = track_oer_max(Lines(np.array([energy]), np.ones(1)), oer_form("barendsen"))
        out += [
            CheckRow(id=f"effect.OER.track.{energy:g}MeV.{p:g}mmHg", kind="independent code", source=_MSTAR,
                     ours=float(oxygen_enhancement_ratio(p, found, 3.0)), reference=value, tolerance=0.01,
                     absolute=True, note="tolerance: last digit, and two sets of stopping powers")
            for p, value in [(0.0, anoxic), (2.5, low)]
        ]
    return out


def _rbe() -> list[CheckRow]:
    source = "Howell et al. 1994, Radiat Res: RBE = 22 E^-0.73 and, by LET at emission, 4.8 - 0.061 L + 0.001 L^2"
    return [
        CheckRow(id=f"effect.RBE.howell.{energy:g}MeV", kind="published", source=source, tolerance=0.06,
                 ours=float(rbe_by_let(alpha_stopping_keV_per_um(np.array([energy])))[0]),
                 reference=float(rbe_by_energy(energy)), note="two published fits to the same data, joined by our LET")
        for energy in (5.3, 7.07, 8.785)
    ]


def _mixed() -> list[CheckRow]:
    acute = 1e7
    low, high = Exposure((10.0 * acute,), (acute,), 0.3, 0.1), Exposure((2.0 * acute,), (acute,), 1.5, 0.1)
    alone = -log_survival_mixed([low, high], 0.4, synergy=False) / 0.3
    together = -log_survival_mixed([low, high], 0.4) / 0.3
    by_hand = "Zaider and Rossi 1980 by hand: alpha/beta 3 Gy, 2 Gy of RBE 5 and 10 Gy of low LET, equal beta, acute"
    rate = Exposure((1.0,), (np.log(2.0) / 51.0,))
    one = np.log(2.0) / 1.9 + np.log(2.0) / 51.0
    return [
        CheckRow(id="effect.mixed.BED.alone", kind="analytic", source=by_hand, ours=alone, reference=54.7, unit="Gy",
                 tolerance=0.05, absolute=True),
        CheckRow(id="effect.mixed.BED.synergy", kind="analytic", source=by_hand, ours=together - alone, reference=13.3,
                 unit="Gy", tolerance=0.05, absolute=True),
        CheckRow(id="effect.cycles.G.far-apart", kind="analytic", source="k/(k + mu)/n by hand, 51 h, 1.9 h, 6 cycles",
                 ours=cycles_g(rate, 6, 1e5, np.log(2.0) / 1.9), reference=np.log(2.0) / 51.0 / one / 6.0,
                 tolerance=1e-12),
        CheckRow(id="effect.repopulation.T-star", kind="analytic", unit="h", tolerance=1e-12,
                 source="ln(alpha R0 T_pot/ln 2)/k by hand",
                 ours=float(effective_time_h(0.1, 0.0136, Repopulation(480.0))),
                 reference=float(np.log(0.1 * 480.0 / np.log(2.0)) / 0.0136)),
    ]


def _harm() -> list[CheckRow]:
    parotid = LymanCurve(39.9, 0.40)
    return [
        *(CheckRow(id=f"effect.NTCP.parotid.{dose:g}Gy", kind="published", source=_PAROTID, ours=ntcp(dose, parotid),
                   reference=value, tolerance=0.01, absolute=True, note="tolerance: the abstract gives whole per cent")
          for dose, value in [(25.0, 0.17), (30.0, 0.26)]),
        CheckRow(id="effect.control.log-kill.half", kind="analytic", source="log10(N/ln 2) by hand, N = 1.79e8",
                 ours=log_kill_for_control(0.5, 1.79e8), reference=float(np.log10(1.79e8 / np.log(2.0))),
                 tolerance=1e-12),
    ]


def _immune() -> CheckRow:
    """The tumour after 12 days, without immune kill."""
    p = ImmuneParameters(0.2, 0.3, 0.0, 0.1, 3.0, 1.0, 0.5, 0.2, 0.2, 0.3)
    course = immune_course(p, 12.0, doses=(DoseRate(4.0, 3.0),))
    return CheckRow(
        id="effect.immune.no-immunity", kind="analytic", source="growth t - alpha D (1 - exp(-k t)) by hand",
        ours=float(course.log_tumour[-1, 0, 0]), reference=float(2.4 - 1.2 * (1.0 - 0.5**4)), tolerance=1e-6)


def _held_out() -> list[CheckRow]:
    """The combination arms that were held out of the fit of two numbers to the single arms."""
    data, rows = load_library().immune, []
    for series, agents, source, difference in (
            ("czernin_2021", "225Ac-and-anti-PD-1", "time to progression, Czernin et al., J Nucl Med 2021;62:228", ""),
            ("guzik_2020", "177Lu-and-anti-CTLA-4", "median survival, more than this, Guzik et al. 2020, PMC8041666",
             "the model delays growth and cannot eliminate the last cells")):
        low, middle, high = calibrate_immune(data.experiment[series], data.prior, draws=100).interval_d(0.9)
        observed = data.experiment[series].combination_d
        rows.append(CheckRow(
            id=f"effect.immune.held-out.{agents}", kind="published", source=source, ours=middle, reference=observed,
            tolerance=high - middle if observed > middle else middle - low, absolute=True, unit="d",
            note=f"tolerance: the 90 % prediction interval, {low:.0f} to {high:.0f} d", known_difference=difference))
    return rows
