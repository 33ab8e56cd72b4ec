"""Dose to the nucleus of a single cell, against CELLDOSE (Alcocer-Avila et al. 2020, doi:10.1186/s40658-020-00301-2).

Cell of 14 um, nucleus of 10 um, 1,436 MeV of electrons released. 5 %: two to three digits, track structure against
condensed history, and another list of Auger electrons. Straight-line electrons (as in MIRDcell) would be 7 to 11 % low
for 177Lu.
"""

from __future__ import annotations

from typing import Literal

import pytest

from nichedose.dose import cell_s_values, energy_MeV_per_decay


@pytest.mark.parametrize(("nuclide", "source", "nucleus_Gy"), [
    ("177Lu", "surface", 1.9), ("177Lu", "cytoplasm", 3.0), ("177Lu", "nucleus", 10.7),
    ("161Tb", "surface", 5.0), ("161Tb", "cytoplasm", 8.3), ("161Tb", "nucleus", 38.6)])
def test_single_cell(nuclide: str, source: Literal["surface", "cytoplasm", "nucleus"], nucleus_Gy: float) -> None:
    energy = energy_MeV_per_decay(nuclide)
    decays = 1436.0 / (energy["beta"] + energy["conversion"] + energy["auger"])
    assert cell_s_values(nuclide, 7.0, 5.0)["nucleus", source] * decays == pytest.approx(nucleus_Gy, rel=0.05)
