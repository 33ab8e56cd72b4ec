"""Dose to cell nuclei against CELLDOSE (Alcocer-Avila et al. 2020, doi:10.1186/s40658-020-00301-2, Tables 3 and 4).

Cell of 14 um, nucleus of 10 um, 1,436 MeV of electrons released per cell. 5 %: two to three digits, track structure
against condensed history, and another list of Auger electrons. Straight-line electrons (as in MIRDcell) are 6 to 11 %
low for the single cell (see test_mirdcell_equations).

Geometry of the cluster: the paper gives 6 first and 12 second neighbours. Touching cells on a simple cubic lattice have
these; that the doses of Table 3 (centre) and Table 4 (either shell), with their shares of self-dose, come out together
is the evidence for it.
"""

from __future__ import annotations

import pytest

from nichedose.dose import CHARGED, cell_s_values, energy_MeV_per_decay
from nichedose.dose.cells import CellPart
from nichedose.dose.clusters import cluster_s_values, cubic_cluster_um


def _decays(nuclide: str) -> float:
    energy = energy_MeV_per_decay(nuclide)
    return 1436.0 / (energy["beta"] + energy["conversion"] + energy["auger"])


@pytest.mark.parametrize(("nuclide", "source", "nucleus_Gy"), [
    ("177Lu", "surface", 1.9), ("177Lu", "cytoplasm", 3.0), ("177Lu", "nucleus", 10.7),
    ("161Tb", "surface", 5.0), ("161Tb", "cytoplasm", 8.3), ("161Tb", "nucleus", 38.6)])
def test_single_cell(nuclide: str, source: CellPart, nucleus_Gy: float) -> None:
    s = cell_s_values(nuclide, 7.0, 5.0, quality=CHARGED)
    assert s["nucleus", source] * _decays(nuclide) == pytest.approx(nucleus_Gy, rel=0.05)


@pytest.mark.parametrize(("nuclide", "source", "nucleus_Gy", "self_share"), [
    ("177Lu", "surface", 7.2, 0.26), ("177Lu", "cytoplasm", 8.3, 0.36), ("177Lu", "cell", 11.0, 0.53),
    ("177Lu", "nucleus", 15.7, 0.68), ("161Tb", "surface", 15.1, 0.33), ("161Tb", "cytoplasm", 17.9, 0.46),
    ("161Tb", "cell", 29.1, 0.67), ("161Tb", "nucleus", 47.8, 0.81)])
def test_centre_of_the_cluster(nuclide: str, source: CellPart, nucleus_Gy: float, self_share: float) -> None:
    """Self share within 0.012: given to a percent, and both doses are within 5 %."""
    s = cluster_s_values(nuclide, cubic_cluster_um(7.0), 7.0, 5.0, source=source, quality=CHARGED)
    dose = _decays(nuclide) * s[0]
    assert dose.sum() == pytest.approx(nucleus_Gy, rel=0.05)
    assert dose[0] / dose.sum() == pytest.approx(self_share, abs=0.012)


@pytest.mark.parametrize(("nuclide", "source", "first_Gy", "second_Gy"), [
    ("177Lu", "surface", 6.0, 4.7), ("177Lu", "cytoplasm", 7.0, 5.8), ("177Lu", "nucleus", 14.6, 13.5),
    ("161Tb", "surface", 12.4, 9.8), ("161Tb", "cytoplasm", 15.3, 12.9), ("161Tb", "nucleus", 45.2, 43.1)])
def test_neighbours_in_the_cluster(nuclide: str, source: CellPart, first_Gy: float, second_Gy: float) -> None:
    s = cluster_s_values(nuclide, cubic_cluster_um(7.0), 7.0, 5.0, source=source, quality=CHARGED)
    dose = _decays(nuclide) * s.sum(axis=1)
    assert dose[1:7] == pytest.approx(first_Gy, rel=0.05)
    assert dose[7:] == pytest.approx(second_Gy, rel=0.05)
