"""Organ dose: S values of organs, photon fractions between them, marrow."""

from __future__ import annotations

import numpy as np

from nichedose.body import redistribute
from nichedose.check.row import CheckRow
from nichedose.dose import organ_s_values
from nichedose.dose.organ_table import load_fractions
from nichedose.effect import Exposure, OrganCycle, blood_counts, organ_bed_course
from nichedose.nuclide import decay_per_h

__all__ = ["rows"]

_OLINDA = "OLINDA/EXM 2, ICRP 89 adults, as copied in RayzeBio Dosimetry-calculator"
_OPENDOSE = "OpenDose, ICRP 110 adult male, as copied in rpt_dosi"
_ORNL = "Cristy and Eckerman, ORNL/TM-8381 (1987)"
# (nuclide, organ): mGy/(MBq s), adult male of ICRP 89: kidneys 310 g, liver 1800 g, spleen 150 g, salivary glands 85 g
_SELF = {
    ("177Lu", "kidneys"): 7.76e-5, ("177Lu", "liver"): 1.37e-5, ("177Lu", "spleen"): 1.60e-4,
    ("177Lu", "salivary glands"): 2.78e-4, ("177Lu", "marrow"): 1.15e-5, ("90Y", "kidneys"): 4.52e-4,
    ("131I", "kidneys"): 1.14e-4, ("161Tb", "kidneys"): 1.08e-4,
}
# self fractions of photons in the phantom of the same equations, 1/g at 0.1 and 0.5 MeV
_FRACTIONS = {
    "kidneys": (2.3e-4, 2.5e-4), "liver": (9.2e-5, 8.7e-5), "spleen": (4.2e-4, 4.5e-4), "brain": (1.2e-4, 1.2e-4),
}


def rows() -> list[CheckRow]:
    """All comparisons of organ dose."""
    return [*_self_doses(), *_energy(), *_fractions(), *_released(), *_course()]


def _self_doses() -> list[CheckRow]:
    out = []
    for (nuclide, organ), reference in _SELF.items():
        s = organ_s_values(nuclide, targets=[organ], sources=[organ])[organ, organ]
        out.append(CheckRow(
            id=f"organs.self_dose.{nuclide}.{organ.replace(' ', '_')}", source=_OLINDA, kind="published",
            ours=sum(s.values()) * 1e9, reference=reference, tolerance=0.05, unit="mGy/(MBq s)"))
    for organ, mass, reference in (("liver", 1799.8, 1.3713e-5), ("spleen", 149.97, 1.5967e-4)):
        s = organ_s_values("177Lu", masses_g={organ: mass}, targets=[organ], sources=[organ])[organ, organ]
        out.append(CheckRow(
            id=f"organs.self_dose_opendose.177Lu.{organ}", source=_OPENDOSE, kind="published",
            ours=sum(s.values()) * 1e9, reference=reference, tolerance=0.05, unit="mGy/(MBq s)"))
    return out


def _energy() -> list[CheckRow]:
    table = load_fractions("adult_male")
    out = []
    for source in ("kidneys", "lungs"):
        absorbed = np.sum([values * table.mass_g[b if a == source else a]
                           for (a, b), values in table.per_g.items() if source in (a, b)], axis=0)
        at = int(np.argmin(np.abs(table.energies_MeV - 0.2)))
        out.append(CheckRow(
            id=f"organs.photon_energy.{source}", source="energy emitted", kind="self-test",
            ours=float(absorbed[at] + table.escaped[source][at]), reference=1.0, tolerance=0.02,
            note="absorbed in all regions and escaped; averaged with rays from the other side, hence not exact"))
    return out


def _fractions() -> list[CheckRow]:
    table = load_fractions("adult_male")
    out = []
    for organ, references in _FRACTIONS.items():
        for energy, reference in zip((0.1, 0.5), references, strict=True):
            out.append(CheckRow(
                id=f"organs.photon_fraction.{organ}.{energy * 1e3:.0f}keV", source=_ORNL, kind="published",
                ours=float(table.at(organ, organ, np.array([energy]))[0]), reference=reference, tolerance=0.15,
                unit="1/g", note="their simulation, the same equations; water without bounds scatters too much"))
    return out


def _released() -> list[CheckRow]:
    """Released bismuth: by hand, blood empties at 50 per day and 17.5 of that goes to the kidneys."""
    found = redistribute({"213Bi": 1.0}).decays_MBq_h["213Bi"]
    decay = decay_per_h("213Bi") * 24.0
    blood = decay / (decay + 50.0)
    chain = redistribute({"225Ac": 1.0}).decays_MBq_h
    return [
        CheckRow(id="organs.released_bismuth.blood", source="one pool that empties", kind="analytic",
                 ours=found["blood"], reference=blood, tolerance=2e-3, note="what comes back is left out by hand"),
        CheckRow(id="organs.released_bismuth.kidneys", source="one pool that fills", kind="analytic",
                 ours=found["kidneys"], reference=blood * 17.5 / (decay + 0.035), tolerance=2e-3),
        CheckRow(id="organs.released_chain.213Bi", source="branching of the chain", kind="self-test",
                 ours=sum(chain["213Bi"].values()), reference=sum(chain["217At"].values()), tolerance=2e-4,
                 note="decays of all places; 0.01 % of 217At decays by beta"),
    ]


def _course() -> list[CheckRow]:
    kidney = Exposure((1.0,), (float(np.log(2.0) / 40.0),))
    cycles = [OrganCycle({"beta": 7.4 * 0.43}, kidney, 1344.0 * i) for i in range(6)]
    exposure = Exposure((0.42 * float(np.log(2.0)) / 80.0,), (float(np.log(2.0)) / 80.0,))
    nothing = Exposure((0.0,), (1.0,))
    found = blood_counts(nothing, exposure, [0.0, 24.0 * 3000.0])
    return [
        CheckRow(id="organs.bed_course.kidney", source="six cycles far apart, each D (1 + G D/(alpha/beta))",
                 kind="analytic", ours=organ_bed_course(cycles, 2.5, 2.8, rbe_high_let=5.0).bed_Gy,
                 reference=6.0 * 3.182 * (1.0 + 2.8 / 42.8 * 3.182 / 2.5), tolerance=1e-6, unit="Gy"),
        CheckRow(id="organs.blood_counts.recovery", source="baseline", kind="analytic",
                 ours=float(found.lymphocytes[1]), reference=1.0, tolerance=1e-6),
    ]
