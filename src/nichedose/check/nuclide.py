"""Decay data: energies per decay and chains."""

from __future__ import annotations

from radioactivedecay import Inventory

from nichedose.check.row import CheckRow
from nichedose.nuclide import chain, chain_activities, emissions, half_life_h

__all__ = ["rows"]

_ICRP = "ICRP Publication 107 (Ann. ICRP 38 (3), 2008), tables summed apart"
# electrons (beta, conversion, Auger) and alphas, MeV per decay, progeny not included; given to four decimals
_ENERGIES = {"177Lu": (0.1479, 0.0), "90Y": (0.9331, 0.0), "131I": (0.1918, 0.0), "161Tb": (0.2025, 0.0),
             "67Cu": (0.1504, 0.0), "225Ac": (0.0248, 5.7872), "211At": (0.0059, 2.4524), "212Pb": (0.1766, 0.0)}
# all alphas of the chain, progeny included
_CHAINS = {"225Ac": 27.48, "212Pb": 7.802, "211At": 6.784}


def rows() -> list[CheckRow]:
    """All comparisons of the nuclide room."""
    return [*_energies(), *_chains(), _bateman(), _counts()]


def _energies() -> list[CheckRow]:
    out = []
    for nuclide, (electrons, alphas) in _ENERGIES.items():
        energy = emissions(nuclide).energy_MeV_per_decay
        ours = energy["beta"] + energy["conversion"] + energy["auger"] + energy["alpha"]
        out.append(CheckRow(
            id=f"nuclide.energy.{nuclide}", source=_ICRP, kind="published", ours=ours, reference=electrons + alphas,
            tolerance=1.5e-4, absolute=True, unit="MeV", note="electrons and alphas per decay of the parent alone"))
    return out


def _chains() -> list[CheckRow]:
    out = []
    for nuclide, reference in _CHAINS.items():
        members = chain(nuclide)
        ours = sum(m.decays_per_parent_decay * emissions(m.name).energy_MeV_per_decay["alpha"] for m in members)
        out.append(CheckRow(
            id=f"nuclide.chain_alpha.{nuclide}", source=_ICRP, kind="published", ours=ours, reference=reference,
            tolerance=1e-3, unit="MeV", note="alphas of the whole chain per decay of the parent"))
    return out


def _bateman() -> CheckRow:
    t1, t2 = half_life_h("212Pb"), half_life_h("212Bi")
    late = chain_activities("212Pb", [40.0])
    return CheckRow(
        id="nuclide.transient_equilibrium", source="Bateman's equations: T1 / (T1 - T2)", kind="analytic",
        ours=float(late["212Bi"][0] / late["212Pb"][0]), reference=t1 / (t1 - t2), tolerance=1e-9,
        note="activity of 212Bi over that of 212Pb")


def _counts() -> CheckRow:
    """Decays of the last member of the 225Ac chain, by branching, against the integral of the solved chain."""
    ours = {m.name: m.decays_per_parent_decay for m in chain("225Ac")}["209Pb"]
    solved = Inventory({"Ac-225": 1.0}, "num").cumulative_decays(60.0 * half_life_h("225Ac"), "h")["Pb-209"]
    return CheckRow(
        id="nuclide.chain_count.225Ac", source="radioactivedecay 0.6, cumulative decays", kind="independent code",
        ours=ours, reference=float(solved), tolerance=1e-6, note="decays of 209Pb per decay of 225Ac")
