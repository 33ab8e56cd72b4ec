"""What whole-body kinetics gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nichedose.body.model import PLASMA, BodyModel
from nichedose.body.network import Network
from nichedose.body.regimen import Regimen
from nichedose.errors import NotComputed, near_miss
from nichedose.fields.grid import Array

__all__ = ["BodySolution", "PopulationIntegrals"]


@dataclass(frozen=True)
class BodySolution:
    """Ligand in every state of one body, and the time integrals of each label.

    ``times_h`` (nt,) from 0; ``amounts_nmol`` (nt, states) of total, non-decaying ligand; ``tagged_nmol`` (injections,
    nt, states) the part of each injection, empty for a single one; ``integrals_nmol_h`` (injections, labels, states)
    of exp(-decay t) x amount, t from each injection's start, over the whole run. ``error_estimate``: largest relative
    change of an organ's integral against half the steps.
    """

    model: BodyModel
    regimen: Regimen
    decay_per_h: Mapping[str, float]
    times_h: Array
    amounts_nmol: Array
    tagged_nmol: Array
    integrals_nmol_h: Array
    error_estimate: float

    @property
    def organs(self) -> tuple[str, ...]:
        return self.model.network.organs

    def amount_nmol(self, organ: str, kind: str | None = None) -> Array:
        """Total ligand in an organ (or in one of its kinds of state) over ``times_h``."""
        return np.asarray(self.amounts_nmol[:, _states(self.model.network, organ, kind)].sum(axis=1))

    def plasma_nmol_per_L(self, *, free: bool = True) -> Array:
        """Ligand in central plasma over ``times_h``; with ``free`` the part that can leave the vessels."""
        share = self.model.free_fraction if free else 1.0
        return np.asarray(self.amount_nmol(PLASMA) / self.model.plasma_volume_L * share)

    def activity_MBq(self, organ: str, label: str) -> Array:
        """Activity in an organ over ``times_h``, decay from each injection's start on included."""
        mine = _states(self.model.network, organ, None)
        decay, total = self._decay(label), np.zeros_like(self.times_h)
        for m, injection in enumerate(self.regimen.labelled):
            amounts = self.amounts_nmol if self.tagged_nmol.shape[0] == 0 else self.tagged_nmol[m]
            since = np.maximum(self.times_h - injection.start_h, 0.0)
            per_nmol = injection.activity_MBq / injection.ligand_nmol
            total = total + amounts[:, mine].sum(axis=1) * per_nmol * np.exp(-decay * since)
        return total

    def time_integrated_activity_MBq_h(self, organ: str, label: str) -> float:
        """Decays in an organ over the whole run, MBq.h."""
        return float(_weighted(self.integrals_nmol_h, self.model.network, self.regimen, organ, self._label(label)))

    def excreted_fraction(self, at_h: float) -> float:
        """Share of the ligand given up to ``at_h`` that has left by urine and faeces (bladder and gut content not).

        Raises `NotComputed` before the first injection and after the end of the run.
        """
        if at_h > self.times_h[-1]:
            raise NotComputed(f"The run ends at {self.times_h[-1]:g} h; {at_h:g} h was asked for.")
        given = sum(i.ligand_nmol * min(max(at_h - i.start_h, 0.0) / i.duration_h, 1.0) if i.duration_h > 0.0
                    else i.ligand_nmol * (at_h >= i.start_h) for i in self.regimen.labelled)
        if given == 0.0:
            raise NotComputed(f"Nothing has been given by {at_h:g} h.")
        out = self.amount_nmol("urine") + self.amount_nmol("faeces")
        return float(np.interp(at_h, self.times_h, out)) / given

    @property
    def mass_closure(self) -> float:
        """Relative error of the sum over all states, at the end."""
        given = sum(i.ligand_nmol for i in self.regimen.injections)
        return abs(float(self.amounts_nmol[-1].sum()) - given) / given

    def activity_closure(self, label: str) -> float:
        """Relative error of decays + what is left = what was injected, over all states and injections."""
        decay, n = self._decay(label), self._label(label)
        given = found = 0.0
        for m, injection in enumerate(self.regimen.labelled):
            mine = [i for i, s in enumerate(self.model.network.states) if s.species == "ligand"]
            amounts = self.amounts_nmol[-1] if self.tagged_nmol.shape[0] == 0 else self.tagged_nmol[m, -1]
            left = float(amounts[mine].sum()) * np.exp(-decay * (self.times_h[-1] - injection.start_h))
            found += left + decay * float(self.integrals_nmol_h[m, n, mine].sum())
            # what decays in the syringe while it is infused
            span = decay * injection.duration_h
            given += injection.ligand_nmol * (float(-np.expm1(-span) / span) if span > 0.0 else 1.0)
        return abs(found - given) / given

    def _label(self, label: str) -> int:
        names = list(self.decay_per_h)
        if label not in names:
            raise NotComputed(f"No time integral was kept for '{label}'.{near_miss(label, names)}")
        return names.index(label)

    def _decay(self, label: str) -> float:
        self._label(label)
        return self.decay_per_h[label]


@dataclass(frozen=True)
class PopulationIntegrals:
    """Time integrals in many patients: ``integrals_nmol_h`` (patients, injections, labels, states)."""

    network: Network
    regimen: Regimen
    decay_per_h: Mapping[str, float]
    integrals_nmol_h: Array

    def time_integrated_activity_MBq_h(self, organ: str, label: str) -> Array:
        """Decays in an organ of every patient, MBq.h."""
        names = list(self.decay_per_h)
        if label not in names:
            raise NotComputed(f"No time integral was kept for '{label}'.{near_miss(label, names)}")
        return _weighted(self.integrals_nmol_h, self.network, self.regimen, organ, names.index(label))


def _weighted(integrals: Array, network: Network, regimen: Regimen, organ: str, label: int) -> Array:
    per_nmol = np.array([i.activity_MBq / i.ligand_nmol for i in regimen.labelled])
    mine = _states(network, organ, None)
    return np.asarray(integrals[..., label, :][..., mine].sum(axis=-1) @ per_nmol)


def _states(network: Network, organ: str, kind: str | None) -> list[int]:
    found = [i for i, s in enumerate(network.states)
             if s.organ == organ and s.species == "ligand" and kind in (None, s.kind)]
    if not found:
        raise NotComputed(f"No state '{organ}{'' if kind is None else f' {kind}'}' in this body."
                          f"{near_miss(organ, network.organs)}")
    return found
