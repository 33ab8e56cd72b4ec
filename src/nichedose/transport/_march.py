"""March the transport equations through time: error-controlled steps of ESDIRK4(3), label integrals on the way."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from nichedose.body.plasma import PlasmaCurve
from nichedose.errors import DidNotConverge
from nichedose.fields.grid import Array
from nichedose.transport import _kernels as kernel
from nichedose.transport._checkerboard import build_ladder, pack, packed_shape, unpack
from nichedose.transport._equations import Coefficients
from nichedose.transport._tableau import B_EMBEDDED, BEFORE, PREDICTOR, STAGES, A, B, C, label_weights

__all__ = ["March", "Stages", "Step", "march", "plasma_stages"]

STATE_PER_TOLERANCE = 2.0  # rms embedded error per step, in units of the tolerance
SOURCE_PER_TOLERANCE = 0.02  # error of the plasma quadrature per step, of the whole area under the curve
LABEL_PER_TOLERANCE = 0.03  # what a step may lose of a label's balance, of all that will enter
BELOW_ZERO_PER_TOLERANCE = 1e-3  # of the mean content, that a step may leave below 0 in any voxel
NEWTON_PER_TOLERANCE = 0.1  # weighted residual of a stage
FLOOR = 1e-3  # voxels holding less than this share of the mean (so far the largest) are judged against that share
CG_REDUCTION = 0.05
SHRINK, GROW, SAFETY = 0.2, 6.0, 0.9
FIRST_STEP = 0.05  # of the plasma's fastest time constant
LAST_TOLERANCE = 1e-11  # residual of the very last stage, so that the final snapshot closes the ledger


@dataclass
class March:
    """What a march leaves.

    Step ends, snapshots (nt, 3, ny, nx) of free per tissue, bound and internalised, their label integrals
    (labels, 3, ny, nx), and counts of rejected steps, Newton and CG iterations.
    """

    times_h: list[float] = field(default_factory=lambda: [0.0])
    snapshots: Array = field(default_factory=lambda: np.zeros(0))
    integrals: Array = field(default_factory=lambda: np.zeros(0))
    rejected: int = 0
    newton: int = 0
    cg: int = 0


def _flat(packed: Array) -> Array:
    return packed.reshape(-1)


class Stages:
    """Packed fields and work arrays of one run, and the six stages of a step."""

    def __init__(self, equations: Coefficients) -> None:
        self.shape = equations.capacity.shape
        packed = packed_shape(self.shape)
        self.eq = equations
        self.capacity, self.target = pack(equations.capacity), pack(equations.target_nmol_per_L)
        self.source, self.leave = pack(equations.source_per_h), pack(equations.leave_per_h)
        self.ladder = build_ladder(equations.face_y_per_h, equations.face_x_per_h)
        total, cells = int(self.ladder.start[-1]), int(self.ladder.start[1])
        self.g0 = self.ladder.faces[: 4 * cells].reshape(2, 4, *packed[1:])
        self.fs0 = self.ladder.face_sum[:cells].reshape(packed)
        self.mass, self.inverse = np.zeros(total), np.zeros(total)
        self.work = np.zeros((6, total))
        self.weight, self.q = np.zeros(packed), np.zeros(packed)
        self.free = np.zeros(packed)
        self.rhs = np.zeros((3, *packed))
        self.state = np.zeros((3, *packed))  # free + bound, bound, internalised at the step's start
        self.new = np.zeros((3, *packed))
        self.values = np.zeros((STAGES, 3, *packed))
        self.slopes = np.zeros((STAGES, 3, *packed))
        self.residual = 0.0  # of the stage solved last
        self.voxels = int(np.count_nonzero(equations.capacity))
        self.peak = 0.0  # largest mean content so far
        self.first_slope = np.zeros((3, *packed))  # without the plasma's share

    def take(self, step_h: float, plasma: Array, newton_tolerance: float, last: bool, tally: March) -> bool:
        """Try one step; the new state lies in ``new``. False where a stage did not converge."""
        flat = self.slopes.reshape(STAGES, -1)
        self.slopes[0] = self.first_slope
        kernel.add_source(_flat(self.first_slope[0]), _flat(self.source), plasma[0], _flat(self.slopes[0, 0]))
        for i in range(1, STAGES):
            kernel.combine(_flat(self.state), flat, step_h * BEFORE[i], _flat(self.rhs))
            tolerance = LAST_TOLERANCE if last and i == STAGES - 1 else newton_tolerance
            if not self._stage(i, A[i, i] * step_h, plasma[i], tolerance, tally):
                return False
        kernel.combine(_flat(self.state), flat, step_h * B, _flat(self.new))
        return True

    def _stage(self, i: int, a: float, plasma: float, tolerance: float, tally: March) -> bool:
        """Solve stage ``i`` for the right-hand sides in ``rhs``; ``a`` is the diagonal coefficient times the step."""
        eq, ladder = self.eq, self.ladder
        kernel.add_source(_flat(self.rhs[0]), _flat(self.source), a * plasma, _flat(self.q))
        kernel.stage_weight(
            _flat(self.rhs[0]), _flat(self.source), _flat(self.leave), _flat(self.capacity), a, plasma, FLOOR,
            _flat(self.weight),
        )  # fmt: skip
        kernel.predict(self.values.reshape(STAGES, 3, -1), PREDICTOR[i], _flat(self.free))
        rates = (a, eq.kon_L_per_nmol_per_h, eq.koff_per_h, eq.kint_per_h)
        self.residual, newton, cg = kernel.solve_stage(
            self.free, self.q, self.rhs[1], self.target, self.leave, self.capacity, self.weight,
            *rates, tolerance, CG_REDUCTION, self.mass, self.inverse, self.work,
            ladder.face_sum, ladder.faces, ladder.rows, ladder.places, ladder.start,
        )  # fmt: skip
        tally.newton += newton
        tally.cg += cg
        if not self.residual <= max(tolerance, 1e-8):
            return False
        kernel.finish_stage(
            self.free, self.rhs, self.target, self.leave, self.source, self.fs0, self.g0,
            a, plasma, *rates[1:], eq.krel_per_h, self.values[i], self.slopes[i],
        )  # fmt: skip
        return True

    def state_errors(self, step_h: float) -> tuple[float, float]:
        """Embedded error of the step, relative (rms over voxels); the deepest value below 0, of the mean content."""
        new = self.new.reshape(3, -1)
        peak = max(self.peak, kernel.total_content(new) / self.voxels) + 1e-290
        error = kernel.scaled_error(
            self.state.reshape(3, -1), new, self.slopes.reshape(STAGES, 3, -1), step_h * (B - B_EMBEDDED),
            _flat(self.capacity), FLOOR * peak,
        )  # fmt: skip
        return float(error), float(kernel.deepest(self.values[-1].reshape(3, -1), _flat(self.capacity)) / peak)

    def label_misses(self, step_h: float, decays: Array, weights: Array) -> Array:
        """What each label's quadrature misses of its balance over the step, at the label's strength at its start."""
        totals = np.empty((STAGES, 2))
        kernel.stage_totals(
            self.values.reshape(STAGES, 3, -1), self.slopes.reshape(STAGES, 3, -1), self.capacity.reshape(-1), totals
        )
        z = decays * step_h
        before, after = kernel.total_content(self.state.reshape(3, -1)), kernel.total_content(self.new.reshape(3, -1))
        change = step_h * (weights @ totals[:, 1]) - z * (weights @ totals[:, 0])
        return np.asarray(np.abs(np.exp(-z) * after - before - change))

    def accept(self, plasma_at_end: float) -> None:
        """The new state becomes the old one; the last stage is the first of the next step."""
        self.state, self.new = self.new, self.state
        self.peak = max(self.peak, kernel.total_content(self.state.reshape(3, -1)) / self.voxels)
        self.values[0] = self.values[-1]
        self.first_slope[...] = self.slopes[-1]
        kernel.add_source(_flat(self.slopes[-1, 0]), _flat(self.source), -plasma_at_end, _flat(self.first_slope[0]))

    def snapshot(self) -> Array:
        """Free (per tissue), bound and internalised at the step's end, (3, ny, nx)."""
        free, bound, inside = self.values[-1]
        return unpack(np.stack([self.capacity * free, bound, inside]), self.shape)


