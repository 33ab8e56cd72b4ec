"""Quantiles and standard deviation of every field of a map, from draws of all that is not known."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array
from nichedose.library.schema import Target, TissueParameters
from nichedose.tissue.anchored import anchors_of
from nichedose.tissue.build import SPACING_UM, build_tissue_map
from nichedose.tissue.cell_fields import cell_fields
from nichedose.tissue.drawn import draw_spots
from nichedose.tissue.lattice import section_grid, tissue_mask
from nichedose.tissue.map import FieldSpread, TissueMap
from nichedose.tissue.map_options import MapOptions
from nichedose.tissue.spots import SpotModel
from nichedose.tissue.target_fields import target_fields
from nichedose.values import Draw

__all__ = ["map_with_spread"]

DRAWS = 39  # the 2nd and the 38th of 39 hold a further draw with probability 36/40
FEWEST = 19  # below, no draw lies outside a 90 % interval
LEVELS = (0.05, 0.5, 0.95)
MOST_BYTES = 2 * 1024**3


def map_with_spread(
    model: SpotModel,
    parameters: TissueParameters,
    targets: Mapping[str, Target],
    *,
    draws: int = DRAWS,
    seed: int = 0,
    fields: Sequence[str] | None = None,
    **options: Any,
) -> TissueMap:
    """The central map with ``spread``: what ``draws`` of all uncertain values and errors say of each field.

    ``fields`` are names as in `TissueMap.named_fields`, all when None; ``options`` are those of `build_tissue_map` but
    for the draw. Raises `BadInput` as that does, for an unknown field, for fewer than 19 draws, and where the draws do
    not fit into 2 GiB.

        from nichedose.tissue import map_with_spread
        found = map_with_spread(model, library.tissue, library.targets, spacing_um=50.0)
        found.spread["target_PSMA"].q05, found.spread["target_PSMA"].q95
    """
    if draws < FEWEST:
        raise BadInput(f"{draws} draws cannot tell a 90 % interval; take at least {FEWEST} ({DRAWS} by default).")
    central = build_tissue_map(model, parameters, targets, **options)
    known = central.named_fields()
    wanted = tuple(known) if fields is None else tuple(fields)
    for name in wanted:
        if name not in known:
            raise BadInput(f"The map has no field '{name}'.{near_miss(name, known)}")
    needed = 4 * draws * len(wanted) * int(central.mask.sum())
    if needed > MOST_BYTES:
        raise BadInput(f"{draws} draws of {len(wanted)} fields need {needed / 1024**3:.1f} GiB; name fewer fields, or "
                       "take a coarser spacing_um.")
    drawn = np.empty((len(wanted), draws, int(central.mask.sum())), dtype=np.float32)
    one = _cells_and_targets if _needs_no_vessels(wanted, options) else _whole
    for i in range(draws):
        found = one(model, parameters, targets, Draw(seed, i), options)
        for j, name in enumerate(wanted):
            drawn[j, i] = found[name][central.mask]
    spread = {name: _spread(drawn[j], central) for j, name in enumerate(wanted)}
    return dataclasses.replace(central, spread=spread)


def _needs_no_vessels(wanted: Sequence[str], options: Mapping[str, Any]) -> bool:
    """Cells, and targets that do not follow oxygen, need neither vessels nor an oxygen field."""
    chosen = options.get("options", MapOptions())
    return all(n.startswith(("target_", "cell_density_")) for n in wanted) and not chosen.hypoxia_couplings


def _whole(
    model: SpotModel, parameters: TissueParameters, targets: Mapping[str, Target], draw: Draw,
    options: Mapping[str, Any],
) -> dict[str, Array]:
    return build_tissue_map(model, parameters, targets, draw=draw, **options).named_fields()


def _cells_and_targets(
    model: SpotModel, parameters: TissueParameters, targets: Mapping[str, Target], draw: Draw,
    options: Mapping[str, Any],
) -> dict[str, Array]:
    drawn = draw_spots(model, parameters, draw)
    grid = section_grid(model, options.get("spacing_um", SPACING_UM))
    anchors, mask = anchors_of(options.get("anchors", {}), targets), tissue_mask(model, grid)
    fields, _, _ = target_fields(drawn, targets, grid, mask, anchors, parameters, draw)
    return {
        **{f"cell_density_{name}": v for name, v in cell_fields(drawn, grid, mask, parameters, draw).items()},
        **{f"target_{name}": t.total_nmol_per_L for name, t in fields.items()},
    }


def _spread(drawn: Array, tissue: TissueMap) -> FieldSpread:
    """``drawn`` (draws, n_voxels in tissue). Quantiles are at k/(n + 1), so that a further draw falls in as stated."""

    def place(values: Array) -> Array:
        full = np.zeros(tissue.grid.shape)
        full[tissue.mask] = values
        return full

    low, middle, high = (place(q) for q in np.quantile(drawn, LEVELS, axis=0, method="weibull"))
    mean = drawn.mean(axis=1, dtype=float)
    shape = np.divide(drawn, mean[:, None], out=np.ones_like(drawn), where=mean[:, None] > 0.0)
    shape_low, shape_high = (place(q) for q in np.quantile(shape, (LEVELS[0], LEVELS[2]), axis=0, method="weibull"))
    m_low, m_middle, m_high = np.quantile(mean, LEVELS, method="weibull").tolist()
    sd = place(drawn.std(axis=0, ddof=1, dtype=float))
    return FieldSpread(low, middle, high, sd, shape_low, shape_high, (m_low, m_middle, m_high), len(drawn))
