"""Daughters that move, from the case to the dose of a section and what leaves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from nichedose.body import redistribute
from nichedose.case import Daughters, parse_case
from nichedose.dose import SectionGeometry
from nichedose.errors import BadInput
from nichedose.fields import Grid
from nichedose.fields.grid import Array
from nichedose.library import load_library
from nichedose.study.daughters import follow_daughters
from nichedose.study.evaluate import SectionDose, combine, section_dose_of
from nichedose.tissue import TissueMap
from nichedose.tissue.map import TargetField
from nichedose.values import Draw

GRID = Grid((16, 14), 20.0)
RNG = np.random.default_rng(9)
TIA = {"free": 0.1 * RNG.random(GRID.shape), "bound": RNG.random(GRID.shape), "internalised": RNG.random(GRID.shape)}
MOVES = Daughters(retained_bound=0.1, retained_internalised=0.6, retained_free=0.0, diffusivity_um2_per_s=300.0,
                  permeability_um_per_s=1.0)
CASE = """
title = "t"
tumour = "prostate"
[[sections]]
path = "x"
[lesion]
diameter = "10 mm"
[[candidates]]
agent = "225Ac-PSMA-617"
[output]
folder = "o"
"""


class Run:
    """Stands for the transport of a form."""

    solution = SimpleNamespace(times_h=np.array([0.0, 10.0, 100.0]))

    def time_integrated_activity(self, radionuclide: str) -> Mapping[str, Array]:
        return TIA

    def activity_history(self, radionuclide: str) -> Array:
        return sum(TIA.values()) * np.array([1.0, 0.7, 0.1])[:, None, None]  # type: ignore[no-any-return]


def tissue(vessels_per_cm: float = 100.0) -> TissueMap:
    mask = np.ones(GRID.shape, bool)
    where = np.where(RNG.random(GRID.shape) < 0.3, vessels_per_cm, 1.0)
    target = TargetField("PSMA", {"tumour": np.full(GRID.shape, 50.0)}, True, "absolute", 1000)
    return TissueMap(GRID, mask, {"tumour": np.full(GRID.shape, 3e5)}, {"PSMA": target}, {}, where,
                     np.zeros(GRID.shape), np.full(GRID.shape, 30.0), "s")


def dose(radionuclide: str, daughters: Daughters | None, place: TissueMap | None = None) -> SectionDose:
    library = load_library()
    return section_dose_of(
        place or tissue(), Run(), SimpleNamespace(radionuclide=radionuclide),  # type: ignore[arg-type]
        library.targets["PSMA"], library.tissue, SectionGeometry("slab", 1e4, "uniform", 1e4), ((0.5,), (1.0,)),
        Draw(seed=1), 2, daughters)


def test_without_the_option_progeny_decay_in_place() -> None:
    whole = replace_all(MOVES, 1.0)
    place, kept = dose("225Ac", None), dose("225Ac", whole)
    assert place.washed_out_per_decay == {}
    for quality, field in place.dose.by_quality.items():
        np.testing.assert_allclose(kept.dose.by_quality[quality], field, rtol=1e-9)
    assert kept.washed_out_per_decay == pytest.approx(dict.fromkeys(kept.washed_out_per_decay, 0.0))


def replace_all(daughters: Daughters, share: float) -> Daughters:
    return daughters.model_copy(update=dict.fromkeys(
        ("retained_bound", "retained_internalised", "retained_free"), share))


def test_released_daughters_lower_the_dose_and_are_handed_on() -> None:
    """Of the 225Ac chain; more vessels wash out more, and what is handed on is decays per decay of the parent."""
    place, moved = dose("225Ac", None), dose("225Ac", MOVES)
    assert float(moved.dose.by_quality["alpha"].mean()) < float(place.dose.by_quality["alpha"].mean())
    assert 0.0 < moved.washed_out_per_decay["213Bi"] < 1.0
    leaky = dose("225Ac", MOVES, tissue(1000.0))
    assert leaky.washed_out_per_decay["221Fr"] > moved.washed_out_per_decay["221Fr"]
    pooled = combine([moved, moved]).washed_out_per_decay
    assert pooled == pytest.approx(moved.washed_out_per_decay)
    assert combine([place]).washed_out_per_decay == {}
    double = replace(moved, tia_MBq_h_per_L=3.0 * moved.tia_MBq_h_per_L)
    mixed = combine([double, leaky]).washed_out_per_decay["221Fr"]
    weight = 3.0 * float(moved.tia_MBq_h_per_L.sum()) / (
        3.0 * float(moved.tia_MBq_h_per_L.sum()) + float(leaky.tia_MBq_h_per_L.sum()))
    assert mixed == pytest.approx(weight * moved.washed_out_per_decay["221Fr"]
                                  + (1.0 - weight) * leaky.washed_out_per_decay["221Fr"])


def test_a_nuclide_without_progeny_is_untouched() -> None:
    place, moved = dose("177Lu", None), dose("177Lu", MOVES)
    for quality, field in place.dose.by_quality.items():
        np.testing.assert_allclose(moved.dose.by_quality[quality], field, rtol=1e-12)
    assert moved.washed_out_per_decay == {}


def test_clearance_is_wall_permeability_times_vessel_surface() -> None:
    """P = 1 um/s and 100 /cm everywhere: k = 0.01 /s; 213Bi of uniform birth decays here by lambda/(lambda + k)."""
    even = tissue(1.0)
    even = replace(even, vessel_surface_per_cm=np.full(GRID.shape, 100.0))
    moved = follow_daughters(even, "225Ac", {state: np.ones(GRID.shape) for state in TIA}, replace_all(MOVES, 0.0))
    rate = np.log(2.0) / (4.9 * 60.0)
    assert float(moved.progeny["221Fr"].migrated.mean()) / 3.0 == pytest.approx(rate / (rate + 0.01), rel=1e-3)


def test_the_case_states_them() -> None:
    assert parse_case(CASE).daughters is None
    stated = CASE + """
[daughters]
retained_bound = 0.1
retained_internalised = 0.6
retained_free = 0.0
diffusivity_um2_per_s = 300.0
permeability_um_per_s = 1.0
"""
    assert parse_case(stated).daughters == MOVES
    with pytest.raises(BadInput, match=r"'daughters.retained_bound'"):
        parse_case(stated.replace("retained_bound = 0.1", "retained_bound = 1.5"))
    with pytest.raises(BadInput, match=r"'daughters.permeability_um_per_s' is missing"):
        parse_case(stated.replace("permeability_um_per_s = 1.0\n", ""))
    with pytest.raises(BadInput, match=r"Did you mean"):
        parse_case(stated.replace("retained_free", "retained_fre"))


def test_what_leaves_is_what_the_body_takes() -> None:
    """Atoms per decay times the lesion's time-integrated activity go into `redistribute`, which loses none (1e-9)."""
    moved = dose("225Ac", MOVES)
    lesion_MBq_h = 40.0
    released = {name: share * lesion_MBq_h for name, share in moved.washed_out_per_decay.items()}
    found = redistribute(released)
    for name, alone in (("221Fr", True), ("213Bi", False)):
        here = sum(found.decays_MBq_h[name].values())
        assert here == pytest.approx(released[name], rel=1e-9) if alone else here > released[name]
