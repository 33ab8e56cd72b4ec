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

from nichedose.dose.yukawa import spread_yukawa
from nichedose.errors import BadInput, near_miss
from nichedose.fields import steady_reaction_diffusion
from nichedose.fields.grid import Array, BoolArray, Grid
from nichedose.nuclide import canonical_name, chain, decay_per_h, progeny

__all__ = ["Generation", "Migration", "Mobility", "migrate"]

Method = Literal["solve", "yukawa", "auto"]
_TOLERANCE = 1e-11


@dataclass(frozen=True)
class Mobility:
    """How a released daughter moves: ``diffusivity_um2_per_s``, and ``clearance_per_s`` k to vessels per tissue volume;
    numbers or maps (ny, nx)."""

    diffusivity_um2_per_s: Array | float
    clearance_per_s: Array | float


@dataclass(frozen=True)
class Generation:
    """One progeny. Maps (ny, nx) in MBq.h/L, that is its decays to infinite time per tissue volume.

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
    """Time-integrated activity of a parent by state, and its progeny in order of decay."""

    grid: Grid
    mask: BoolArray
    nuclide: str
    parent_by_state: Mapping[str, Array]
    progeny: Mapping[str, Generation]
    longest_half_life_h: float
    mean_mobile_life_h: Mapping[str, float]

    @property
    def tia_MBq_h_per_L(self) -> dict[str, Array]:
        """Maps of the parent and of each progeny."""
        parent = np.asarray(sum(self.parent_by_state.values()))
        return {self.nuclide: parent} | {name: g.tia_MBq_h_per_L for name, g in self.progeny.items()}

    @property
    def washed_out_per_parent_decay(self) -> dict[str, float]:
        """Atoms of each progeny handed to the blood per decay of the parent in the map; their own progeny go along."""
        parent = float(self.tia_MBq_h_per_L[self.nuclide].sum())
        return {name: float(g.washed_out.sum()) / _or_one(parent) for name, g in self.progeny.items()}


def migrate(
    grid: Grid,
    mask: BoolArray,
    nuclide: str,
    tia_by_state: Mapping[str, Array],
    *,
    retention: Mapping[str, float | Mapping[str, float]],
    mobility: Mobility | Mapping[str, Mobility],
    method: Method = "solve",
    longest_half_life_h: float = math.inf,
    misplaced_tolerance: float = 0.01,
) -> Migration:
    """Follow every progeny of a parent whose time-integrated activity by state is ``tia_by_state`` (MBq.h/L, (ny, nx)).

    ``retention[state]``: share of the daughters born in that state that stays there, one number or one per progeny
    (named by what is born). States are the carrier's, such as bound, internalised, free; a released daughter leaves its
    carrier for good, and so do all that it gives birth to. ``mobility``: one for all, or one per progeny (by element,
    in fact). ``method`` "solve": the screened equation, no flow through the mask's edge. "yukawa": convolution with
    the Green's function of the mask's mean clearance, mirrored at the array's edge; D must be a number. "auto": the
    latter where its bound is below ``misplaced_tolerance``. Progeny with longer half-lives than the limit are left out
    with all that they feed.
    Raises `BadInput` for unknown names, missing states, shares outside 0 to 1, and wrong shapes or values.
    """
    name = canonical_name(nuclide)
    _check(grid, mask, name, tia_by_state, retention, mobility, method, longest_half_life_h)
    parent = {state: np.where(mask, tia, 0.0) for state, tia in tia_by_state.items()}
    members = [m.name for m in chain(name, longest_half_life_h)]
    done: dict[str, Generation] = {}
    lives: dict[str, float] = {}
    for member in members[1:]:
        born_in, released, wrong = _birth(member, members, parent, done, retention, mask.shape)
        moves = mobility if isinstance(mobility, Mobility) else mobility[member]
        rate = decay_per_h(member) / 3600.0
        done[member] = _generation(grid, mask, born_in, released, moves, rate, method, misplaced_tolerance, wrong)
        k = np.broadcast_to(np.asarray(moves.clearance_per_s, dtype=float), grid.shape)
        lives[member] = float(np.mean(1.0 / (rate + k[mask]))) / 3600.0
    return Migration(grid, mask, name, parent, done, longest_half_life_h, lives)


def _birth(
    member: str, members: list[str], parent: Mapping[str, Array], done: Mapping[str, Generation],
    retention: Mapping[str, float | Mapping[str, float]], shape: tuple[int, ...],
) -> tuple[dict[str, Array], Array, float]:
    """What stays by state, what is released, and the bound on the error of the latter (summed), as decays."""
    stays = {state: np.zeros(shape) for state in parent}
    released, wrong = np.zeros(shape), 0.0
    for feeder in members:
        share = dict(progeny(feeder)).get(member, 0.0)
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
    grid: Grid, mask: BoolArray, retained: dict[str, Array], released: Array, moves: Mobility, rate: float,
    method: Method, tolerance: float, wrong: float,
) -> Generation:
    born = float(released.sum()) + sum(float(tia.sum()) for tia in retained.values())
    clearance = np.where(mask, moves.clearance_per_s, 0.0)
    solve, left, mean, bound = method == "solve", 0.0, 0.0, 0.0
    if not solve:
        n, mean, left, bound = _fast(grid, mask, released, moves, clearance, rate, wrong)
        solve = method == "auto" and bound > tolerance * born
    if solve:
        n, left = _solved(grid, mask, released, moves, clearance, rate), 0.0
        bound = wrong * _decay_share(mask, clearance, rate)
    migrated, washed = rate * n, (clearance if solve else mean) * n  # each path balances with its own clearance
    kept = float(migrated.sum() + washed.sum()) + sum(float(tia.sum()) for tia in retained.values())
    return Generation(retained, migrated, washed, left / _or_one(born),
                      (born - kept - left) / _or_one(born), bound / _or_one(born))


def _solved(
    grid: Grid, mask: BoolArray, released: Array, moves: Mobility, clearance: Array, rate: float
) -> Array:
    """Time-integrated atoms per decay constant: the screened solve, scaled by its last digits to balance."""
    if not released.any():
        return np.zeros(grid.shape)
    n = steady_reaction_diffusion(
        grid, mask, diffusivity_um2_per_s=moves.diffusivity_um2_per_s, loss_per_s=rate + clearance,
        source_per_s=released / released.max(), tolerance=_TOLERANCE).values
    lost = float(((rate + clearance) * n).sum())
    return np.asarray(n * (float(released.sum()) / lost))


def _fast(
    grid: Grid, mask: BoolArray, released: Array, moves: Mobility, clearance: Array, rate: float, wrong: float
) -> tuple[Array, float, float, float]:
    """Yukawa convolution with the mean clearance: atoms, that clearance, what landed outside the mask, and the bound.

    With the true clearance k the error e obeys the same equation with source (kbar - k) n, and with what the closed
    edge of the mask would have turned back. Decay and clearance of |e| together cannot exceed those sources:
    sum (lambda + k)|e| <= sum |kbar - k| n + sum over edge faces of |flux| + the error of the source.
    """
    mean = float(clearance[mask].mean())
    diffusivity = float(moves.diffusivity_um2_per_s)
    length = math.sqrt(diffusivity / (rate + mean))
    everywhere = spread_yukawa(released, grid.spacing_um, length, surroundings="mirror") / (rate + mean)
    n = np.where(mask, everywhere, 0.0)
    outside = (rate + mean) * float(everywhere[~mask].sum())
    patchy = float((np.abs(mean - clearance) * n).sum())
    # a source that ends at the face bends the profile there: the difference of means misses up to a sixth of it
    edge = _over_edge(everywhere, mask) * diffusivity / grid.spacing_um**2
    edge += _over_edge(released, mask) * min(1.0 / 6.0, 0.5 * length / grid.spacing_um)
    return n, mean, outside, (patchy + edge + wrong) * _decay_share(mask, clearance, rate)


def _over_edge(n: Array, mask: BoolArray) -> float:
    """Summed differences over the faces between the mask and what is not in it."""
    return float(sum((np.abs(np.diff(n, axis=a)) * np.diff(mask, axis=a)).sum() for a in (0, 1)))


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


def _check(
    grid: Grid, mask: BoolArray, name: str, tia_by_state: Mapping[str, Array],
    retention: Mapping[str, float | Mapping[str, float]], mobility: Mobility | Mapping[str, Mobility], method: str,
    longest_half_life_h: float,
) -> None:
    if method not in ("solve", "yukawa", "auto"):
        raise BadInput(f"method = '{method}'.{near_miss(str(method), ('solve', 'yukawa', 'auto'))}")
    if mask.shape != grid.shape or not mask.any():
        raise BadInput(f"mask has shape {mask.shape}; it must be {grid.shape} (y, x), with voxels in tissue.")
    for state, tia in tia_by_state.items():
        if tia.shape != grid.shape or not (tia.min() >= 0.0 and tia.max() < np.inf):
            raise BadInput(f"tia_by_state['{state}'] must have the shape {grid.shape} and finite values of 0 or more.")
        if state not in retention:
            raise BadInput(f"retention lacks the state '{state}'.{near_miss(state, retention)}")
    born = [m.name for m in chain(name, longest_half_life_h)][1:]
    for state, share in retention.items():
        _check_shares(state, share, born)
    if not isinstance(mobility, Mobility):
        lacking = [member for member in born if member not in mobility]
        if lacking:
            raise BadInput(f"mobility lacks {', '.join(lacking)}; give one Mobility for all, or one per progeny.")
    if method != "solve":
        each = [mobility] if isinstance(mobility, Mobility) else list(mobility.values())
        if any(np.ndim(m.diffusivity_um2_per_s) for m in each):
            raise BadInput("methods 'yukawa' and 'auto' need one number as diffusivity; for a map of it use 'solve'.")


def _check_shares(state: str, share: float | Mapping[str, float], born: list[str]) -> None:
    if isinstance(share, Mapping):
        lacking = [member for member in born if member not in share]
        if lacking:
            raise BadInput(f"retention['{state}'] lacks {', '.join(lacking)}; give one number, or one per progeny.")
    values = list(share.values()) if isinstance(share, Mapping) else [share]
    if not all(0.0 <= value <= 1.0 for value in values):
        raise BadInput(f"retention['{state}'] = {share}; shares lie between 0 and 1.")
