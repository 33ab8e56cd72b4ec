"""From activity in medium to dose and survival of the cells in a plate or a chip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nichedose.body import BodySolution
from nichedose.body.culture import CELLS, CHANNEL, GEL, MEDIUM, RELEASED, UM3_PER_ML, Culture
from nichedose.dose import CellShape, cell_s_values, layer_dose
from nichedose.dose.kernels import Daughters, emitted_qualities
from nichedose.dose.result import DoseRateHistory, Quality
from nichedose.dose.units import DECAYS_PER_MBQ_H
from nichedose.effect import EffectParameters, lea_catcheside, log_survival
from nichedose.fields.grid import Array

__all__ = ["CultureDose", "culture_dose", "culture_survival"]


@dataclass(frozen=True)
class CultureDose:
    """Mean dose to the nuclei of the cells, Gy by quality: ``from_cells`` by label on and in the cells (their own and
    their neighbours'), ``from_medium`` by what is around them. ``history``: the time course of their sum."""

    from_cells: Mapping[Quality, float]
    from_medium: Mapping[Quality, float]
    history: DoseRateHistory

    @property
    def by_quality(self) -> dict[Quality, float]:
        return {q: d + self.from_medium[q] for q, d in self.from_cells.items()}


def culture_dose(
    run: BodySolution, culture: Culture, nuclide: str, cell: CellShape, daughters: Daughters = "none"
) -> CultureDose:
    """Dose of the whole of ``run`` (from `culture_model`, with ``nuclide`` among its labels) to nuclei on the floor.

    Flat layers of cells, gel and medium (`layer_dose`); a cell's own share of its layer is replaced by its S values,
    the surface for bound and the cytoplasm for internalised label, so that self-dose counts once. Released label stays
    in the medium of a plate and leaves a chip.
    """
    layers = [(culture.layer_um, _activity(run, (CELLS,), nuclide))]
    if culture.is_chip:
        layers += [(culture.gel_um, _activity(run, (GEL,), nuclide))] if culture.gel_um > 0.0 else []
        layers.append((culture.height_um, _activity(run, (CHANNEL,), nuclide)))
    else:
        layers.append((culture.medium_mL * UM3_PER_ML / culture.floor_um2, _activity(run, (MEDIUM, RELEASED), nuclide)))
    thickness = np.array([t for t, _ in layers])
    held = np.array([a for _, a in layers]) / (thickness * culture.floor_um2 / UM3_PER_ML * 1e-3)  # MBq.h/L
    edges = np.concatenate([[0.0], np.cumsum(thickness)])
    bound, inside = (_activity(run, (CELLS,), nuclide, kind) * DECAYS_PER_MBQ_H / culture.cells
                     for kind in ("bound", "internalised"))
    cells: dict[Quality, float] = {}
    around: dict[Quality, float] = {}
    alone = np.where(np.arange(held.size) == 0, held, 0.0)
    for q in emitted_qualities(nuclide, daughters):
        s = cell_s_values(nuclide, cell.cell_um, cell.nucleus_um, daughters, q, cell.offset_um)
        own = (bound * (s["nucleus", "surface"] - s["cell", "cell"])
               + inside * (s["nucleus", "cytoplasm"] - s["cell", "cell"]))
        ours, others = (layer_dose(nuclide, edges, part, quality=q, daughters=daughters)[q][0]
                        for part in (alone, held - alone))
        cells[q], around[q] = max(float(ours) + own, 0.0), float(others)
    return CultureDose(cells, around, _history(run, nuclide, sum(cells.values()), sum(around.values()), culture))


def culture_survival(dose: CultureDose, parameters: EffectParameters, oxygen_mmHg: float = 140.0) -> float:
    """Surviving fraction of the cells, linear-quadratic with the dose rate's own G; oxygen of a culture by default."""
    one = {q: np.array([[d]]) for q, d in dose.by_quality.items()}
    total = np.asarray(sum(one.values()))
    g = lea_catcheside(dose.history, total, parameters.repair_rate_per_h)
    return float(np.exp(log_survival(one, g, np.full((1, 1), oxygen_mmHg), parameters)[0, 0]))


def _activity(run: BodySolution, places: tuple[str, ...], nuclide: str, kind: str | None = None) -> float:
    """Time-integrated activity in some places, MBq.h, in one kind of state or all."""
    per_nmol = np.array([i.activity_MBq / i.ligand_nmol for i in run.regimen.labelled])
    label = list(run.decay_per_h).index(nuclide)
    mine = [i for i, s in enumerate(run.model.network.states) if s.organ in places and kind in (None, s.kind)]
    return float(per_nmol @ run.integrals_nmol_h[:, label, mine].sum(axis=-1))


def _history(run: BodySolution, nuclide: str, cells_Gy: float, around_Gy: float, culture: Culture) -> DoseRateHistory:
    """Dose rate follows the activity in the cells, and that in the medium, each by its share of the dose."""
    t = run.times_h
    rate: Array = np.zeros_like(t)
    for gray, place in ((cells_Gy, CELLS), (around_Gy, CHANNEL if culture.is_chip else MEDIUM)):
        course = run.activity_MBq(place, nuclide)
        area = float((0.5 * np.diff(t) * (course[1:] + course[:-1])).sum())
        rate = rate + (gray * course / area if area > 0.0 else 0.0)
    base = rate / max(cells_Gy + around_Gy, 1e-300)
    return DoseRateHistory(t, base, np.empty((0, t.size)), np.empty((0, 1, 1)), float("inf"))
