"""March the transport equations through time: error-controlled steps of ESDIRK4(3), label integrals on the way."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from nichedose.body.plasma import PlasmaCurve
from nichedose.fields.grid import Array
from nichedose.transport import _kernels as kernel
from nichedose.transport import _sums as sums
from nichedose.transport import _weights as weights
from nichedose.transport._checkerboard import build_ladder, cells_of, pack, packed_shape, unpack, with_parts
from nichedose.transport._equations import Coefficients
from nichedose.transport._room import Room
from nichedose.transport._stuck import BELOW_ZERO, STAGE, place, stuck, worst
from nichedose.transport._tableau import STAGES, label_weights
from nichedose.transport._worst_place import worst_of_section
from nichedose.transport.solution import Snapshots

__all__ = ["March", "Stages", "Step", "finished_further", "march", "next_share", "plasma_stages"]

STATE_PER_TOLERANCE = 2.0  # rms embedded error per step, in units of the tolerance
SOURCE_PER_TOLERANCE = 0.02  # error of the plasma quadrature per step, of the whole area under the curve
LABEL_PER_TOLERANCE = 0.03  # what a step may lose of a label's balance, of all that will enter
BELOW_ZERO_PER_TOLERANCE = 1e-3  # of the mean content, that a step may leave below 0 in any voxel
NEWTON_PER_TOLERANCE = 1.0  # weighted residual of a stage: moves ligand between voxels, makes none
FLOOR = 1e-3  # voxels holding less than this share of the mean (so far the largest) are judged against that share
SHRINK, GROW, SAFETY = 0.2, 6.0, 0.9
FIRST_STEP = 0.05  # of the plasma's fastest time constant
FIRST_SHARE = 1e-3  # of the whole run, at most: lasting plasma says nothing of how fast tissue fills
ROOM = 48  # snapshots for which there is room at first; what is not touched takes no memory
CHUNK = 8192  # cells of whole rows that kernels take at a time: as many as the middle cache holds of some fields
PATIENCE = 12  # cycles of a linear solve, on average over a step, before blocks of voxels are taken apart
LAST_TOLERANCE = 1e-11  # residual of the very last stage, so that the final snapshot closes the ledger


@dataclass
class March:
    """What a march leaves.

    Step ends, snapshots (nt, 3, ny, nx) of free per tissue, bound and internalised at all of these or at the last
    alone, their label integrals (labels, 3, ny, nx), and counts of rejected steps, Newton steps and multigrid cycles.
    """

    times_h: list[float] = field(default_factory=lambda: [0.0])
    snapshots: Array = field(default_factory=lambda: np.zeros(0))
    integrals: Array = field(default_factory=lambda: np.zeros(0))
    rejected: int = 0
    newton: int = 0
    cycles: int = 0


class Stages:
    """Packed fields and work arrays of one run, and the six stages of a step.

    ``state`` (3, ...) free + bound, bound and internalised at the step's start; ``free`` (6, ...) free ligand of the
    stages and ``slopes`` (6, ...) of bound ligand, kb; stage 0 is the step's start. Everything else follows from these.
    """

    def __init__(self, equations: Coefficients) -> None:
        self.shape = equations.capacity.shape
        packed = packed_shape(self.shape)
        self.eq = equations
        mask = equations.capacity > 0.0
        self.voxels = int(np.count_nonzero(mask))
        self.ladder = ladder = build_ladder(mask, equations.faces_per_h)
        room = self.room = Room()
        self.capacity = pack(equations.capacity, out=room.zeros(packed))
        self.target = pack(equations.target_nmol_per_L, out=room.zeros(packed))
        self.source = pack(equations.source_per_h, out=room.zeros(packed))
        same = equations.leave_per_h is equations.source_per_h
        self.leave = self.source if same else pack(equations.leave_per_h, out=room.zeros(packed))
        cells, total = cells_of(self.shape), int(ladder.start[-1])
        self.sums = ladder.exact_sum
        self.line, self.line64 = room.zeros(packed[2], np.float32), room.zeros(packed[2])
        self.lines = room.zeros((max(1, CHUNK // packed[2]), packed[2]))
        self.spare = room.zeros(self.lines.size)
        self.mass, self.inverse = room.zeros(total, np.float32), room.zeros(total, np.float32)
        self.work, self.dx = room.zeros((4, total), np.float32), room.zeros(cells, np.float32)
        self.weight = room.zeros(packed, np.float32)
        self.q, self.bound_rhs = room.zeros(packed), room.zeros(packed)
        # combinations of stages are done with when the solver starts: they lie where its corrections will
        self.mixed = self.work[1:3].reshape(-1).view(np.float64)[:cells].reshape(packed)
        self.state = room.zeros((3, *packed))
        self.free, self.slopes = room.zeros((STAGES, *packed)), room.zeros((STAGES, *packed))
        self.residual = 0.0  # of the stage solved last
        # whether blocks of voxels shall be taken apart from the next step on, are in this one, and ever were
        self.slow, self.in_parts, self.taken_apart = False, False, False
        self.settled = False  # whether bound ligand was taken back at the step's start
        self.peak = 0.0  # largest mean content so far
        self.brought = float(equations.source_per_h.sum())
        self.sums_before = np.zeros(3)  # of the state, over the section
        self.sums_after = np.zeros(3)
        self.totals = np.zeros((STAGES, 3))  # of free ligand per tissue, what leaves, kb, at the stages
        self.squares, self.below = 0.0, 0.0  # errors of the step taken last: see `kernel.take_step`
        # bound and internalised ligand of the stages as combinations of kb, B and I of the state: `combinations`
        self.bound, self.inside = np.zeros((STAGES, STAGES + 2)), np.zeros((STAGES, STAGES + 2))
        # capacity for the kernels: of one block of rows, where it is the same in all tissue
        values = equations.capacity[mask]
        one = values.size > 0 and float(np.ptp(values)) == 0.0
        capacity = np.full((2, self.lines.size), values[0]) if one else self.capacity.reshape(2, -1)
        self.arrays = (
            (capacity, self.target, self.source, self.leave), (self.q, self.bound_rhs, self.mixed, self.weight),
            (self.mass, self.inverse, self.dx, self.work), (self.sums, ladder.face_sum, ladder.faces, ladder.even),
            (self.line, self.line64, self.lines, self.spare),
        )  # fmt: skip
        self.blocks = ladder.sizes

    def take(self, step_h: float, plasma: Array, newton_tolerance: float, last: bool, tally: March) -> bool:
        """Try one step; free + bound ligand at its end lies in ``q``. False where a stage did not converge."""
        eq = self.eq
        tolerances = np.full(STAGES, newton_tolerance)
        if last:
            tolerances[-1] = LAST_TOLERANCE
        if self.slow and not self.taken_apart:
            self.taken_apart = True
            self.ladder = with_parts(self.ladder, unpack(self.capacity, self.shape) > 0.0, eq.faces_per_h)
        self.in_parts = self.slow
        sizes = self.ladder.sizes if self.in_parts else self.blocks
        counts = np.zeros(2, dtype=np.int64)
        weights.combinations(step_h, eq.kint_per_h, eq.krel_per_h, self.bound, self.inside)
        self.sums_after = np.empty(3)
        self.residual, self.squares, self.below = kernel.take_step(
            step_h, plasma, tolerances, FLOOR, self.voxels, self.brought, self.peak,
            (eq.kon_L_per_nmol_per_h, eq.koff_per_h, eq.kint_per_h), eq.krel_per_h, self.state, self.free, self.slopes,
            self.bound, self.inside, self.totals, self.sums_before, self.sums_after, *self.arrays, sizes, counts,
        )  # fmt: skip
        self.slow = self.slow or bool(counts[1] > PATIENCE * counts[0])
        tally.newton += int(counts[0])
        tally.cycles += int(counts[1])
        return bool(self.residual <= max(tolerances[-1], kernel.LEAST_RESIDUAL))

    def state_errors(self) -> tuple[float, float]:
        """Embedded error of the step taken, relative (rms over voxels); the deepest value below 0, of the mean
        content."""
        peak = max(self.peak, float(self.sums_after[0] + self.sums_after[2]) / self.voxels) + 1e-290
        return math.sqrt(self.squares / self.voxels), self.below / peak

    def label_misses(self, step_h: float, plasma: Array, decays: Array, quadrature: Array) -> Array:
        """What each label's ``quadrature`` (labels, 6) misses of its balance over the step, at the label's strength at
        its start."""
        found: Array = weights.label_misses(
            step_h, plasma, self.brought, self.eq.krel_per_h, decays, quadrature, self.bound, self.inside, self.totals,
            self.sums_before, self.sums_after,
        )  # fmt: skip
        return found

    def accept(self, quadrature: Array, integrals: Array) -> None:
        """Add to ``integrals`` (labels, 3, ...) the stages' free (per void), bound and internalised ligand times
        ``quadrature`` (labels, 6). Then the new state becomes the old one, and the last stage the first."""
        sums.accept(
            _flat(self.q), _stages(self.free), _stages(self.slopes), self.bound, self.inside, quadrature,
            integrals.reshape(len(quadrature), 3, self.q.size), self.state.reshape(3, -1),
        )  # fmt: skip
        self.totals[0] = self.totals[-1]
        self.sums_before = self.sums_after
        self.settled = False
        self.peak = max(self.peak, float(self.sums_after[0] + self.sums_after[2]) / self.voxels)

    def settle(self) -> None:
        """Where most is bound, and more than free ligand leaves of all, bound ligand becomes what it leaves.

        Unfinished stages leave the two apart by their residual; where free ligand is less than that, a stage that is
        solved further would need free ligand below 0, in steps of any size.
        """
        self.slow = True  # where pieces of tissue share blocks, corrections to one leave amounts below 0 in the other
        free = self.capacity * np.maximum(self.free[0], 0.0)
        left = np.maximum(self.state[0] - free, 0.0)
        np.copyto(self.state[1], left, where=(left < self.state[1]) & (free < self.state[1]))
        self.sums_before = np.array([float(f.sum()) for f in self.state])
        self.settled = True

    def where(self, cause: str, step_h: float, plasma: Array) -> str:
        """Species and voxel with the largest error of a tried step, or residual of the stage solved last."""
        if cause != STAGE:
            return worst_of_section(self, cause, step_h, plasma, FLOOR)
        weighted = np.abs(self.work[0, : self.q.size] * self.weight.ravel())
        stiff = ~np.isfinite(self.mass[: self.q.size])
        if stiff.any():  # too stiff for a number: no residual means anything
            weighted = stiff.astype(float)
        box = unpack(weighted.reshape(self.q.shape), self.shape)
        index = np.unravel_index(int(np.argmax(box)), self.shape)  # NaN counts as largest
        return place("free ligand", [int(i) + f for i, f in zip(index, self.eq.first, strict=True)], self.eq.lines_um)

    def let_go(self) -> None:
        """Keep the state alone: no step will follow."""
        del self.arrays, self.free, self.slopes, self.q, self.bound_rhs, self.mixed, self.weight
        del self.work, self.dx, self.mass, self.inverse, self.blocks, self.ladder, self.sums

    def snapshot(self, out: Array) -> None:
        """Into ``out`` (3, ...): free (per tissue), bound and internalised at the step's start."""
        unpack(self.free[:1], self.shape, out[:1])
        unpack(self.state[1:], self.shape, out[1:])
        out[0] *= self.eq.capacity


