"""Where daughters decay: retained at their birthplace, migrated, or washed out into the blood.

Each generation is born where the one above decayed. What recoil leaves in its place decays there; what it releases
diffuses and is lost by decay and to vessels, div(D grad n) - (lambda + k) n + s = 0 for the time integral n, fed by the
migrated map of the generation above.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp

from nichedose.dose.numbers import check_kind, one_length, one_number, real_array
from nichedose.dose.yukawa import spread_yukawa
from nichedose.errors import BadInput, near_miss
from nichedose.fields import Grid, voxel_mesh
from nichedose.fields.grid import Array, BoolArray
from nichedose.fields.linear import solve_spd
from nichedose.nuclide import Source, canonical_name, chain, chosen_source, decay_per_h, progeny

__all__ = ["Generation", "Method", "Migration", "Mobility", "migrate"]

Method = Literal["solve", "yukawa", "auto"]
_TOLERANCE = 1e-11


@dataclass(frozen=True)
class Mobility:
    """How a released daughter moves: ``diffusivity_um2_per_s``, and ``clearance_per_s`` k to vessels per tissue volume;
    numbers or maps of the mask's shape."""

    diffusivity_um2_per_s: Array | float
    clearance_per_s: Array | float


@dataclass(frozen=True)
class Generation:
    """One progeny. Maps of the mask's shape in MBq.h/L, that is its decays to infinite time per tissue volume.

    ``retained`` by state of the carrier; ``migrated`` decayed after release; ``washed_out``: carried off by vessels,
    as the decays it would have. ``left_fraction``: of what was born, what the fast path spread out of the mask.
    ``balance``: born less all of these, over born. ``misplaced_fraction``: bound on the summed absolute error of
    ``migrated`` over what was born, from the fast path's uniform clearance and edge, generations above included (0:
    solved); the error of the grid itself is not in it.
    """

    retained: Mapping[str, Array]
    migrated: Array
    washed_out: Array
    left_fraction: float
    balance: float
    misplaced_fraction: float

    @property
    def tia_MBq_h_per_L(self) -> Array:
        return np.asarray(sum(self.retained.values()) + self.migrated)


@dataclass(frozen=True)
class Migration:
    """Time-integrated activity of a parent by state, and its progeny in order of decay, in a section or a volume."""

    spacing_um: float
    mask: BoolArray
    nuclide: str
    parent_by_state: Mapping[str, Array]
    progeny: Mapping[str, Generation]
    longest_half_life_h: float
    mean_mobile_life_h: Mapping[str, float]
    decay_data: Source

    @property
    def tia_MBq_h_per_L(self) -> dict[str, Array]:
        """Maps of the parent and of each progeny."""
        parent = np.asarray(sum(self.parent_by_state.values()))
        return {self.nuclide: parent} | {name: g.tia_MBq_h_per_L for name, g in self.progeny.items()}

    @property
    def washed_out_per_parent_decay(self) -> dict[str, float]:
        """Atoms of each progeny handed to the blood per decay of the parent in the map; their own progeny go along.

        Times the lesion's time-integrated activity this is what the body model receives: the decays of that progeny
        that do not happen here.
        """
        parent = float(self.tia_MBq_h_per_L[self.nuclide].sum())
        return {name: float(g.washed_out.sum()) / _or_one(parent) for name, g in self.progeny.items()}