def plasma_stages(plasma: PlasmaCurve, start_h: float, step_h: float, whole: float) -> tuple[Array, float]:
    """Plasma at the six stages, corrected so that the step takes in exactly the area under the curve.

    Also the size of that correction as a share of the whole area: the quadrature error, of order five in the step.
    """
    values = plasma.concentration_nmol_per_L(start_h + C * step_h)
    rates, amplitudes = np.array(plasma.rates_per_h), np.array(plasma.amplitudes_nmol_per_L)
    area = float(np.sum(amplitudes * np.exp(-rates * start_h) * -np.expm1(-rates * step_h) / rates))
    rough = step_h * float(B @ values)
    close = rough > 0.0 and 0.5 < area / rough < 2.0
    # a factor keeps the shape; where the stages miss the curve (it is over within the step) a constant must do
    corrected = values * (area / rough) if close else values + (area - rough) / step_h
    return corrected, abs(area - rough) / whole


@dataclass(frozen=True)
class Step:
    """A tried step: end, size, the plasma it saw, label weights (n, 6) and its error in units of the allowed one."""

    end_h: float
    size_h: float
    plasma: Array
    weights: Array
    error: float


class _Controller:
    """Chooses steps: tries one, weighs its errors against what the tolerance allows, proposes the next."""

    def __init__(self, run: Stages, plasma: PlasmaCurve, end_h: float, decays: Array, tolerance: float) -> None:
        self.run, self.plasma, self.end_h, self.decays, self.tolerance = run, plasma, end_h, decays, tolerance
        self.supply = max(plasma.integral_nmol_h_per_L(), 1e-300)
        entering = float(run.eq.source_per_h.sum())
        self.label_supply = np.array([max(entering * plasma.integral_nmol_h_per_L(d), 1e-300) for d in decays])
        self.next_h = min(end_h, FIRST_STEP / max(plasma.rates_per_h))

    def attempt(self, time: float, tally: March) -> Step:
        """One step from ``time``; sets ``next_h`` to the step that should follow, or to the one to retry with."""
        last = time + 1.01 * self.next_h >= self.end_h
        step = self.end_h - time if last else self.next_h
        levels, miss = plasma_stages(self.plasma, time, step, self.supply)
        weights = np.array([label_weights(d * step) for d in self.decays])
        error = math.inf
        newton = NEWTON_PER_TOLERANCE * self.tolerance
        if self.run.take(step, levels, newton, last, tally):
            strength = np.exp(-self.decays * time) / self.label_supply
            labels = float(np.max(strength * self.run.label_misses(step, self.decays, weights)))
            allowed = (STATE_PER_TOLERANCE, BELOW_ZERO_PER_TOLERANCE, SOURCE_PER_TOLERANCE, LABEL_PER_TOLERANCE)
            found = (*self.run.state_errors(step), miss, labels)
            error = max(f / (a * self.tolerance) for f, a in zip(found, allowed, strict=True))
            error = error if math.isfinite(error) else math.inf
        factor = min(GROW, max(SHRINK, SAFETY * max(error, 1e-12) ** -0.25)) if error < math.inf else SHRINK
        self.next_h = step * (factor if error <= 1.0 else min(factor, 0.9))
        return Step(self.end_h if last else time + step, step, levels, weights, error)