def _flat(packed: Array) -> Array:
    return packed.reshape(-1)


def _stages(packed: Array) -> Array:
    """Flat fields of the six stages."""
    return packed.reshape(STAGES, -1)


def plasma_stages(plasma: PlasmaCurve, start_h: float, step_h: float, whole: float) -> tuple[Array, float]:
    """Plasma at the six stages, corrected so that the step takes in exactly the area under the curve.

    Also the size of that correction as a share of the whole area: the quadrature error, of order five in the step.
    """
    values, rates = np.empty(STAGES), np.array(plasma.rates_per_h)
    miss = weights.plasma_levels(np.array(plasma.amplitudes_nmol_per_L), rates, float(start_h), float(step_h), values)
    return values, miss / whole


@dataclass(frozen=True)
class Step:
    """A tried step: end, size, the plasma it saw, label weights (n, 6), what its stages were solved to, and the largest
    of its errors in units of the allowed one, and which it is."""

    end_h: float
    size_h: float
    plasma: Array
    weights: Array
    newton_tolerance: float
    error: float
    cause: str


def next_share(error: float, cause: str) -> tuple[float, bool]:
    """The next step as a share of one that had this largest error, in units of the allowed one; and whether amounts
    below 0 made it smaller.

    They need not fall with the step, as other errors do: unfinished stages leave them. So from then on stages are
    finished further, and a step that was good enough is not followed by a smaller one: that could go on for ever.
    """
    factor = min(GROW, max(SHRINK, SAFETY * max(error, 1e-12) ** -0.25)) if error < math.inf else SHRINK
    below_zero = cause == BELOW_ZERO and factor < 1.0
    if error > 1.0:
        return min(factor, 0.9), below_zero
    return 1.0 if below_zero else factor, below_zero


