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
from nichedose.transport._tableau import B_EMBEDDED, STAGES, A, B, C, label_weights

__all__ = ["March", "march"]

STATE_PER_TOLERANCE = 1.0  # rms embedded error per step, in units of the tolerance
SOURCE_PER_TOLERANCE = 0.02  # error of the plasma quadrature per step, of the whole area under the curve
NEWTON_PER_TOLERANCE = 0.02  # weighted residual of a stage
FLOOR = 1e-3  # voxels holding less than this share of the mean are judged against that share
CG_REDUCTION = 0.05
SHRINK, GROW, SAFETY = 0.2, 6.0, 0.9
LAST_TOLERANCE = 1e-11  # residual of the very last stage, so that the final snapshot closes the ledger


@dataclass
class March:
    """What a march leaves: step ends, snapshots (nt, 3, ny, nx) of capacity x u, bound, internalised, and label integrals
    (labels, 3, ny, nx) of the same; counts of steps, rejected steps, Newton and CG iterations."""

    times_h: list[float] = field(default_factory=lambda: [0.0])
    snapshots: Array = field(default_factory=lambda: np.zeros(0))
    integrals: Array = field(default_factory=lambda: np.zeros(0))
    rejected: int = 0
    newton: int = 0
    cg: int = 0


class _Stages:
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
        self.first_slope = np.zeros((3, *packed))  # without the plasma's share

    def take(self, step_h: float, plasma: Array, newton_tolerance: float, last: bool, tally: March) -> float:
        """Try one step; the new state lies in ``new``. Returns the worst weighted residual of its stages."""
        eq, a = self.eq, A[1, 1] * step_h
        self.slopes[0] = self.first_slope
        kernel.add_source(self.first_slope[0].reshape(-1), self.source.reshape(-1), plasma[0], self.slopes[0, 0].reshape(-1))
        worst = 0.0
        flat_slopes = self.slopes.reshape(STAGES, -1)
        for i in range(1, STAGES):
            weights = np.zeros(STAGES)
            weights[:i] = step_h * A[i, :i]
            kernel.combine(self.state.reshape(-1), flat_slopes, weights, self.rhs.reshape(-1))
            kernel.add_source(self.rhs[0].reshape(-1), self.source.reshape(-1), a * plasma[i], self.q.reshape(-1))
            kernel.stage_weight(self.q.reshape(-1), self.capacity.reshape(-1), FLOOR, self.weight.reshape(-1))
            self.free[...] = self.values[i - 1, 0]
            tolerance = LAST_TOLERANCE if last and i == STAGES - 1 else newton_tolerance
            residual, newton, cg = kernel.solve_stage(
                self.free, self.q, self.rhs[1], self.target, self.leave, self.capacity, self.weight,
                a, eq.kon_L_per_nmol_per_h, eq.koff_per_h, eq.kint_per_h, tolerance, CG_REDUCTION,
                self.mass, self.inverse, self.work, self.ladder.face_sum, self.ladder.faces,
                self.ladder.rows, self.ladder.places, self.ladder.start,
            )  # fmt: skip
            tally.newton += newton
            tally.cg += cg
            if not (math.isfinite(residual) and (residual <= newton_tolerance)):
                return math.inf
            worst = max(worst, residual)
            kernel.finish_stage(
                self.free, self.rhs, self.target, self.leave, self.source, self.fs0, self.g0,
                a, plasma[i], eq.kon_L_per_nmol_per_h, eq.koff_per_h, eq.kint_per_h, eq.krel_per_h,
                self.values[i], self.slopes[i],
            )  # fmt: skip
        kernel.combine(self.state.reshape(-1), flat_slopes, step_h * B, self.new.reshape(-1))
        return worst

    def error(self, step_h: float) -> float:
        return float(
            kernel.scaled_error(
                self.state.reshape(3, -1), self.new.reshape(3, -1), self.slopes.reshape(STAGES, 3, -1),
                step_h * (B - B_EMBEDDED), self.capacity.reshape(-1), FLOOR,
            )
        )  # fmt: skip

    def accept(self, plasma_at_end: float) -> None:
        """The new state becomes the old one; the last stage is the first of the next step."""
        self.state, self.new = self.new, self.state
        self.values[0] = self.values[-1]
        self.first_slope[...] = self.slopes[-1]
        kernel.add_source(
            self.slopes[-1, 0].reshape(-1), self.source.reshape(-1), -plasma_at_end, self.first_slope[0].reshape(-1)
        )

    def snapshot(self) -> Array:
        return unpack(np.stack([self.capacity * self.values[-1, 0], self.values[-1, 1], self.values[-1, 2]]), self.shape)