def march(
    equations: Coefficients, plasma: PlasmaCurve, end_h: float, decay_per_h: Array, tolerance: float,
    progress: Callable[[float], None] | None = None,
    record: Callable[[float, Step, Stages], None] | None = None, stages: Stages | None = None,
) -> March:  # fmt: skip
    """Integrate from an empty tissue at time 0 to ``end_h``; labels' decay constants ``decay_per_h`` (n,).

    ``record`` sees each accepted step, with its start, before the run moves on; ``stages`` are the work fields, fresh.
    """
    run, out = Stages(equations) if stages is None else stages, March()
    control = _Controller(run, plasma, end_h, decay_per_h, tolerance)
    integrals = np.zeros((len(decay_per_h), 3, *run.free.shape))
    snapshots = [np.zeros((3, *run.shape))]
    time = 0.0
    while time < end_h:
        step = control.attempt(time, out)
        if not step.error <= 1.0:
            out.rejected += 1
            if control.next_h < 1e-12 * max(time, 1e-3):
                raise DidNotConverge(_stuck(time, end_h, step, equations, run.residual))
            continue
        for n, decay in enumerate(decay_per_h):
            fade = math.exp(-decay * time)
            if fade > 1e-30:
                flat = integrals[n].reshape(-1)
                kernel.combine(flat, run.values.reshape(STAGES, -1), step.size_h * fade * step.weights[n], flat)
        if record is not None:
            record(time, step, run)
        run.accept(step.plasma[-1])
        time = step.end_h
        out.times_h.append(time)
        snapshots.append(run.snapshot())
        if progress is not None:
            progress(time / end_h)
    integrals[:, 0] *= run.capacity
    out.integrals, out.snapshots = unpack(integrals, run.shape), np.stack(snapshots)
    return out


def _stuck(time: float, end_h: float, step: Step, equations: Coefficients, residual: float) -> str:
    binding = equations.kon_L_per_nmol_per_h * float(equations.target_nmol_per_L.max())
    return (
        f"The transport solver stopped at {time:.4g} h of {end_h:g} h: its step fell to {step.size_h:.2g} h with an "
        f"error of {step.error:.3g} times the allowed one and a stage residual of {residual:.2g} (fastest binding "
        f"{binding:.3g} per h). "
        "Check the rates, or loosen the tolerance."
    )
