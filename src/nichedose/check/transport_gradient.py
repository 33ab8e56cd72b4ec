"""The adjoint of a transport run: its derivatives where the label integral has a closed form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from nichedose.body import PlasmaCurve
from nichedose.check.row import CheckRow
from nichedose.fields.grid import Grid
from nichedose.transport import LigandKinetics, TissueTransport, differentiate
from nichedose.transport.gradient import Integrals

__all__ = ["rows"]

LIGAND = LigandKinetics(0.6, 0.6, 0.06, 0.008, 200.0, 0.2, 0.4)
SITES, EXCHANGE, DECAY = 100.0, 2.0, float(np.log(2.0)) / 159.5
AMPLITUDES, RATES = (3e-3, 4e-4), (3.0, 0.15)  # so little ligand that the sites stay empty
END_H = 12_000.0  # 75 half-lives of 177Lu: the integral is complete


def rows() -> list[CheckRow]:
    """Relative derivatives of the whole 177Lu integral of a uniform section, against its Laplace transform."""
    one = np.ones((3, 3))
    tissue = TissueTransport(Grid((3, 3), 20.0), one > 0, SITES * one, EXCHANGE * one)

    def total(maps: Integrals) -> tuple[float, Integrals]:
        states = maps["177Lu"]
        return float(sum(field.mean() for field in states.values())), {"177Lu": dict.fromkeys(states, one / 9.0)}

    found = differentiate(tissue, LIGAND, PlasmaCurve(AMPLITUDES, RATES), total, end_h=END_H,
                          decay_per_h={"177Lu": DECAY})
    names = ("association_L_per_nmol_per_h", "dissociation_per_h", "internalisation_per_h", "release_per_h",
             "void_fraction")
    # the complex step: f(x + i h).imag / h is the derivative without a difference
    known: dict[str, tuple[float, Callable[[complex], complex]]] = {
        name: (found.ligand[name] * getattr(LIGAND, name), _by_rate(name)) for name in names
    }
    known["target"] = (float(found.target_nmol_per_L.sum()) * SITES, lambda s: _integral(LIGAND, SITES * s, EXCHANGE))
    known["exchange"] = (float(found.exchange_per_h.sum()) * EXCHANGE, lambda s: _integral(LIGAND, SITES, EXCHANGE * s))
    return [
        CheckRow(
            id=f"transport.gradient.{name}",
            source="d ln(integral) / d ln(input), Laplace transform of the linear equations",
            kind="analytic",
            ours=ours / found.value,
            reference=float((of(1.0 + 1e-20j) / 1e-20).imag / of(1.0).real),
            tolerance=1e-3,
            absolute=True,
            note="the run's tolerance in time, on derivatives of order one",
        )
        for name, (ours, of) in known.items()
    ]


def _by_rate(name: str) -> Callable[[complex], complex]:
    """The integral as a function of the factor on one rate."""
    def scaled(factor: complex) -> complex:
        return _integral(replace(LIGAND, **{name: getattr(LIGAND, name) * factor}), SITES, EXCHANGE)

    return scaled


def _integral(ligand: LigandKinetics, sites: complex, exchange: complex) -> complex:
    """Free + bound + internalised at the decay constant, with empty sites."""
    entering = exchange * sum(a / (r + DECAY) for a, r in zip(AMPLITUDES, RATES, strict=True))
    on = ligand.association_L_per_nmol_per_h * sites
    bound = on / (DECAY + ligand.dissociation_per_h + ligand.internalisation_per_h)  # per free ligand
    inside = ligand.internalisation_per_h * bound / (DECAY + ligand.release_per_h)
    free = entering / (ligand.void_fraction * DECAY + exchange + on - ligand.dissociation_per_h * bound)
    return complex(free * (ligand.void_fraction + bound + inside))