def _plasma_stages(plasma: PlasmaCurve, start_h: float, step_h: float, whole: float) -> tuple[Array, float]:
    """Plasma at the six stages, scaled so that the step takes in exactly the area under the curve; and the scaling's size
    as a share of the whole area (the quadrature error, of order five in the step)."""
    values = plasma.concentration_nmol_per_L(start_h + C * step_h)
    rates, amplitudes = np.array(plasma.rates_per_h), np.array(plasma.amplitudes_nmol_per_L)
    area = float(np.sum(amplitudes * np.exp(-rates * start_h) * -np.expm1(-rates * step_h) / rates))
    rough = step_h * float(B @ values)
    if not (rough > 0.0 and 0.5 < area / rough < 2.0):
        return values, abs(area - rough) / whole
    return values * (area / rough), abs(area - rough) / whole


def march(
    equations: Coefficients, plasma: PlasmaCurve, end_h: float, decay_per_h: Array, tolerance: float,
    progress: Callable[[float], None] | None = None,
) -> March:  # fmt: skip
    """Integrate from an empty tissue at time 0 to ``end_h``; labels' decay constants ``decay_per_h`` (n,)."""
    run, out = _Stages(equations), March()
    packed = run.free.shape
    integrals = np.zeros((len(decay_per_h), 3, *packed))
    snapshots = [np.zeros((3, *run.shape))]
    whole = max(plasma.integral_nmol_h_per_L(), 1e-300)
    newton_tolerance = min(NEWTON_PER_TOLERANCE * tolerance, 1e-3)
    time, step = 0.0, min(end_h, 0.05 / max(plasma.rates_per_h))
    while time < end_h:
        if time + 1.01 * step >= end_h:
            step = end_h - time
        last = time + step >= end_h
        levels, miss = _plasma_stages(plasma, time, step, whole)
        residual = run.take(step, levels, newton_tolerance, last, out)
        error = max(run.error(step) / (STATE_PER_TOLERANCE * tolerance), miss / (SOURCE_PER_TOLERANCE * tolerance)) \
            if residual < math.inf else math.inf
        factor = min(GROW, max(SHRINK, SAFETY * max(error, 1e-12) ** -0.25)) if math.isfinite(error) else SHRINK
        if not error <= 1.0:
            out.rejected += 1
            step *= min(factor, 0.9)
            if step < 1e-12 * max(time, 1e-3):
                raise DidNotConverge(
                    f"The transport solver stopped at {time:.4g} h of {end_h:g} h: its step fell to {step:.2g} h with an error "
                    f"of {error:.3g} times the allowed one (fastest binding "
                    f"{equations.kon_L_per_nmol_per_h * equations.target_nmol_per_L.max():.3g} per h). "
                    "Check the rates, or loosen the tolerance."
                )
            continue
        for n, decay in enumerate(decay_per_h):
            weight = step * math.exp(-decay * time) * label_weights(decay * step)
            flat = integrals[n].reshape(-1)
            kernel.combine(flat, run.values.reshape(STAGES, -1), weight, flat)
        run.accept(levels[-1])
        time = end_h if last else time + step
        out.times_h.append(time)
        snapshots.append(run.snapshot())
        step *= factor
        if progress is not None:
            progress(time / end_h)
    integrals[:, 0] *= run.capacity
    out.integrals, out.snapshots = unpack(integrals, run.shape), np.stack(snapshots)
    return out
