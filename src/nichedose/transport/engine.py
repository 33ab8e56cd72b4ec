"""The transport run: free, bound and internalised ligand in a section, and the time integrals of its labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from nichedose.body.plasma import PlasmaCurve
from nichedose.fields.grid import Array
from nichedose.transport._box import Box, bounding_box, expand
from nichedose.transport._equations import Basis, Coefficients, coefficients
from nichedose.transport._inputs import check_inputs, check_progress
from nichedose.transport._march import March, march
from nichedose.transport.solution import LabelLedger, LigandKinetics, Snapshots, TissueTransport, TransportSolution

__all__ = ["STATES", "deliver", "simulate"]

STATES = ("free", "bound", "internalised")


def simulate(
    tissue: TissueTransport,
    ligand: LigandKinetics,
    plasma: PlasmaCurve,
    *,
    end_h: float,
    decay_per_h: Mapping[str, float],
    tolerance: float = 1e-3,
    basis: Basis = "void",
    snapshots: Snapshots = "steps",
    progress: Callable[[float], None] | None = None,
) -> TransportSolution:
    """Follow one bolus at time 0 into the section until ``end_h``, for every label in ``decay_per_h`` (name -> 1/h).

    Total (non-decaying) ligand is solved once; labels are tagged fractions of it that decay by themselves.
    ``tolerance`` is the relative error in time wanted of the label integrals, voxel by voxel; the error in space is the
    grid's. ``basis`` is the concentration in which free ligand is solved for; it changes no result. ``snapshots`` of
    the ends of all steps, or of the run's ``"end"`` alone (less memory, and time where sections are large); label
    integrals and ledgers need none. ``progress`` receives the share of ``end_h`` reached; an exception that it raises
    ends the run. Same input, same bits.

    Raises ``BadInput`` for impossible rates, fields or a run that does not fit in memory, ``DidNotConverge`` with the
    time and the residual where the solver stopped. Equations, scheme and sources: the theory page on transport.

    >>> from nichedose.fields.grid import Grid
    >>> one = np.ones((1, 1))
    >>> tissue = TissueTransport(Grid((1, 1), 20.0), one > 0, 0.0 * one, 2.0 * one)
    >>> ligand = LigandKinetics(0.0, 0.0, 0.0, 0.0, 100.0, 0.1, 0.4)
    >>> run = simulate(tissue, ligand, PlasmaCurve((10.0,), (1.0,)), end_h=24.0, decay_per_h={"177Lu": 0.00434})
    >>> run.ledgers["177Lu"].closure < 1e-4
    True
    """
    check_inputs(tissue, ligand, plasma, end_h, decay_per_h, tolerance, basis, snapshots)
    check_progress(progress)
    equations = coefficients(tissue, ligand, basis)
    decays = np.array([0.0, *decay_per_h.values()])  # 0: the molecules themselves
    run = march(equations, plasma, end_h, decays, tolerance, progress, snapshots=snapshots)
    return deliver(run, tissue, equations, plasma, decay_per_h)


def deliver(
    run: March, tissue: TissueTransport, equations: Coefficients, plasma: PlasmaCurve, decay_per_h: Mapping[str, float]
) -> TransportSolution:
    """What a march on the box of the tissue leaves, on the whole grid; its first integrals are the molecules'."""
    names, box, shape = list(decay_per_h), bounding_box(tissue.mask), tissue.grid.shape
    decays = [0.0, *decay_per_h.values()]
    ledgers = [_ledger(run, n, decay, equations, plasma) for n, decay in enumerate(decays)]
    snapshots = _delivered(run.snapshots, shape, box)
    integrals = _delivered(run.integrals, shape, box)
    return TransportSolution(
        grid=tissue.grid,
        mask=tissue.mask,
        times_h=np.array(run.times_h[-len(snapshots) :]),
        free=snapshots[:, 0],
        bound=snapshots[:, 1],
        internalised=snapshots[:, 2],
        decay_per_h=dict(decay_per_h),
        time_integrals_nmol_h_per_L={
            name: dict(zip(STATES, integrals[n + 1], strict=True)) for n, name in enumerate(names)
        },
        ledgers=dict(zip(names, ledgers[1:], strict=True)),
        steps=len(run.times_h) - 1,
        max_occupancy_at_end=_largest_occupancy(run.snapshots[-1, 1], equations.target_nmol_per_L),
        molecules=ledgers[0],
    )


def _ledger(run: March, n: int, decay: float, equations: Coefficients, plasma: PlasmaCurve) -> LabelLedger:
    """Four terms from four origins: the plasma curve's integral in closed form, the maps, the maps again weighted by
    the rates at which ligand leaves, and the last snapshot."""
    free, bound, inside = run.integrals[n]
    end = run.times_h[-1]
    rates = np.array(plasma.rates_per_h) + decay
    supplied = float(np.sum(np.array(plasma.amplitudes_nmol_per_L) * -np.expm1(-rates * end) / rates))
    capacity = equations.capacity
    washed = np.divide(equations.leave_per_h * free, capacity, out=np.zeros_like(capacity), where=capacity > 0.0)
    return LabelLedger(
        entered=supplied * float(equations.source_per_h.sum()),
        decayed=float(decay) * float((free + bound + inside).sum()),
        washed_out=float(washed.sum()) + equations.krel_per_h * float(inside.sum()),
        left=float(np.exp(-decay * end) * run.snapshots[-1].sum()),
    )


def _largest_occupancy(bound: Array, target: Array) -> float:
    bearing = target > 0.0
    return float((bound[bearing] / target[bearing]).max()) if bearing.any() else 0.0


def _delivered(field: Array, shape: tuple[int, int], box: Box) -> Array:
    """Back to the whole grid. What the step control lets pass below 0 (1e-6 of the mean content) is shown as 0."""
    whole = expand(field, shape, box)
    return np.maximum(whole, 0.0, out=whole)
