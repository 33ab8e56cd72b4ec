"""Organ doses of a whole-body run: S values where the phantom has the organ."""

from __future__ import annotations

import functools

import pytest

from nichedose.body import BodySolution
from nichedose.case import Administration, Patient
from nichedose.library import load_library
from nichedose.study.administration import regimen_of
from nichedose.study.organ_doses import IN_PHANTOM, body_organ_doses_Gy
from nichedose.study.whole_body import reference_patient, self_dose_Gy_per_MBq_h, simulate_form
from nichedose.values import Draw


@functools.cache
def run() -> BodySolution:
    form, draw = load_library().forms["PSMA-617"], Draw()
    regimen = regimen_of(form, Administration(), activity_MBq=7400.0, ligand_nmol=form.injected_nmol.central, number=1,
                         interval_h=1.0)
    return simulate_form(form, reference_patient(form, draw), Patient(), regimen, ("177Lu", "225Ac"), draw)


def test_organs_that_hold_most_get_the_dose_of_their_own_activity() -> None:
    doses = body_organ_doses_Gy(run(), "177Lu")
    for organ in ("kidney", "salivary glands"):
        volume = run().model.volume_L[organ] * 1e3
        own = run().time_integrated_activity_MBq_h(organ, "177Lu") * self_dose_Gy_per_MBq_h("177Lu", round(volume, 2))
        assert sum(doses[organ].values()) == pytest.approx(own / 1.04, rel=0.03)


def test_organs_that_hold_little_get_photons_of_the_others() -> None:
    doses = body_organ_doses_Gy(run(), "177Lu")
    assert doses["pancreas"]["photon"] > 0.2 * doses["pancreas"]["beta"]


def test_marrow_and_every_organ_of_the_phantom_is_there_by_quality() -> None:
    doses = body_organ_doses_Gy(run(), "225Ac")
    assert set(doses) == {o for o in IN_PHANTOM if o in run().model.volume_L}
    assert doses["marrow"]["alpha"] > doses["marrow"]["beta"] > 0.0


def test_the_woman_has_smaller_organs_where_the_kinetics_gives_no_size() -> None:
    man, woman = (body_organ_doses_Gy(run(), "177Lu", phantom)["lungs"]["beta"]
                  for phantom in ("adult_male", "adult_female"))
    assert woman == pytest.approx(man * 1200.0 / 950.0, rel=0.01)
