"""The two sources of decay data against each other, nuclide by nuclide, and ENSDF against its own Q values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from nichedose.check.row import CheckRow
from nichedose.dose.alphas import fold_alphas
from nichedose.dose.electrons import fold_electrons
from nichedose.fields.grid import Array
from nichedose.nuclide import Source, beta_bins, chain, emissions, ensdf, half_life_h, known_nuclides

__all__ = ["REASONS", "Difference", "balance", "difference", "differences", "reasons_table", "rows", "table"]

_ICRP = "ICRP Publication 107 (Ann. ICRP 38 (3), 2008)"
_QUALITIES = ("alpha", "beta", "conversion", "auger", "photon")
_CHARGED = ("alpha", "recoil", "beta", "conversion", "auger")
_LIBRARY = ("177Lu", "161Tb", "90Y", "131I", "67Cu", "225Ac", "211At", "212Pb")
_TREATMENT_H = 24.0 * 365.0  # progeny that live longer do not decay within a treatment
_RADII_UM = np.concatenate([[0.0], np.geomspace(1.0, 3e4, 40)])
_SHOWN_MEV = 1e-4  # per decay; less is not compared
LIMIT = 0.02  # above this a reason is due
COUNTS = 1e-3  # for a quality that holds at least this share of what the nuclide emits

# Why, where a quality or half-life differs by more than LIMIT. Numbers: ICRP-107 first, ENSDF second; per decay.
REASONS = {
    "177Lu": "photons of 208 keV 0.110, 0.1041 and of 113 keV 0.0640, 0.0623; conversion goes with them",
    "161Tb": "conversion of 26 keV beyond the L shell 0.118, 0.113; ENSDF's betas sum to 100.9 % and are scaled to 100",
    "67Cu": "conversion of 93 keV beyond the K shell 0.0174, 0.0148",
    "225Ac": "what enters a level and is not listed as leaving it was given to conversion (energy then balances)",
    "221Fr": "half-life 4.9, 4.801 min",
    "213Bi": "alpha branch 0.0209, 0.0214; K conversion of 440 keV 0.0404, 0.0337",
    "213Po": "half-life 4.2, 3.72 us",
    "209Tl": "K conversion of 117 keV 0.199, 0.178",
    "211At": "more K vacancies: K X rays 0.393, 0.432; ENSDF's energy balances to 0.01 %",
    "207Bi": "half-life 32.9, 31.55 y; K conversion of 1064 keV 0.0729, 0.0709 (measured coefficients)",
    "212Pb": "K conversion of 239 keV 0.326, 0.310",
    "212Bi": "L conversion of 40 keV 0.199, 0.189, beyond it 0.062, 0.055",
    "208Tl": "K conversion of 2614 keV 0.0070, 0.0017 (coefficient 0.0071, 0.0017)",
    "227Th": "ICRP-107 emits 0.8 % more than Q, ENSDF 0.4 %: intensities below 60 keV are poorly known",
    "223Ra": "photons of 269 keV 0.139, 0.133 and of 324 keV 0.0399, 0.0364; K conversion of 269 keV 0.0946, 0.0848",
    "211Pb": "K conversion of 405 keV 0.0038, 0.0036 and of 427 keV 0.0027, 0.0026",
    "211Bi": "ENSDF gives only the total coefficient of 351 keV; all of it is given to the K shell",
    "111In": "K conversion of 171 keV 0.0851, 0.0807 and of 245 keV 0.0504, 0.0495",
    "99mTc": "the 2.2-keV transition: ENSDF names no subshell, and the most tightly bound of M is assumed",
    "131mXe": "conversion of 164 keV: K 0.620, 0.614, beyond it 0.383, 0.366",
}


@dataclass(frozen=True)
class Difference:
    """ENSDF over ICRP-107 less one; None where there is less than 1e-4 MeV per decay to compare.

    ``quality`` by alpha, beta, conversion, auger, photon; ``counts`` are those that hold at least 0.1 % of the energy
    emitted. ``charged`` is the sum of charged particles with recoils. ``kernel`` is the largest difference, 1 um to
    3 cm, of the charged energy deposited within a radius, over all of it.
    """

    nuclide: str
    half_life: float
    quality: dict[str, float | None]
    counts: tuple[str, ...]
    charged: float | None
    kernel: float | None

    @property
    def needs_reason(self) -> bool:
        values = [self.half_life, self.charged, self.kernel, *(self.quality[q] for q in self.counts)]
        return any(abs(value) > LIMIT for value in values if value is not None)


def differences() -> list[Difference]:
    """All radionuclides that both sources hold, in the order of the extract."""
    icrp = set(known_nuclides("icrp107"))
    return [difference(name) for name in ensdf.records() if name in icrp]


@lru_cache(maxsize=64)
def difference(name: str) -> Difference:
    """Of one radionuclide, progeny not included."""
    ours = emissions(name, "ensdf").energy_MeV_per_decay
    theirs = emissions(name, "icrp107").energy_MeV_per_decay
    emitted = sum(theirs.values())
    counts = tuple(q for q in _QUALITIES if theirs[q] >= max(COUNTS * emitted, _SHOWN_MEV))
    charged = [sum(energy[q] for q in _CHARGED) for energy in (ours, theirs)]
    with_tracks = charged[1] >= _SHOWN_MEV
    return Difference(
        name, half_life_h(name, "ensdf") / half_life_h(name, "icrp107") - 1.0,
        {q: _relative(ours[q], theirs[q]) for q in _QUALITIES}, counts, _relative(charged[0], charged[1]),
        _kernel_difference({name: 1.0}, {name: 1.0}) if with_tracks else None)


def balance(name: str) -> float:
    """Energy emitted, neutrinos included, over the energy that the decay sets free (ENSDF)."""
    record = ensdf.record(name)
    out = sum(emissions(name, "ensdf").energy_MeV_per_decay.values()) + float(record["neutrino_MeV"])
    return out / float(record["q_MeV"])


def table() -> str:
    """All differences as a Markdown table, per cent."""
    lines = ["| nuclide | half-life | alpha | beta | conversion | Auger | photons | charged | kernel |",
             "|---|---|---|---|---|---|---|---|---|"]
    for d in differences():
        cells = [d.half_life, *(d.quality[q] for q in _QUALITIES), d.charged, d.kernel]
        lines.append("| " + " | ".join([d.nuclide, *(_per_cent(value) for value in cells)]) + " |")
    return "\n".join(lines)


def reasons_table() -> str:
    """Why, for each nuclide with a difference above 2 % in a quality that counts."""
    lines = ["| nuclide | above 2 % | reason (ICRP-107, ENSDF) |", "|---|---|---|"]
    for d in differences():
        if d.needs_reason:
            values = {"half-life": d.half_life} | {q: d.quality[q] for q in d.counts}
            values |= {"charged": d.charged, "kernel": d.kernel}
            large = ", ".join(name for name, value in values.items() if value is not None and abs(value) > LIMIT)
            lines.append(f"| {d.nuclide} | {large} | {REASONS[d.nuclide]} |")
    return "\n".join(lines)


def rows() -> list[CheckRow]:
    """The library's radionuclides with their progeny: half-life, charged energy, kernel; ENSDF's energy balance."""
    return [*(row for name in _LIBRARY for row in _pair(name)), _worst_balance()]


def _pair(name: str) -> list[CheckRow]:
    counts = {s: _counts(name, s) for s in _sources()}
    energy = {s: sum(n * emissions(m, s).energy_MeV_per_decay[q] for m, n in counts[s].items() for q in _CHARGED)
              for s in _sources()}
    return [
        CheckRow(id=f"nuclide_sources.half_life.{name}", source=_ICRP, kind="published", tolerance=LIMIT, unit="h",
                 ours=half_life_h(name, "ensdf"), reference=half_life_h(name, "icrp107"), note="ENSDF"),
        CheckRow(id=f"nuclide_sources.energy.{name}", source=_ICRP, kind="published", tolerance=LIMIT, unit="MeV",
                 ours=energy["ensdf"], reference=energy["icrp107"], note="ENSDF: charged particles of the whole chain"),
        CheckRow(id=f"nuclide_sources.kernel.{name}", source=_ICRP, kind="published", tolerance=LIMIT, absolute=True,
                 ours=_kernel_difference(counts["ensdf"], counts["icrp107"]), reference=0.0,
                 note="ENSDF: largest difference of the share deposited within a radius, whole chain"),
    ]


def _worst_balance() -> CheckRow:
    worst = max(ensdf.records(), key=lambda name: abs(balance(name) - 1.0))
    return CheckRow(id="nuclide_sources.balance", source="energy is conserved: ENSDF's Q values", kind="analytic",
                    ours=balance(worst), reference=1.0, tolerance=0.005,
                    note=f"energy emitted over energy set free, worst of {len(ensdf.records())} ({worst})")


def _sources() -> tuple[Source, Source]:
    return "ensdf", "icrp107"


def _counts(name: str, source: Source) -> dict[str, float]:
    return {m.name: m.decays_per_parent_decay for m in chain(name, _TREATMENT_H, source)}


def _kernel_difference(ours: dict[str, float], theirs: dict[str, float]) -> float:
    a, b = _cumulative(ours, "ensdf"), _cumulative(theirs, "icrp107")
    steps = (a - b) / b[-1]
    return float(steps[np.argmax(np.abs(steps))])


def _cumulative(counts: dict[str, float], source: Source) -> Array:
    """Charged energy within 1 um to 3 cm, then all of it, MeV per decay; recoils on the spot."""
    inside, total = np.zeros(len(_RADII_UM) - 1), 0.0
    for name, times in counts.items():
        data = emissions(name, source)
        lines = [beta_bins(name, source=source), data.lines["conversion"], data.lines["auger"]]
        energy = np.concatenate([part.energy_MeV for part in lines])
        per_decay = np.concatenate([part.per_decay for part in lines])
        alpha = data.lines["alpha"]
        if energy.size:
            inside += times * fold_electrons(energy, per_decay, _RADII_UM)[1:]
        if alpha.energy_MeV.size:
            inside += times * fold_alphas(alpha.energy_MeV, alpha.per_decay, _RADII_UM)[1:]
        recoil = data.lines["recoil"].energy_MeV_per_decay
        inside += times * recoil
        total += times * (float(energy @ per_decay) + alpha.energy_MeV_per_decay + recoil)
    return np.append(inside, total)


def _relative(ours: float, theirs: float) -> float | None:
    return ours / theirs - 1.0 if theirs >= _SHOWN_MEV else None


def _per_cent(value: float | None) -> str:
    return "" if value is None else f"{100.0 * value:+.1f}".replace("-0.0", "0.0").replace("+0.0", "0.0")
