"""Quantiles of tissue fields over a plan's draws: those of the public map, with units, and none of too few draws."""

from __future__ import annotations

import numpy as np
from tissue_cases import ALIASES, CELL_TYPES, SIGNATURES, TARGETS, fixed, made_section, spread, tissue_parameters

from nichedose.study.field_quantiles import drawn_fields, field_quantiles
from nichedose.tissue import build_tissue_map, map_with_spread, model_section
from nichedose.values import Draw

PARAMETERS = tissue_parameters(rna_per_cell_geometric_sd=fixed(1.5), matrix_conductivity_ratio=fixed(0.2),
                               hydraulic_conductivity_um2_per_mmHg_s=spread(0.4, 2.0))


def test_quantiles_are_those_of_the_same_draws() -> None:
    model = model_section(made_section(8, 8).assay, CELL_TYPES, TARGETS, SIGNATURES, ALIASES)
    drawn = [
        drawn_fields([build_tissue_map(model, PARAMETERS, TARGETS, spacing_um=100.0, draw=Draw(0, i))])
        for i in range(19)]
    [found] = field_quantiles([model], drawn, 100.0)
    known = map_with_spread(model, PARAMETERS, TARGETS, draws=19, spacing_um=100.0)
    assert {n for n in map(str, found.data_vars) if not n.endswith("_mean")} == {"mask", *known.spread}
    inside = known.mask
    assert found.attrs["outside_tissue"] == "NaN" and not inside.all()
    for name, parts in known.spread.items():
        assert (np.isfinite(found[name].values) == inside).all()
        for level, expected in ((0.05, parts.q05), (0.5, parts.q50), (0.95, parts.q95)):
            # both keep draws in single precision
            np.testing.assert_allclose(found[name].sel(quantile=level).values[inside], expected[inside], rtol=1e-6)
        np.testing.assert_allclose(found[f"{name}_mean"], parts.mean, rtol=1e-6)
    assert found["target_TUM"].attrs["units"] == "nmol/L" and found["oxygen_mean"].attrs["units"] == "mmHg"
    assert found.attrs["draws"] == 19 and all("units" in v.attrs for v in found.variables.values())
    assert not field_quantiles([model], drawn[:18], 100.0)[0].data_vars
