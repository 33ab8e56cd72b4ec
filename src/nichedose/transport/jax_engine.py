"""The transport run in JAX: on steps that are given, for derivatives, batches of draws and GPUs (extra ``jax``)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

import numpy as np

from nichedose.body.plasma import PlasmaCurve
from nichedose.errors import BadInput, DidNotConverge
from nichedose.fields.grid import Array, BoolArray
from nichedose.fields.number import is_number, is_whole, kind, real_array
from nichedose.jax_support import Precision, in_precision, refuse_single_precision
from nichedose.transport._box import bounding_box, crop
from nichedose.transport._equations import coefficients
from nichedose.transport._inputs import check_decays, check_inputs, check_memory
from nichedose.transport._march import March
from nichedose.transport._tableau import label_weights
from nichedose.transport.engine import STATES, deliver
from nichedose.transport.solution import LigandKinetics, TissueTransport, TransportSolution

__all__ = ["FixedSteps", "TransportInputs", "jax_label_integrals", "log_times", "simulate_jax", "transport_inputs"]

PURPOSE = "Transport in JAX"
USUAL_STEPS = 32
KEPT_PER_STEP = 15  # fields that a backward run keeps of a step (measured)
KEPT_PER_START = 10  # fields at the start of a stretch of steps
EARLIEST = 0.2  # of the plasma's fastest time constant: where the step sizes begin to grow


class TransportInputs(NamedTuple):
    """All that a run depends on smoothly, a pytree: differentiate and batch with respect to any of it.

    Rates as in `LigandKinetics`, fields as in `TissueTransport` (of the mask's shape, 2-D or 3-D), plasma as in
    `PlasmaCurve`, (n,) each. Values outside the mask are not used.
    """

    association_L_per_nmol_per_h: Any
    dissociation_per_h: Any
    internalisation_per_h: Any
    release_per_h: Any
    diffusivity_um2_per_s: Any
    void_fraction: Any
    target_nmol_per_L: Any
    exchange_per_h: Any
    diffusivity_factor: Any
    plasma_amplitudes_nmol_per_L: Any
    plasma_rates_per_h: Any


@dataclass(frozen=True, eq=False)
class FixedSteps:
    """What stays as it is while the inputs vary.

    ``mask`` where tissue is, (ny, nx) or (nz, ny, nx), of voxels ``spacing_um`` wide; ``times_h`` (n + 1,) the ends of
    the steps, from 0 on (see `log_times`; the ``times_h`` of a run of `simulate` are its error-controlled steps);
    ``decay_per_h`` the labels. ``solver_tolerance`` is where the implicit solves stop, relative to what voxels hold:
    value and derivative belong together to that accuracy. ``memory_GiB`` bounds what a backward run keeps, for each run
    of a batch; beyond it, stretches of steps are solved again (one more forward run).
    """

    mask: BoolArray
    spacing_um: float
    times_h: Array
    decay_per_h: Mapping[str, float]
    solver_tolerance: float = 1e-5
    memory_GiB: float = 2.0

    def __post_init__(self) -> None:
        mask, times = np.asarray(self.mask), real_array("times_h", self.times_h)
        if mask.dtype != np.bool_ or mask.ndim not in (2, 3) or not mask.any():
            raise BadInput(f"A mask is boolean, 2-D or 3-D, and holds tissue; got {kind(mask)}.")
        if not (is_number(self.spacing_um) and self.spacing_um > 0.0):
            raise BadInput(f"spacing_um must be above 0; got {self.spacing_um!r:.40}.")
        if times.ndim != 1 or times.size < 2 or times[0] != 0.0 or not (np.diff(times) > 0.0).all() \
                or not math.isfinite(times[-1]):
            raise BadInput("times_h must rise from 0 to the end of the run, at least one step.")
        check_decays(self.decay_per_h)
        if not (is_number(self.solver_tolerance) and 1e-13 <= self.solver_tolerance <= 1e-2):
            raise BadInput(f"solver_tolerance must lie in 1e-13..1e-2; got {self.solver_tolerance!r:.40}.")
        check_memory(self.memory_GiB)


def log_times(end_h: float, quickest_per_h: float, steps: int = USUAL_STEPS) -> Array:
    """Ends of ``steps`` steps (steps + 1,) that grow with time: t0 (e^x - 1), x evenly spaced.

    ``quickest_per_h`` is the plasma's fastest rate, of all draws where there are several.

    >>> log_times(480.0, 3.0, 4).round(2)
    array([  0.  ,   0.55,   5.59,  52.05, 480.  ])
    """
    for name, value in (("end_h", end_h), ("quickest_per_h", quickest_per_h)):
        if not (is_number(value) and value > 0.0):
            raise BadInput(f"log_times needs {name} above 0; got {value!r:.40}.")
    if not is_whole(steps, 1):
        raise BadInput(f"log_times needs at least one step, a whole number; got {steps!r:.40}.")
    scale = EARLIEST / quickest_per_h
    times = scale * np.expm1(np.linspace(0.0, math.log1p(end_h / scale), steps + 1))
    times[-1] = end_h
    return np.asarray(times)


def transport_inputs(tissue: TissueTransport, ligand: LigandKinetics, plasma: PlasmaCurve) -> TransportInputs:
    """The inputs of a run of `simulate` as one pytree of float64; raises `BadInput` as `simulate` does."""
    check_inputs(tissue, ligand, plasma, 1.0, {}, 1e-3, "void", "end")
    factor = tissue.diffusivity_factor
    return TransportInputs(
        association_L_per_nmol_per_h=np.float64(ligand.association_L_per_nmol_per_h),
        dissociation_per_h=np.float64(ligand.dissociation_per_h),
        internalisation_per_h=np.float64(ligand.internalisation_per_h),
        release_per_h=np.float64(ligand.release_per_h),
        diffusivity_um2_per_s=np.float64(ligand.diffusivity_um2_per_s),
        void_fraction=np.float64(ligand.void_fraction),
        target_nmol_per_L=np.where(tissue.mask, tissue.target_nmol_per_L, 0.0),
        exchange_per_h=np.where(tissue.mask, tissue.exchange_per_h, 0.0),
        diffusivity_factor=np.where(tissue.mask, 1.0 if factor is None else factor, 1.0),
        plasma_amplitudes_nmol_per_L=np.array(plasma.amplitudes_nmol_per_L, dtype=float),
        plasma_rates_per_h=np.array(plasma.rates_per_h, dtype=float),
    )


def jax_label_integrals(inputs: TransportInputs, steps: FixedSteps) -> dict[str, dict[str, Any]]:
    """Time integrals of each label in each state, nmol h per L of tissue: a pure function for JAX to transform.

    The scheme of `simulate` on given steps. ``jax.jit``, ``jax.grad``, ``jax.jvp``, ``jax.vmap`` and ``lax.map`` work
    with respect to everything in ``inputs``. Where a stage does not converge the result is NaN, never a wrong number.
    Raises `BadInput` without JAX, with a JAX that is known to be wrong, and in single precision.

    >>> from nichedose.fields.grid import Grid
    >>> from nichedose.jax_support import in_double_precision
    >>> one = np.ones((1, 1))
    >>> tissue = TissueTransport(Grid((1, 1), 20.0), one > 0, 50.0 * one, 2.0 * one)
    >>> ligand = LigandKinetics(0.6, 0.6, 0.06, 0.008, 200.0, 0.2, 0.4)
    >>> plan = FixedSteps(tissue.mask, 20.0, log_times(24.0, 1.0, 16), {"177Lu": 0.00434})
    >>> with in_double_precision() as jax:
    ...     bound = lambda inputs: jax_label_integrals(inputs, plan)["177Lu"]["bound"].mean()
    ...     slope = jax.grad(bound)(transport_inputs(tissue, ligand, PlasmaCurve((30.0,), (1.0,))))
    ...     bool(slope.target_nmol_per_L[0, 0] > 0.0)
    True
    """
    refuse_single_precision(PURPOSE)
    names = list(steps.decay_per_h)
    maps = _integrals(inputs, steps, np.array([steps.decay_per_h[name] for name in names]), snapshots=False)
    return {name: {state: maps[n, k] for k, state in enumerate(STATES)} for n, name in enumerate(names)}


def simulate_jax(
    tissue: TissueTransport,
    ligand: LigandKinetics,
    plasma: PlasmaCurve,
    *,
    end_h: float,
    decay_per_h: Mapping[str, float],
    times_h: Array | None = None,
    solver_tolerance: float = 1e-5,
    precision: Precision = "double",
) -> TransportSolution:
    """`simulate` on given steps in JAX, on whatever device JAX uses; the same solution object, snapshots and ledgers.

    Without ``times_h``, 32 steps of `log_times`. Nothing controls the error in time here: `simulate` on a few inputs
    does. ``precision`` "single" computes in float32, for devices that are slow in float64: half the memory, molecules
    balance to 1e-5 instead of 1e-8. Raises as `simulate` does, and `BadInput` without JAX.
    """
    if precision not in get_args(Precision):
        raise BadInput(f'precision must be "double" or "single"; got {precision!r}.')
    check_inputs(tissue, ligand, plasma, end_h, decay_per_h, 1e-3, "void", "steps")
    box = bounding_box(tissue.mask)
    cut = crop(tissue, box)
    times = log_times(end_h, max(plasma.rates_per_h)) if times_h is None else real_array("times_h", times_h)
    if times.ndim != 1 or times.size < 2 or times[-1] != end_h:
        raise BadInput(f"times_h must rise from 0 to end_h = {end_h}; got {times}.")
    steps = FixedSteps(cut.mask, cut.grid.spacing_um, times, decay_per_h, solver_tolerance)
    decays = np.array([0.0, *decay_per_h.values()])
    with in_precision(precision, PURPOSE):
        integrals, ends = (np.array(f, dtype=float) for f in _integrals(
            transport_inputs(cut, ligand, plasma), steps, decays, snapshots=True))
    failed = ~np.isfinite(ends).all(axis=(1, 2, 3))
    if failed.any():
        n = int(np.argmax(failed))
        raise DidNotConverge(
            f"A stage of the step from {times[n]:.4g} h to {times[n + 1]:.4g} h did not reach its residual of "
            f"{solver_tolerance:g}. Use more steps (times_h), or `simulate`, which chooses them.")
    run = March(times_h=list(times), snapshots=np.concatenate([np.zeros((1, *ends.shape[1:])), ends]),
                integrals=integrals)
    return deliver(run, tissue, coefficients(tissue, ligand, "void"), plasma, decay_per_h)


def _integrals(inputs: TransportInputs, steps: FixedSteps, decays: Array, *, snapshots: bool) -> Any:
    """Label integrals (labels, 3, ...) for JAX arrays; with ``snapshots`` also the states at all ends of steps."""
    from nichedose.transport import _jax_scheme as scheme

    starts, sizes = np.asarray(steps.times_h, dtype=float)[:-1], np.diff(steps.times_h)
    weights = np.array([
        [size * math.exp(-decay * start) * label_weights(decay * size) for decay in decays]
        for start, size in zip(starts, sizes, strict=True)
    ]).reshape(sizes.size, decays.size, -1)
    stretch = _stretch(sizes.size, steps.memory_GiB * 2**30 / (8 * steps.mask.size))
    schedule = scheme.Schedule(starts, sizes, weights)
    return scheme.run(inputs, np.asarray(steps.mask), steps.spacing_um, schedule, steps.solver_tolerance,
                      stretch=stretch, snapshots=snapshots)


def _stretch(steps: int, most_fields: float) -> int:
    """Steps that a backward run solves again at a time: 1, for none, where all fits; else the fewest that fit, or those
    that need least memory."""

    def fields(stretch: int) -> float:
        starts = -(-steps // stretch) * KEPT_PER_START if stretch > 1 else 0
        return starts + (stretch if stretch > 1 else steps) * KEPT_PER_STEP

    fitting = [s for s in range(1, steps + 1) if fields(s) <= most_fields]
    return fitting[0] if fitting else min(range(1, steps + 1), key=fields)
