"""Grid and time refinement of transport on a real section: what the defaults lose."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from nichedose.io import read_tissue
from nichedose.library import load_library
from nichedose.study.kinetics import ligand_kinetics, plasma_curve
from nichedose.tissue import SpotModel, TissueMap, build_tissue_map, model_section
from nichedose.transport import TissueTransport, exchange_rate, simulate
from nichedose.values import Draw

LU = {"177Lu": np.log(2.0) / 159.5}


SECTIONS = {"visium": ("visium_tnbc_bassiouni", "396A"), "legacy": ("st_pdac_moncada", "pdac_a_st1.h5ad")}


@cache
def section(path: Path) -> SpotModel:
    if not path.exists():
        pytest.skip(f"{path} is absent")
    library = load_library()
    assay = read_tissue(path)
    return model_section(assay, library.cell_types, library.targets, library.signatures, library.aliases)


def at(section: SpotModel, spacing_um: float) -> TissueMap:
    library = load_library()
    return build_tissue_map(section, library.tissue, library.targets, spacing_um=spacing_um, anchors={},
                            draw=Draw())


def mean_integral(tissue: TissueMap, form_name: str, tolerance: float = 1e-3) -> float:
    library, draw = load_library(), Draw()
    form = library.forms[form_name]
    ligand = ligand_kinetics(form, library.tissue, draw, 1.0)
    exchange = exchange_rate(tissue.vessel_surface_per_cm, ligand.permeability_um_per_s, np.array(np.inf))
    fields = TissueTransport(tissue.grid, tissue.mask, tissue.targets[form.target].total_nmol_per_L, exchange)
    plasma = plasma_curve(form, form.injected_nmol.central, 70.0, draw)
    run = simulate(fields, ligand, plasma, end_h=960.0, decay_per_h=LU, tolerance=tolerance)
    return float(sum(m[tissue.mask].mean() for m in run.time_integral("177Lu").values()))


@pytest.mark.parametrize(("name", "form"), [("visium", "FAP-2286"), ("legacy", "J591-DOTA")])
def test_defaults_are_within_one_per_cent(shared: Path, name: str, form: str) -> None:
    """Mean 177Lu integral of a peptide or antibody: 20-um voxels against 10 um, tolerance 1e-3 against 1e-5."""
    found_in = section(shared.joinpath("data", *SECTIONS[name]))
    coarse = at(found_in, 20.0)
    found = mean_integral(coarse, form)
    assert found == pytest.approx(mean_integral(at(found_in, 10.0), form), rel=0.01)
    assert found == pytest.approx(mean_integral(coarse, form, 1e-5), rel=0.001)