def finished_further(newton_tolerance: float) -> float:
    """Residual that stages are solved to once amounts below 0 have shown."""
    return min(newton_tolerance, max(0.1 * newton_tolerance, kernel.LEAST_RESIDUAL))


class _Controller:
    """Chooses steps: tries one, weighs its errors against what the tolerance allows, proposes the next."""

    def __init__(self, run: Stages, plasma: PlasmaCurve, end_h: float, decays: Array, tolerance: float) -> None:
        self.run, self.plasma, self.end_h, self.decays, self.tolerance = run, plasma, end_h, decays, tolerance
        self.supply = max(plasma.integral_nmol_h_per_L(), 1e-300)
        entering = float(run.eq.source_per_h.sum())
        self.label_supply = np.array([max(entering * plasma.integral_nmol_h_per_L(d), 1e-300) for d in decays])
        self.next_h = min(FIRST_SHARE * end_h, FIRST_STEP / max(plasma.rates_per_h))
        self.newton_tolerance, self.below_zero = NEWTON_PER_TOLERANCE * tolerance, False

    def attempt(self, time: float, tally: March) -> Step:
        """One step from ``time``; sets ``next_h`` to the step that should follow, or to the one to retry with."""
        last = time + 1.01 * self.next_h >= self.end_h
        step = self.end_h - time if last else self.next_h
        if self.below_zero:
            self.run.settle()
            self.newton_tolerance = finished_further(self.newton_tolerance)
        newton = self.newton_tolerance
        levels, miss = plasma_stages(self.plasma, time, step, self.supply)
        quadrature = np.array([label_weights(d * step) for d in self.decays])
        error, cause = math.inf, STAGE
        if self.run.take(step, levels, newton, last, tally):
            strength = np.exp(-self.decays * time) / self.label_supply
            labels = float(np.max(strength * self.run.label_misses(step, levels, self.decays, quadrature)))
            allowed = (STATE_PER_TOLERANCE, BELOW_ZERO_PER_TOLERANCE, SOURCE_PER_TOLERANCE, LABEL_PER_TOLERANCE)
            found = (*self.run.state_errors(), miss, labels)
            error, cause = worst(found, [a * self.tolerance for a in allowed])
            error = error if math.isfinite(error) else math.inf
        factor, self.below_zero = next_share(error, cause)
        self.next_h = step * factor
        return Step(self.end_h if last else time + step, step, levels, quadrature, newton, error, cause)


