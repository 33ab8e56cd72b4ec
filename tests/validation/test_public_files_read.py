"""Genuine files of public repositories, for readers of which no section lies with the shared data.

They are looked for in the folder that $NICHEDOSE_PUBLIC names, as clones of BodenmillerGroup/imcRtools (6f0cc15, GPL-3)
and of Nanostring-Biostats/GeomxTools (d47f626, MIT), and skipped without.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nichedose.errors import BadInput
from nichedose.io import read_sections, read_tissue


def clone(repository: str, folder: str) -> Path:
    place = Path(os.environ.get("NICHEDOSE_PUBLIC", "absent")) / repository.split("/")[1] / folder
    if not place.is_dir():
        pytest.skip(f"no clone of github.com/{repository} in $NICHEDOSE_PUBLIC")
    return place


def test_steinbock_output_of_imaging_mass_cytometry() -> None:
    """Small acquisitions of a Hyperion, segmented by steinbock: 1 um per pixel by the instrument's own file."""
    sections = read_sections(clone("BodenmillerGroup/imcRtools", "inst/extdata/mockData/steinbock"))
    assert len(sections) == 15 and all(a.kind == "steinbock" for a in sections)
    assay = next(a for a in sections if a.sample == "20210305_NE_mockData5_001")
    assert "57 um are 57 pixels" in assay.scale_evidence
    assert assay.xy_um.max(axis=0)[0] < 57.0 and assay.xy_um.max(axis=0)[1] < 49.0
    assert assay.proteins is not None and assay.proteins.markers == (
        "Ag107", "Cytokeratin 5", "Laminin", "YBX1", "H3K27Ac")


def test_geomx_counts_of_an_experiment(tmp_path: Path) -> None:
    """89 wells of cell pellets. The published table of segments is a spreadsheet without positions: refused with what
    is missing; with positions added, the counts are those of the files."""
    source = clone("Nanostring-Biostats/GeomxTools", "inst/extdata/DSP_NGS_Example_Data")
    for file in (*source.glob("*.dcc"), source / "pkcs.zip"):
        shutil.copy(file, tmp_path)
    names = sorted(p.stem for p in source.glob("*.dcc"))
    with pytest.raises(BadInput, match="no table of segments"):
        read_tissue(tmp_path, "geomx")
    frame = pd.DataFrame({"Sample_ID": names, "area": 31318.73})
    frame.to_csv(tmp_path / "segments.csv", index=False)
    with pytest.raises(BadInput, match="no positions"):
        read_tissue(tmp_path)
    frame.assign(ROI_X=np.arange(len(names)) * 1000.0, ROI_Y=0.0).to_csv(tmp_path / "segments.csv", index=False)
    assay = read_tissue(tmp_path, coordinate_unit="um")
    assert assay.n_spots == len(names) == 89 and assay.observation == "region"
    text = (source / f"{names[1]}.dcc").read_text()
    listed = sum(int(line.split(",")[1]) for line in text.splitlines() if line.startswith("RTS"))
    assert 0.9 * listed < assay.counts[1].sum() <= listed  # control probes are left out
