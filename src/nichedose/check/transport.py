"""Transport: balances, the compartment limit, Thiele's slab, vessel exchange and the size law."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.integrate import solve_ivp

from nichedose.body import PlasmaCurve
from nichedose.check.row import CheckRow
from nichedose.fields.grid import Grid
from nichedose.transport import (
    LigandKinetics,
    TissueTransport,
    TransportSolution,
    exchange_rate,
    ligand_from_size,
    simulate,
)

__all__ = ["rows"]

LIGAND = LigandKinetics(0.6, 0.6, 0.06, 0.008, 200.0, 0.2, 0.4)
PLASMA = PlasmaCurve((300.0, 40.0), (3.0, 0.15))
LABELS = {"177Lu": float(np.log(2.0)) / 159.5, "211At": float(np.log(2.0)) / 7.214}
SIZE_LAW = "Schmidt & Wittrup 2009, doi:10.1158/1535-7163.MCT-09-0195 (as in public code, one partition factor)"
# molar mass kDa, permeability cm/s, void fraction: worked out by hand, to the digits given
SIZES = ((1.04, 2.3e-5, 0.44), (50.0, 5.9e-7, 0.31), (150.0, 3.9e-7, 0.24))


def rows() -> list[CheckRow]:
    """All comparisons of the transport room."""
    return [*_balances(), _compartment(), *(_thiele(phi) for phi in (1.0, 2.0, 5.0)), *_exchange(), *_sizes()]


def _solve(tissue: TissueTransport) -> TransportSolution:
    return simulate(tissue, LIGAND, PLASMA, end_h=2400.0, decay_per_h=LABELS)


@cache
def _patchy() -> TransportSolution:
    """Waves of target and vessels on a disc of 40 voxels, one stripe without vessels."""
    y, x = np.mgrid[:40, :40]
    vessels = 2.0 * np.exp(np.sin(x / 3.0) * np.cos(y / 4.0)) * (np.abs(x - 25) > 3)
    target = 100.0 * (1.0 + np.sin(y / 5.0))
    return _solve(TissueTransport(Grid((40, 40), 20.0), np.hypot(y - 20, x - 20) < 19.0, target, vessels))


def _balances() -> list[CheckRow]:
    solution = _patchy()
    ledgers = {"molecules": (solution.molecules, 1e-8)} | {n: (ledger, 1e-4) for n, ledger in solution.ledgers.items()}
    return [
        CheckRow(
            id=f"transport.balance.{name}",
            source="entered (closed form of the plasma curve) = decayed + washed out + left",
            kind="self-test",
            ours=ledger.closure if ledger is not None else float("nan"),
            reference=0.0,
            tolerance=tolerance,
            absolute=True,
        )
        for name, (ledger, tolerance) in ledgers.items()
    ]


def _compartment() -> CheckRow:
    """A uniform section against SciPy's LSODA on the same rates without space."""
    decay, void, exchange, sites = LABELS["177Lu"], LIGAND.void_fraction, 2.0, 100.0

    def rhs(t: float, y: np.ndarray) -> list[float]:
        f, b, i = y[:3]
        bind = LIGAND.association_L_per_nmol_per_h * f * (sites - b) - LIGAND.dissociation_per_h * b
        taken = LIGAND.internalisation_per_h * b
        enter = exchange * (float(PLASMA.concentration_nmol_per_L(t)) - f)
        label = (void * f + b + i) * np.exp(-decay * t)
        return [(enter - bind) / void, bind - taken, taken - LIGAND.release_per_h * i, label]

    reference = solve_ivp(rhs, (0.0, 2400.0), np.zeros(4), method="LSODA", rtol=1e-9, atol=1e-11).y[3, -1]
    one = np.ones((3, 3))
    tissue = TissueTransport(Grid((3, 3), 20.0), one > 0.0, sites * one, exchange * one)
    return CheckRow(
        id="transport.compartment",
        source="the same rates without space, SciPy LSODA at rtol 1e-9",
        kind="independent code",
        ours=float(sum(m.mean() for m in _solve(tissue).time_integral("177Lu").values())),
        reference=float(reference),
        tolerance=1e-3,
        unit="nmol h/L",
        note="default tolerance",
    )


def _thiele(phi: float, cells: int = 40) -> CheckRow:
    """Irreversible unsaturated binding behind a voxel held at the plasma level: its time integral is steady."""
    length_um, void, diffusivity = 200.0, 0.4, 100.0
    rate = void * diffusivity * 3600.0 / length_um**2 * phi**2
    sites = np.r_[0.0, np.full(cells - 1, 1e6)][None]
    exchange = np.r_[1e7 * rate, np.zeros(cells - 1)][None]
    ligand = LigandKinetics(rate / 1e6, 0.0, 0.0, 0.0, diffusivity, 0.0, void)
    plasma = PlasmaCurve((1e-3,), (1.0,))
    tissue = TissueTransport(Grid((1, cells), length_um / (cells - 0.5)), np.ones((1, cells), bool), sites, exchange)
    solution = simulate(tissue, ligand, plasma, end_h=60.0, decay_per_h={"stable": 0.0})
    profile = solution.time_integral("stable")["free"][0] / (void * plasma.integral_nmol_h_per_L())
    share = np.r_[0.5, np.ones(cells - 1)] / (cells - 0.5)
    return CheckRow(
        id=f"transport.thiele.{phi:g}",
        source="effectiveness of a slab with first-order uptake, tanh(phi)/phi (Thiele 1939)",
        kind="analytic",
        ours=float(profile @ share),
        reference=float(np.tanh(phi) / phi),
        tolerance=5e-3,
        note=f"{cells} voxels per length",
    )


def _exchange() -> list[CheckRow]:
    cases = {"permeability": (1.0, 0.36 * 0.2), "flow": (1e4, 12.0)}
    return [
        CheckRow(
            id=f"transport.exchange.{name}",
            source="F (1 - exp(-PS/F)): PS where permeability limits, F where flow does (Renkin 1959, Crone 1963)",
            kind="analytic",
            ours=float(exchange_rate(np.array(surface), 0.2, np.array(12.0))),
            reference=limit,
            tolerance=5e-3,
            unit="1/h",
        )
        for name, (surface, limit) in cases.items()
    ]


def _sizes() -> list[CheckRow]:
    out = []
    for mass, permeability, void in SIZES:
        size = ligand_from_size(mass)
        name = f"transport.size.{mass:g}kDa"
        found = size.permeability_um_per_s * 1e-4
        out.append(CheckRow(f"{name}.permeability", SIZE_LAW, "published", found, permeability, 0.03, unit="cm/s"))
        out.append(CheckRow(f"{name}.void", SIZE_LAW, "published", size.void_fraction, void, 0.006, absolute=True))
    return out