def migrate(
    grid: Grid | float,
    mask: BoolArray,
    nuclide: str,
    tia_by_state: Mapping[str, Array],
    *,
    retention: Mapping[str, float | Mapping[str, float]],
    mobility: Mobility | Mapping[str, Mobility],
    method: Method = "solve",
    longest_half_life_h: float = math.inf,
    misplaced_tolerance: float = 0.01,
    decay_data: Source | None = None,
) -> Migration:
    """Follow every progeny of a parent whose time-integrated activity by state is ``tia_by_state``, MBq.h/L.

    All maps have the shape of ``mask``: (ny, nx) with the ``grid`` of a section, in which patterns repeat along z, or
    (nz, ny, nx) of a volume with the spacing of its voxels, um, in the grid's place. ``retention[state]``: share of the
    daughters born in that state that stays there, one number or one per progeny (named by what is born). States are the
    carrier's, such as bound, internalised, free; a released daughter leaves its carrier for good, and so do all that it
    gives birth to. ``mobility``: one for all, or one per progeny (by element, in fact). ``method`` "solve": the
    screened equation, no flow through the mask's edge. "yukawa": convolution with the Green's function of the mask's
    mean clearance, mirrored at the array's edge; D must be a number. "auto": the latter where its bound is below
    ``misplaced_tolerance``. Progeny with longer half-lives than the limit are left out with all that they feed.
    ``decay_data``: "icrp107" or "ensdf". Raises `BadInput` for unknown names, missing states, shares outside 0 to 1,
    negative or missing mobilities, and wrong shapes or values.

    >>> even = {"bound": np.ones((8, 8))}
    >>> moved = migrate(Grid((8, 8), 20.0), np.ones((8, 8), bool), "225Ac", even, retention={"bound": 0.0},
    ...                 mobility=Mobility(300.0, 1e-3))
    >>> {name: round(share, 2) for name, share in moved.washed_out_per_parent_decay.items()}["213Bi"]
    0.56
    """
    data = chosen_source(decay_data)
    name = canonical_name(nuclide, data)
    _check_maps(grid, mask, tia_by_state)
    spacing = grid.spacing_um if isinstance(grid, Grid) else float(grid)
    members = [m.name for m in chain(name, longest_half_life_h, data)]
    _check(members[1:], mask, tia_by_state, retention, mobility, method)
    if not one_number("misplaced_tolerance", misplaced_tolerance, "a share") >= 0.0:  # also refuses NaN
        raise BadInput(f"misplaced_tolerance = {misplaced_tolerance}; it must be 0 or above.")
    parent = {state: np.where(mask, tia, 0.0) for state, tia in tia_by_state.items()}
    done: dict[str, Generation] = {}
    lives: dict[str, float] = {}
    for member in members[1:]:
        born_in, released, wrong = _birth(member, members, parent, done, retention, data)
        moves = mobility if isinstance(mobility, Mobility) else mobility[member]
        rate = decay_per_h(member, data) / 3600.0
        done[member] = _generation(spacing, mask, born_in, released, moves, rate, method, misplaced_tolerance, wrong)
        k = np.broadcast_to(np.asarray(moves.clearance_per_s, dtype=float), mask.shape)
        lives[member] = float(np.mean(1.0 / (rate + k[mask]))) / 3600.0
    return Migration(spacing, mask, name, parent, done, longest_half_life_h, lives, data)


def _birth(
    member: str, members: list[str], parent: Mapping[str, Array], done: Mapping[str, Generation],
    retention: Mapping[str, float | Mapping[str, float]], data: Source,
) -> tuple[dict[str, Array], Array, float]:
    """What stays by state, what is released, and the bound on the error of the latter (summed), as decays."""
    shape = next(iter(parent.values())).shape
    stays = {state: np.zeros(shape) for state in parent}
    released, wrong = np.zeros(shape), 0.0
    for feeder in members:
        share = dict(progeny(feeder, data)).get(member, 0.0)
        if share == 0.0:
            continue
        states = parent if feeder == members[0] else done[feeder].retained
        for state, tia in states.items():
            kept = _kept(retention[state], member)
            stays[state] = stays[state] + share * kept * tia
            released = released + share * (1.0 - kept) * tia
        if feeder in done:
            above = done[feeder]
            released = released + share * above.migrated
            wrong += share * above.misplaced_fraction * _born(above)
    return stays, released, wrong


