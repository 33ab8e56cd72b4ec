"""Dose in a section whose daughters migrate: the dose of progeny in place, plus what their displacement changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from nichedose.dose.cells import nucleus_s_values
from nichedose.dose.convolve import GY_PER_MEV_MBQ_H_PER_L, KernelKey, Plane, dose_with_surroundings, inside_dose
from nichedose.dose.geometry import sphere_volume_um3
from nichedose.dose.kernels import charged_qualities, energy_MeV_per_decay
from nichedose.dose.migration import Generation, Migration
from nichedose.dose.result import DoseMap, DoseRateHistory, Quality, SectionGeometry
from nichedose.dose.section import LONGEST_PROGENY_HALF_LIFE_H, CellLabel, section_dose
from nichedose.dose.units import DECAYS_PER_MBQ_H, UM3_PER_L
from nichedose.errors import BadInput
from nichedose.fields.grid import Array, Grid
from nichedose.nuclide import chain
from nichedose.values import Flag

__all__ = ["SURFACE_STATES", "section_dose_with_migration"]

SURFACE_STATES = ("bound",)  # what is retained in them stays on the cell's surface; in "internalised", inside
_INSIDE_STATES = ("internalised",)
_SHORT_OF_REPAIR_H = 0.12  # a tenth of a repair half-time of 1.2 h, the middle one of the history's three


def section_dose_with_migration(
    migration: Migration,
    *,
    cells: Mapping[str, CellLabel],
    times_h: Array,
    activity_MBq_per_L: Array,
    geometry: SectionGeometry,
    cell_radius_um: float,
    nucleus_radius_um: float,
    history: bool = True,
    pairs: int | None = None,
    bounded: bool = True,
) -> DoseMap:
    """`section_dose` with each progeny decaying where ``migration`` puts it; with full retention the same to rounding.

    Dose is linear in the maps, so the displacement of each progeny, its map less that of decay in place, is convolved
    with its own kernels and added. Of a cell's label the retained daughters stay with it (those of ``bound`` on the
    surface, those of ``internalised`` inside); released ones spread over the tissue. The time course stays that of
    decay in place, scaled to the new dose: flagged where released daughters live too long for that. The migration must
    have been followed with ``longest_half_life_h=LONGEST_PROGENY_HALF_LIFE_H``. Raises `BadInput` as `section_dose`.
    """
    if migration.longest_half_life_h != LONGEST_PROGENY_HALF_LIFE_H:
        raise BadInput(f"migration follows progeny up to {migration.longest_half_life_h} h; call migrate(..., "
                       f"longest_half_life_h={LONGEST_PROGENY_HALF_LIFE_H}) for a section's dose.")
    if migration.mask.ndim != 2:
        raise BadInput(f"The migration is that of a volume of shape {migration.mask.shape}; use convolve_migrated.")
    maps, data = migration.tia_MBq_h_per_L, migration.decay_data
    ny, nx = migration.mask.shape
    grid = Grid((ny, nx), migration.spacing_um)
    base = section_dose(
        grid, migration.mask, migration.nuclide, tia_MBq_h_per_L=maps[migration.nuclide], cells=cells,
        times_h=times_h, activity_MBq_per_L=activity_MBq_per_L, geometry=geometry, cell_radius_um=cell_radius_um,
        nucleus_radius_um=nucleus_radius_um, daughters="equilibrium", history=history, pairs=pairs, bounded=bounded,
        decay_data=data)
    plane = Plane(grid.shape, grid.spacing_um, np.ascontiguousarray(migration.mask, dtype=np.bool_).tobytes(), geometry)
    change = _Change(base, plane, migration, (cell_radius_um, nucleus_radius_um), cells)
    for member in chain(migration.nuclide, LONGEST_PROGENY_HALF_LIFE_H, data)[1:]:
        change.add(member.name, member.decays_per_parent_decay)
    return change.result()


class _Change:
    """Adds up what the displacement of one progeny after the other changes."""

    def __init__(self, base: DoseMap, plane: Plane, migration: Migration, radii: tuple[float, float],
                 cells: Mapping[str, CellLabel]) -> None:
        self.base, self.plane, self.migration, self.radii, self.cells = base, plane, migration, radii, cells
        self.parent = migration.tia_MBq_h_per_L[migration.nuclide]
        self.tissue = dict(base.by_quality)
        self.nuclei = {name: dict(doses) for name, doses in base.nucleus_by_quality.items()}
        self.data = migration.decay_data
        energies = energy_MeV_per_decay(migration.nuclide, "equilibrium", LONGEST_PROGENY_HALF_LIFE_H, self.data)
        self.emitted = float(self.parent.sum()) * sum(energies[q] for q in base.by_quality)
        self.kept = (1.0 - base.escaped_fraction) * self.emitted
        self.entered = base.entered_fraction * self.emitted

    def add(self, name: str, in_place: float) -> None:
        generation = self.migration.progeny[name]
        moved = generation.tia_MBq_h_per_L - in_place * self.parent
        if float(np.abs(moved).max()) <= 1e-15 * in_place * float(self.parent.max()):
            return
        energies = energy_MeV_per_decay(name, decay_data=self.data)
        for quality in charged_qualities(name, decay_data=self.data):
            key = KernelKey(name, quality, "none", LONGEST_PROGENY_HALF_LIFE_H, self.data)
            own = inside_dose(self.plane, moved[None], (key,))
            dose = dose_with_surroundings(self.plane, moved[None], (key,), own)[0, 0]
            self.tissue[quality] = self.tissue[quality] + dose
            self.emitted += float(moved.sum()) * energies[quality]
            self.kept += float(own.sum()) / GY_PER_MEV_MBQ_H_PER_L
            self.entered += float(dose.sum() - own.sum()) / GY_PER_MEV_MBQ_H_PER_L
            self._add_to_nuclei(key, generation, in_place, dose)

    def _add_to_nuclei(self, key: KernelKey, generation: Generation, in_place: float, dose: Array) -> None:
        """As in `section_dose`, with the daughters that stay in cells in the place of the whole label."""
        s = nucleus_s_values(
            key.nuclide, key.quality, key.daughters, key.longest_half_life_h, *self.radii, key.decay_data)
        cell_L = sphere_volume_um3(self.radii[0]) / UM3_PER_L
        stayed = np.asarray(sum(generation.retained.values()))
        own_volume = (stayed - in_place * self.parent) * (cell_L * DECAYS_PER_MBQ_H * s["cell"])
        surface = self._stayed_per_parent(generation, SURFACE_STATES) - in_place
        inside = self._stayed_per_parent(generation, _INSIDE_STATES) - in_place
        for name, label in self.cells.items():
            self_dose = DECAYS_PER_MBQ_H * (label.surface_MBq_h_per_cell * surface * s["surface"]
                                            + label.internal_MBq_h_per_cell * inside * s["cytoplasm"])
            change = np.where(self.plane.mask, dose - own_volume + self_dose, 0.0)
            self.nuclei[name][key.quality] = self.nuclei[name][key.quality] + change

    def _stayed_per_parent(self, generation: Generation, states: tuple[str, ...]) -> Array:
        here = [state for state in states if state in self.migration.parent_by_state]
        stayed = sum((generation.retained[state] for state in here), np.zeros(self.plane.shape))
        parent = sum((self.migration.parent_by_state[state] for state in here), np.zeros(self.plane.shape))
        return np.asarray(np.divide(stayed, parent, out=np.zeros(self.plane.shape), where=parent > 0.0))

    def result(self) -> DoseMap:
        tissue: dict[Quality, Array] = {q: np.maximum(dose, 0.0) for q, dose in self.tissue.items()}
        nuclei = {name: {q: np.maximum(d, 0.0) for q, d in doses.items()} for name, doses in self.nuclei.items()}
        scale = self.emitted if self.emitted > 0.0 else 1.0
        before, after = (np.asarray(sum(doses.values())) for doses in (self.base.by_quality, tissue))
        ratio = np.divide(after, before, out=np.zeros_like(after), where=before > 0.0)
        old = self.base.history
        history = DoseRateHistory(old.times_h, old.base_per_h, old.curves_per_h, old.maps_Gy * ratio, old.g_error)
        return replace(
            self.base, by_quality=tissue, nucleus_by_quality=nuclei, history=history,
            escaped_fraction=max(0.0, 1.0 - self.kept / scale), entered_fraction=max(0.0, self.entered / scale),
            flags=(*self.base.flags, *self._flags()))

    def _flags(self) -> tuple[Flag, ...]:
        slow = [f"{name} ({life:.2g} h)" for name, life in self.migration.mean_mobile_life_h.items()
                if life > _SHORT_OF_REPAIR_H and bool(self.migration.progeny[name].migrated.any())]
        if not slow:
            return ()
        return (Flag("caution", "dose rate", "Released daughters live long before they decay or are washed out: "
                     f"{', '.join(slow)}. Their dose is right; its time course is taken as that of decay in place."),)
