"""What a transport run is asked, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from nichedose.errors import BadInput, NotComputed, near_miss
from nichedose.fields.grid import Array, BoolArray, Grid
from nichedose.fields.number import is_number

__all__ = ["LabelLedger", "LigandKinetics", "Snapshots", "TissueTransport", "TransportSolution",
           "snapshot_number"]

Snapshots = Literal["steps", "end"]


@dataclass(frozen=True)
class LigandKinetics:
    """Rates of one ligand; all numbers, no defaults.

    Free ligand is per accessible void, D is the diffusivity in the void, tortuosity included. The permeability is kept
    for the record: it acts through ``TissueTransport.exchange_per_h``.
    """

    association_L_per_nmol_per_h: float
    dissociation_per_h: float
    internalisation_per_h: float
    release_per_h: float
    diffusivity_um2_per_s: float
    permeability_um_per_s: float
    void_fraction: float


@dataclass(frozen=True)
class TissueTransport:
    """The tissue as transport sees it; arrays (ny, nx).

    ``target_nmol_per_L`` binding sites per tissue volume; ``exchange_per_h`` plasma-tissue clearance per tissue volume
    (permeability x surface, limited by flow); both zero outside ``mask``. ``void_fraction`` scalar.
    ``diffusivity_factor`` multiplies the ligand's diffusivity, above 0 in tissue; 1 everywhere when absent.
    """

    grid: Grid
    mask: BoolArray
    target_nmol_per_L: Array
    exchange_per_h: Array
    diffusivity_factor: Array | None = None


@dataclass(frozen=True)
class LabelLedger:
    """Where one label went, summed over the voxels of the section: nmol/L x voxel, of the decaying label.

    ``entered`` by exchange with plasma = ``decayed`` + ``washed_out`` (back to plasma, and released) + ``left`` at the
    end.
    """

    entered: float
    decayed: float
    washed_out: float
    left: float

    @property
    def closure(self) -> float:
        """Relative error of the balance."""
        return abs(self.entered - self.decayed - self.washed_out - self.left) / max(self.entered, 1e-300)


@dataclass(frozen=True)
class TransportSolution:
    """Total ligand in tissue after one injection, and the time integrals of each label that it can carry.

    Amounts are nmol per L of *tissue*. ``free``, ``bound``, ``internalised`` (nt, ny, nx) hold snapshots of total
    (non-decaying) ligand at ``times_h`` (nt,): 0 and the ends of all steps, or the end of the run alone.
    ``time_integrals_nmol_h_per_L[label]`` maps ``free``, ``bound``, ``internalised`` to the integral of the label's
    amount, exp(-decay t) included, over the whole run.
    ``max_occupancy_at_end`` is the largest bound / target of any voxel, what a next cycle would find taken.
    ``molecules`` is the ledger of the total ligand.
    """

    grid: Grid
    mask: BoolArray
    times_h: Array
    free: Array
    bound: Array
    internalised: Array
    decay_per_h: Mapping[str, float]
    time_integrals_nmol_h_per_L: Mapping[str, Mapping[str, Array]]
    ledgers: Mapping[str, LabelLedger]
    steps: int
    max_occupancy_at_end: float
    molecules: LabelLedger | None = None

    def time_integral(self, label: str) -> Mapping[str, Array]:
        if label not in list(self.time_integrals_nmol_h_per_L):
            raise NotComputed(f"No time integral was kept for '{label}'."
                              f"{near_miss(label, self.time_integrals_nmol_h_per_L)} Name it when the run starts.")
        return self.time_integrals_nmol_h_per_L[label]

    def at(self, time_h: float) -> Mapping[str, Array]:
        """Snapshot of each state (ny, nx) at one of ``times_h``; raises ``NotComputed`` for another."""
        n = snapshot_number(self.times_h, time_h, "A course (`simulate_course`) keeps those that its times_h name.")
        return {"free": self.free[n], "bound": self.bound[n], "internalised": self.internalised[n]}


def snapshot_number(times_h: Array, time_h: float, advice: str) -> int:
    """Which snapshot was kept at ``time_h``; raises ``NotComputed``, with ``advice``, where none was."""
    if not is_number(time_h):
        raise BadInput(f"A snapshot is asked for by its time, one number of hours; got {time_h!r:.40}.")
    found = np.flatnonzero(np.isclose(times_h, time_h, rtol=1e-12, atol=1e-12))
    if not found.size:
        nearest = times_h[np.argmin(np.abs(times_h - time_h))]
        raise NotComputed(f"No snapshot was kept at {time_h:g} h; the nearest of {times_h.size} is at {nearest:g} h. "
                          f"{advice}")  # fmt: skip
    return int(found[0])