def _generation(
    spacing_um: float, mask: BoolArray, retained: dict[str, Array], released: Array, moves: Mobility, rate: float,
    method: Method, tolerance: float, wrong: float,
) -> Generation:
    born = float(released.sum()) + sum(float(tia.sum()) for tia in retained.values())
    clearance = np.where(mask, moves.clearance_per_s, 0.0)
    solve, left, mean, bound = method == "solve", 0.0, 0.0, 0.0
    if not solve:
        n, mean, left, bound = _fast(spacing_um, mask, released, moves, clearance, rate, wrong)
        solve = method == "auto" and bound > tolerance * born
    if solve:
        n, left = _solved(spacing_um, mask, released, moves, clearance, rate), 0.0
        bound = wrong * _decay_share(mask, clearance, rate)
    migrated, washed = rate * n, (clearance if solve else mean) * n  # each path balances with its own clearance
    kept = float(migrated.sum() + washed.sum()) + sum(float(tia.sum()) for tia in retained.values())
    return Generation(retained, migrated, washed, left / _or_one(born),
                      (born - kept - left) / _or_one(born), bound / _or_one(born))


def _solved(
    spacing_um: float, mask: BoolArray, released: Array, moves: Mobility, clearance: Array, rate: float
) -> Array:
    """Time-integrated atoms per decay constant: the screened solve, scaled by its last digits to balance.

    Finite volumes with harmonic face diffusivities and no flow through the edge of ``mask``, in 2-D or 3-D.
    """
    if not released.any():
        return np.zeros(mask.shape)
    mesh = voxel_mesh(mask, spacing_um)
    loss, source = rate + clearance[mask], released[mask]
    flow = mesh.conductance(mesh.gather("diffusivity_um2_per_s", moves.diffusivity_um2_per_s)) / mesh.volume[0]
    out = np.bincount(mesh.a, flow, minlength=mesh.n) + np.bincount(mesh.b, flow, minlength=mesh.n)
    entries = np.concatenate([loss + out, -flow, -flow])
    rows, columns = (np.concatenate([np.arange(mesh.n), first, second])
                     for first, second in ((mesh.a, mesh.b), (mesh.b, mesh.a)))
    matrix = sp.csr_matrix((entries, (rows, columns)), shape=(mesh.n, mesh.n))
    # rounding leaves values below 0, of the order of the tolerance, where nothing arrives
    n = np.maximum(solve_spd(matrix, source / source.max(), *mesh.places, tolerance=_TOLERANCE), 0.0)
    return mesh.scatter(n * (float(source.sum()) / float(loss @ n)))


def _fast(
    spacing_um: float, mask: BoolArray, released: Array, moves: Mobility, clearance: Array, rate: float, wrong: float
) -> tuple[Array, float, float, float]:
    """Yukawa convolution with the mean clearance: atoms, that clearance, what landed outside the mask, and the bound.

    With the true clearance k the error e obeys the same equation with source (kbar - k) n, and with what the closed
    edge of the mask would have turned back. Decay and clearance of |e| together cannot exceed those sources:
    sum (lambda + k)|e| <= sum |kbar - k| n + sum over edge faces of |flux| + the error of the source.
    """
    mean = float(clearance[mask].mean())
    diffusivity = float(moves.diffusivity_um2_per_s)
    length = math.sqrt(diffusivity / (rate + mean))
    everywhere = spread_yukawa(released, spacing_um, length, surroundings="mirror") / (rate + mean)
    n = np.where(mask, everywhere, 0.0)
    outside = (rate + mean) * float(everywhere[~mask].sum())
    patchy = float((np.abs(mean - clearance) * n).sum())
    # a source that ends at the face bends the profile there: the difference of means misses up to a sixth of it
    edge = _over_edge(everywhere, mask) * diffusivity / spacing_um**2
    edge += _over_edge(released, mask) * min(1.0 / 6.0, 0.5 * length / spacing_um)
    return n, mean, outside, (patchy + edge + wrong) * _decay_share(mask, clearance, rate)


def _over_edge(n: Array, mask: BoolArray) -> float:
    """Summed differences over the faces between the mask and what is not in it."""
    return float(sum((np.abs(np.diff(n, axis=a)) * np.diff(mask, axis=a)).sum() for a in range(mask.ndim)))


def _decay_share(mask: BoolArray, clearance: Array, rate: float) -> float:
    """Largest share of the losses that is decay: what turns an error of losses into one of decays."""
    return float((rate / (rate + clearance[mask])).max())


