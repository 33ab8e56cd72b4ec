"""What a number that depends on the label integrals owes to each rate, each field and the plasma: the adjoint run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from nichedose.body.plasma import PlasmaCurve
from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array, BoolArray
from nichedose.transport import _adjoint_kernels as adjoint
from nichedose.transport._box import Box, bounding_box, expand
from nichedose.transport._checkerboard import pack, unpack
from nichedose.transport._equations import coefficients
from nichedose.transport._inputs import check_inputs, check_memory, check_progress
from nichedose.transport._march import Stages, march
from nichedose.transport._objective import answer_of, check_objective, slope
from nichedose.transport._sweep import Sweep
from nichedose.transport._tableau import B, C
from nichedose.transport._tape import Tape
from nichedose.transport.engine import STATES
from nichedose.transport.solution import LigandKinetics, TissueTransport

__all__ = ["Integrals", "Objective", "TransportGradient", "differentiate"]

Integrals = Mapping[str, Mapping[str, Array]]
Objective = Callable[[Integrals], tuple[float, Integrals]]
SOLVE_PER_TOLERANCE = 5.0  # reduction of an adjoint stage's residual; see the theory page for what that changes
LEAST_REDUCTION = 1e-10


@dataclass(frozen=True)
class TransportGradient:
    """``value`` of an objective and its derivatives, each per unit of the input it names (units there).

    ``ligand`` by field name of `LigandKinetics` (the permeability acts through ``exchange_per_h``).
    ``target_nmol_per_L`` and ``exchange_per_h`` (ny, nx), zero outside the tissue. ``plasma_amplitudes`` and
    ``plasma_rates`` (n,) as in `PlasmaCurve`. ``log_plasma`` is the derivative with respect to the logarithm of the
    whole curve: what a relative change of the ligand given does.
    """

    value: float
    ligand: Mapping[str, float]
    target_nmol_per_L: Array
    exchange_per_h: Array
    plasma_amplitudes: Array
    plasma_rates: Array
    log_plasma: float


def differentiate(
    tissue: TissueTransport,
    ligand: LigandKinetics,
    plasma: PlasmaCurve,
    objective: Objective,
    *,
    end_h: float,
    decay_per_h: Mapping[str, float],
    tolerance: float = 1e-3,
    memory_GiB: float = 2.0,
    progress: Callable[[float], None] | None = None,
) -> TransportGradient:
    """Value and gradient of ``objective`` of the label integrals, at the cost of little more than a second run.

    ``objective`` receives what `TransportSolution.time_integrals_nmol_h_per_L` holds and returns its value and the
    derivative with respect to every map in it (labels and states left out count as zero). It may be anything from a
    mean to the log kill after a convolution: the chain rule up to the label integrals is the caller's, from there on
    ours. This is the exact adjoint of the discrete scheme at the steps that it took; it agrees with finite differences
    of those steps, and with the derivative of the equations within ``tolerance``.

    ``memory_GiB`` bounds what is kept of the run; beyond it, stretches are solved again (one more forward run).
    ``progress`` receives the share done, the run forwards being half; an exception that it raises ends all.
    Raises as `simulate` does, and ``BadInput`` where no label is given or an objective has unknown labels, states,
    wrong shapes or NaN.

    >>> from nichedose.fields.grid import Grid
    >>> one = np.ones((1, 1))
    >>> tissue = TissueTransport(Grid((1, 1), 20.0), one > 0, 50.0 * one, 2.0 * one)
    >>> ligand = LigandKinetics(0.6, 0.6, 0.06, 0.008, 200.0, 0.2, 0.4)
    >>> mean = lambda maps: (maps["177Lu"]["bound"].mean(), {"177Lu": {"bound": one}})
    >>> found = differentiate(tissue, ligand, PlasmaCurve((30.0,), (1.0,)), mean, end_h=24.0,
    ...                       decay_per_h={"177Lu": 0.00434})
    >>> bool(found.target_nmol_per_L[0, 0] > 0.0)
    True
    """
    check_inputs(tissue, ligand, plasma, end_h, decay_per_h, tolerance, "void", "end")
    check_objective(objective)
    check_memory(memory_GiB)
    check_progress(progress)
    if not decay_per_h:
        raise BadInput("An objective is of label integrals: name a label in decay_per_h (0 per h counts molecules).")
    box = bounding_box(tissue.mask)
    equations = coefficients(tissue, ligand, "void")
    run = Stages(equations)
    tape = Tape(max(24, int(memory_GiB * 2**30 / run.q.nbytes)))
    decays = np.array([0.0, *decay_per_h.values()])
    tell = progress if progress is not None else lambda share: None
    course = march(
        equations, plasma, end_h, decays, tolerance, lambda share: tell(0.5 * share), record=tape.record, stages=run,
        snapshots="end")
    shape = tissue.grid.shape
    maps = expand(course.integrals, shape, box)
    names = list(decay_per_h)
    integrals = {name: dict(zip(STATES, maps[n + 1], strict=True)) for n, name in enumerate(names)}
    value, wanted = answer_of(objective(integrals), "label and state: {'177Lu': {'bound': array}}")
    seeds = _seeds(wanted, names, shape, tissue.mask)[(..., *box)]
    sweep = Sweep(run, decays[1:], np.stack([np.stack([pack(m) for m in label]) for label in seeds]))
    sweep.back(tape, max(SOLVE_PER_TOLERANCE * tolerance, LEAST_REDUCTION), lambda share: tell(0.5 + 0.5 * share))
    return _gradient(value, sweep, tape, ligand, plasma, shape, box)


def _seeds(wanted: Integrals, names: list[str], shape: tuple[int, int], mask: BoolArray) -> Array:
    """The objective's derivatives, (labels, 3, ny, nx), zero where it gave none and outside the tissue."""
    seeds = np.zeros((len(names), len(STATES), *shape))
    for label, states in wanted.items():
        if label not in names:
            raise BadInput(f"The objective's derivative names the label '{label}'.{near_miss(label, names)}")
        for state, field in states.items():
            if state not in STATES:
                raise BadInput(f"The objective's derivative names the state '{state}'.{near_miss(state, STATES)}")
            seeds[names.index(label), STATES.index(state)][mask] = slope(f"{label}, {state}", field, mask)
    return seeds


