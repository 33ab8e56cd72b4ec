"""The two published series of 177Lu-PSMA-617 in mice, fitted; what is met and what is not (docs/theory/mouse.md)."""

from __future__ import annotations

import pytest

from mouse_cases import INDIUM_KIDNEY, LU177, lncap, pip
from nichedose.body import Biodistribution, Experiment, MouseTwin, Uptake, fit_mouse
from nichedose.errors import BadInput
from nichedose.library import load_library
from nichedose.library.bodies import load_bodies
from nichedose.library.mouse import load_mouse


def fitted(table: Biodistribution) -> MouseTwin:
    """The amount of ligand is not compiled; 0.02 nmol is assumed (the page shows what other amounts do)."""
    bodies = load_bodies()
    return fit_mouse(load_library().forms["PSMA-617"], bodies.of_form("PSMA-617"), load_mouse(), bodies.physiology,
                     table, Experiment(ligand_nmol=0.02, decay_per_h=LU177))


@pytest.fixture(scope="module")
def lncap_twin() -> MouseTwin:
    return fitted(lncap())


@pytest.fixture(scope="module")
def pip_twin() -> MouseTwin:
    return fitted(pip())


def test_tumours_are_met(lncap_twin: MouseTwin, pip_twin: MouseTwin) -> None:
    """Within the errors that were stated (28 %, measurement and model together), at every time."""
    for twin in (lncap_twin, pip_twin):
        tumour = [r.standardised for r in twin.residuals if r.organ == "tumour"]
        assert len(tumour) in (3, 5)
        assert max(map(abs, tumour)) < 1.0


def test_all_organs_are_met_as_the_page_says(lncap_twin: MouseTwin, pip_twin: MouseTwin) -> None:
    """Root mean squares of the page, 1.7 and 1.8: above 1, so parts of it lie beyond the model."""
    assert lncap_twin.misfit == pytest.approx(1.67, abs=0.15)
    assert pip_twin.misfit == pytest.approx(1.77, abs=0.15)
    assert lncap_twin.left_out == 6 and pip_twin.left_out == 0


def test_the_kidney_of_one_pool_is_too_slow_for_the_first_series(lncap_twin: MouseTwin) -> None:
    """97 %ID/g at 1 h, 0.08 at 120 h: a shortfall that the page states, not a tolerance."""
    kidney = {r.time_h: r.fitted / r.measured for r in lncap_twin.residuals if r.organ == "kidney"}
    assert 0.3 < kidney[1.0] < 0.5 and 2.0 < kidney[120.0] < 3.0


def test_the_third_series_cannot_be() -> None:
    """305 %ID/g in kidneys: 143 % of what was injected into a mouse of 25 g."""
    with pytest.raises(BadInput, match="'kidney' alone 143 %"):
        fitted(Biodistribution(tuple(Uptake("kidney", *point) for point in INDIUM_KIDNEY), True))