def _born(generation: Generation) -> float:
    stayed = float(generation.tia_MBq_h_per_L.sum() + generation.washed_out.sum())
    return stayed / (1.0 - generation.left_fraction - generation.balance)


def _kept(retention: float | Mapping[str, float], member: str) -> float:
    return float(retention[member]) if isinstance(retention, Mapping) else float(retention)


def _or_one(amount: float) -> float:
    return amount if amount > 0.0 else 1.0


def _check_maps(grid: Grid | float, mask: BoolArray, tia_by_state: Mapping[str, Array]) -> None:
    check_kind("mask", mask, np.ndarray)
    check_kind("tia_by_state", tia_by_state, Mapping)
    shape = grid.shape if isinstance(grid, Grid) else mask.shape
    if mask.shape != shape or mask.ndim != (2 if isinstance(grid, Grid) else 3) or not mask.any():
        raise BadInput(f"mask has shape {mask.shape}; it must hold tissue, and be (ny, nx) as the grid or, with a "
                       "spacing in place of the grid, (nz, ny, nx).")
    if not isinstance(grid, Grid):
        one_length("grid (the spacing)", grid)
    if not tia_by_state:
        raise BadInput("tia_by_state is empty; give the parent's time-integrated activity in at least one state.")
    for state, given in tia_by_state.items():
        tia = real_array(f"tia_by_state['{state}']", given)
        if tia.shape != shape or not (tia.min() >= 0.0 and tia.max() < np.inf):
            raise BadInput(f"tia_by_state['{state}'] must have the shape {shape} and finite values of 0 or more.")


def _check(
    born: list[str], mask: BoolArray, states: Mapping[str, Array],
    retention: Mapping[str, float | Mapping[str, float]], mobility: Mobility | Mapping[str, Mobility], method: str,
) -> None:
    if method not in ("solve", "yukawa", "auto"):
        raise BadInput(f"method = '{method}'.{near_miss(str(method), ('solve', 'yukawa', 'auto'))}")
    check_kind("retention", retention, Mapping)
    for state in states:
        if state not in retention:
            raise BadInput(f"retention lacks the state '{state}'.{near_miss(state, retention)}")
    for state, share in retention.items():
        _check_shares(state, share, born)
    if not isinstance(mobility, Mobility):
        check_kind("mobility", mobility, Mapping)
        lacking = [member for member in born if member not in mobility]
        if lacking:
            raise BadInput(f"mobility lacks {', '.join(lacking)}; give one Mobility for all, or one per progeny.")
    each = [mobility] if isinstance(mobility, Mobility) else list(mobility.values())
    for moves in each:
        for name, value in (("diffusivity_um2_per_s", moves.diffusivity_um2_per_s),
                            ("clearance_per_s", moves.clearance_per_s)):
            array = real_array(f"mobility.{name}", value)
            if array.shape not in ((), mask.shape):
                raise BadInput(f"mobility.{name} has shape {array.shape}; give a number or a map of "
                               f"shape {mask.shape}.")
            inside = array[mask] if array.ndim else array
            if not bool(np.all(np.isfinite(inside) & (inside >= 0.0))):
                raise BadInput(f"mobility.{name} must be finite and not negative in tissue.")
    if method != "solve" and any(np.ndim(m.diffusivity_um2_per_s) for m in each):
        raise BadInput("methods 'yukawa' and 'auto' need one number as diffusivity; for a map of it use 'solve'.")


def _check_shares(state: str, share: float | Mapping[str, float], born: list[str]) -> None:
    if isinstance(share, Mapping):
        lacking = [member for member in born if member not in share]
        if lacking:
            raise BadInput(f"retention['{state}'] lacks {', '.join(lacking)}; give one number, or one per progeny.")
    values = list(share.values()) if isinstance(share, Mapping) else [share]
    numbers = all(isinstance(value, (int, float, np.floating)) and not isinstance(value, bool) for value in values)
    if not (numbers and all(0.0 <= value <= 1.0 for value in values)):
        raise BadInput(f"retention['{state}'] = {share}; shares lie between 0 and 1.")