def _gradient(
    value: float, sweep: Sweep, tape: Tape, ligand: LigandKinetics, plasma: PlasmaCurve, shape: tuple[int, int],
    box: Box,
) -> TransportGradient:  # fmt: skip
    """From the coefficients of the equations to the inputs that they were made of (free ligand per void)."""
    run, sums = sweep.run, sweep.sums
    amplitudes, rates = np.zeros(len(plasma.rates_per_h)), np.zeros(len(plasma.rates_per_h))
    for start, step, bar in zip(tape.starts_h, tape.steps, reversed(sweep.levels_bar), strict=True):
        by_amplitude, by_rate = _levels_derivative(plasma, start, step.size_h)
        amplitudes += bar @ by_amplitude
        rates += bar @ by_rate
    maps = unpack(np.stack([sweep.target_bar, sweep.exchange_bar]).reshape(2, *run.q.shape), run.shape)
    target, exchange = expand(maps, shape, box)
    conductance = float(sums[adjoint.LOG_CONDUCTANCE])
    return TransportGradient(
        value=value,
        ligand={
            "association_L_per_nmol_per_h": float(sums[adjoint.KON]),
            "dissociation_per_h": float(sums[adjoint.KOFF]),
            "internalisation_per_h": float(sums[adjoint.KINT]),
            "release_per_h": float(sums[adjoint.KREL]),
            "diffusivity_um2_per_s": conductance / ligand.diffusivity_um2_per_s
            if ligand.diffusivity_um2_per_s > 0.0 else math.nan,
            "void_fraction": float(sums[adjoint.CAPACITY]) + conductance / ligand.void_fraction,
        },
        target_nmol_per_L=target,
        exchange_per_h=exchange,
        plasma_amplitudes=amplitudes,
        plasma_rates=rates,
        log_plasma=float(amplitudes @ np.array(plasma.amplitudes_nmol_per_L)),
    )


def _levels_derivative(plasma: PlasmaCurve, start_h: float, step_h: float) -> tuple[Array, Array]:
    """Derivative of the corrected plasma levels of one step (see `plasma_stages`), (6, n) by amplitude and by rate."""
    amplitude, rate = np.array(plasma.amplitudes_nmol_per_L), np.array(plasma.rates_per_h)
    times = (start_h + C * step_h)[:, None]
    fall, share = np.exp(-rate * times), np.exp(-rate * start_h) * -np.expm1(-rate * step_h) / rate
    share_by_rate = (
        -start_h * share + step_h * np.exp(-rate * (start_h + step_h)) / rate - share / rate
    )
    values, area = fall @ amplitude, float(share @ amplitude)
    rough = step_h * float(B @ values)
    found = []
    for of_values, of_area in ((fall, share), (-amplitude * times * fall, amplitude * share_by_rate)):
        of_rough = step_h * (B @ of_values)
        if rough > 0.0 and 0.5 < area / rough < 2.0:
            ratio = area / rough
            found.append(of_values * ratio + values[:, None] * (of_area - ratio * of_rough) / rough)
        else:
            found.append(of_values + (of_area - of_rough) / step_h)
    return found[0], found[1]
