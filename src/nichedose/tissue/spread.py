"""How much sections of one lesion or patient differ from one another."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nichedose.errors import BadInput
from nichedose.tissue.spots import SpotModel
from nichedose.values import Flag

__all__ = ["Spread", "spread_between", "spread_flag", "with_spread"]

PER_COUNTS = 1e4  # transcripts of a target are told per this many of all


@dataclass(frozen=True)
class Spread:
    """One quantity over sections: ``values`` by section, their mean, and the standard deviation between sections.

    ``unit`` is "1" for the share of a cell type, "per 1e4" for a target's counts per 10,000 of all (RNA) or positive
    cells per 10,000 (protein). ``sections`` name them.
    """

    quantity: str
    unit: str
    sections: tuple[str, ...]
    values: tuple[float, ...]
    mean: float
    sd: float


def spread_between(models: Sequence[SpotModel]) -> tuple[Spread, ...]:
    """Shares of cell types and levels of targets, section by section; what only some could tell is left out.

    Raises `BadInput` for fewer than two sections: one says nothing of the spread.
    """
    if len(models) < 2:
        raise BadInput(f"The spread between sections needs at least two; got {len(models)}.")
    names = tuple(m.sample for m in models)
    types = [t for t in models[0].cell_types if all(t in m.cell_types for m in models)]
    targets = [t for t in models[0].targets if all(t in m.targets for m in models)]
    shares = {t: [float(np.average(m.fraction(t), weights=m.content)) for m in models] for t in types}
    levels = {t: [PER_COUNTS * m.targets[t].counts / float(m.depth.sum()) for m in models] for t in targets}
    return (*(_spread(t, "1", names, v) for t, v in shares.items()),
            *(_spread(t, "per 1e4", names, v) for t, v in levels.items()))


def _spread(quantity: str, unit: str, names: tuple[str, ...], values: list[float]) -> Spread:
    return Spread(quantity, unit, names, tuple(values), float(np.mean(values)), float(np.std(values, ddof=1)))


def spread_flag(models: Sequence[SpotModel]) -> Flag:
    """The spread in words, for a report: the share of tumour cells and the targets that vary most."""
    found = spread_between(models)
    tumour = [s for s in found if s.unit == "1" and s.quantity in models[0].clonogenic]
    targets = sorted((s for s in found if s.unit != "1" and s.mean > 0.0), key=lambda s: -s.sd / s.mean)
    parts = [f"{s.quantity} cells {100 * s.mean:.0f} % (standard deviation {100 * s.sd:.0f})" for s in tumour]
    parts += [f"{s.quantity} {s.mean:.2g} per 10,000 counts (standard deviation {s.sd:.2g})" for s in targets[:3]]
    return Flag("note", "sections", f"Between the {len(models)} sections: {'; '.join(parts)}.")


def with_spread(models: Sequence[SpotModel]) -> list[SpotModel]:
    """The same models, the first with a note on the spread between them; a single one as it is."""
    if len(models) < 2:
        return list(models)
    first = dataclasses.replace(models[0], flags=(*models[0].flags, spread_flag(models)))
    return [first, *models[1:]]
