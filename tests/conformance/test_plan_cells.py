"""The whole chain on cells and on proteins: results come back to every cell; a panel that lacks a target says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from io_cells_fake import fake_cells, inform_frame, plain_frame
from nichedose.case import parse_case
from nichedose.errors import BadInput
from nichedose.io import assay_to_anndata, read_tissue
from nichedose.study import run_plan
from nichedose.study.plan import PlanRun

CELLS = fake_cells(side=24)
CASE = """
title = "cells"
tumour = "generic"
[[sections]]
path = "{name}"
sample = "all"
[lesion]
diameter = "15 mm"
[[candidates]]
agent = "177Lu-atezolizumab"
[[candidates]]
agent = "177Lu-PSMA-617"
[sampling]
draws = 2
workers = 1
[output]
folder = "out"
"""


def plan(folder: Path, name: str) -> PlanRun:
    text = CASE.format(name=name)
    return run_plan(parse_case(text), text, folder / "case.toml")


@pytest.mark.parametrize("kind", ["genes", "proteins"])
def test_a_plan_comes_back_to_every_cell(tmp_path: Path, kind: str) -> None:
    if kind == "genes":
        plain_frame(CELLS).to_csv(tmp_path / "cells.csv", index=False)
    else:
        inform_frame(CELLS).to_csv(tmp_path / "cells.csv", index=False)
    found = plan(tmp_path, "cells.csv")
    first, second = found.result.candidates
    assert first.modes["as_prescribed"].evaluable and not second.modes["as_prescribed"].evaluable
    missing = "genes that were measured" if kind == "genes" else "proteins that were stained"
    assert any(f"FOLH1 not among the {missing}" in r for r in second.reasons)
    [assay], [columns] = found.assays, found.spot_columns
    assert assay.n_spots == CELLS.n and all(v.shape == (CELLS.n,) for v in columns.values())
    assert all(np.isfinite(v).all() for v in columns.values())
    assert (columns["dose_177Lu-atezolizumab_Gy"] > 0.0).all()
    shares = [v for name, v in columns.items() if name.startswith("share_")]
    np.testing.assert_allclose(np.sum(shares, axis=0), 1.0)
    data = assay_to_anndata(assay, columns)
    assert data.n_obs == CELLS.n and "nichedose_share_tumour" in data.obs


def test_a_case_names_the_column_of_cell_types(tmp_path: Path) -> None:
    types = np.where(CELLS.kind == "tumour", "Tumor", "T cell")
    plain_frame(CELLS).to_csv(tmp_path / "cells.csv", index=False)
    data = assay_to_anndata(read_tissue(tmp_path / "cells.csv"), {})
    data.obs["cell_type"] = types
    data.write_h5ad(tmp_path / "cells.h5ad")
    text = CASE.format(name="cells.h5ad").replace(
        'sample = "all"', 'coordinate_unit = "um"\nphenotype_key = "cell_type"')
    [columns] = run_plan(parse_case(text), text, tmp_path / "case.toml").spot_columns
    np.testing.assert_array_equal(columns["share_tumour"] == 1.0, CELLS.kind == "tumour")
    with pytest.raises(BadInput, match=r"phenotype_key.*drop one"):
        parse_case(text.replace("phenotype_key", 'composition = "markers"\nphenotype_key'))


def test_two_samples_of_a_file_are_two_sections(tmp_path: Path) -> None:
    import pandas as pd

    both = pd.concat([plain_frame(fake_cells(seed, 24)).assign(sample=f"s{seed}") for seed in (1, 2)])
    both.to_csv(tmp_path / "cells.csv", index=False)
    found = plan(tmp_path, "cells.csv")
    assert [s.sample for s in found.result.sections] == ["s1", "s2"]
    assert any("Between the 2 sections" in f.text for f in found.result.flags)