def march(
    equations: Coefficients, plasma: PlasmaCurve, end_h: float, decay_per_h: Array, tolerance: float,
    progress: Callable[[float], None] | None = None,
    record: Callable[[float, Step, Stages], None] | None = None, stages: Stages | None = None,
    snapshots: Snapshots = "steps",
) -> March:  # fmt: skip
    """Integrate from an empty tissue at time 0 to ``end_h``; labels' decay constants ``decay_per_h`` (n,).

    ``record`` sees each accepted step, with its start, before the run moves on. ``stages`` are the work fields, fresh.
    ``snapshots`` are kept of the ends of all steps, or of the run's end alone.
    """
    run, out = Stages(equations) if stages is None else stages, March()
    control = _Controller(run, plasma, end_h, decay_per_h, tolerance)
    integrals = run.room.zeros((len(decay_per_h), 3, *run.q.shape))
    kept = np.zeros((ROOM if snapshots == "steps" else 1, 3, *run.shape))
    time = 0.0
    while time < end_h:
        step = control.attempt(time, out)
        if not step.error <= 1.0:
            out.rejected += 1
            if control.next_h < 1e-12 * max(time, 1e-3):
                fastest = equations.kon_L_per_nmol_per_h * float(equations.target_nmol_per_L.max())
                where = run.where(step.cause, step.size_h, step.plasma)
                raise stuck(time, end_h, step.size_h, step.cause, step.error, run.residual,
                            step.newton_tolerance, where, f"{fastest:.3g} per h")
            continue
        fade = np.exp(-decay_per_h * time)
        fade[fade < 1e-30] = 0.0
        if record is not None:
            record(time, step, run)
        run.accept(step.size_h * fade[:, None] * step.weights, integrals)
        time = step.end_h
        out.times_h.append(time)
        steps = len(out.times_h) - 1
        if snapshots == "steps":
            if steps == len(kept):
                kept, full = np.zeros((2 * steps, *kept.shape[1:])), kept
                kept[:steps] = full
            run.snapshot(kept[steps])
        if progress is not None:
            progress(time / end_h)
    if snapshots == "end":
        run.snapshot(kept[0])
    integrals[:, 0] *= run.capacity
    out.integrals, out.snapshots = unpack(integrals, run.shape), kept[: len(out.times_h)]
    return out
