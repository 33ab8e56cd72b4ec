"""The section's lesion as the whole body sees it: one tumour, not two."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nichedose.body import Tumour
from nichedose.case import Administration, Lesion
from nichedose.case import Patient as CasePatient
from nichedose.library.schema import LabelledForm, TissueParameters
from nichedose.study.administration import USUAL, once, regimen_of
from nichedose.study.kinetics import FormRun, tissue_and_ligand
from nichedose.study.whole_body import LESION, case_patient, simulate_form, with_lesion
from nichedose.tissue import TissueMap
from nichedose.values import Draw

__all__ = ["lesion_ratio", "section_lesion", "section_over_body"]

MOST_OF_FLOW = 0.999  # a clearance nearer to the plasma flow leaves no number for the wall


def section_lesion(
    maps: Sequence[TissueMap], form: LabelledForm, parameters: TissueParameters, lesion: Lesion, draw: Draw, *,
    permeability_factor: float = 1.0,
) -> Tumour:
    """A well-mixed tumour with the sections' mean plasma flow, vessel wall and target, of the whole lesion's size.

    The wall is the one that in series with the flow gives the sections' mean clearance between plasma and tissue.
    """
    weights = np.array([m.mask.sum() * m.grid.voxel_area_mm2 for m in maps])
    weights = weights / weights.sum()
    pairs = [tissue_and_ligand(m, form, parameters, draw, permeability_factor=permeability_factor) for m in maps]
    clearance, target = (
        float(weights @ np.array([field[m.mask].mean() for field, m in zip(fields, maps, strict=True)]))
        for fields in ([t.exchange_per_h for t, _ in pairs], [t.target_nmol_per_L for t, _ in pairs]))
    flow = draw("tissue.perfusion_mL_per_min_per_mL", parameters.perfusion_mL_per_min_per_mL)
    through = min(clearance / 60.0, MOST_OF_FLOW * flow)
    return Tumour(
        name=LESION,
        volume_mL=math.pi / 6.0 * lesion.diameter**3 * 1e-3,
        plasma_flow_mL_per_min_per_mL=flow,
        permeability_mL_per_min_per_mL=through * flow / (flow - through),
        target_nmol_per_L=target,
        void_fraction=pairs[0][1].void_fraction,
    )


def lesion_ratio(
    form: LabelledForm, given: CasePatient, lesion: Tumour, radionuclide: str, injected_nmol: float,
    how: Administration, draw: Draw,
) -> float:
    """Decays in ``lesion``, given as ``how`` says, over those with the usual administration of as much ligand."""
    now, usual = (_outside_vessels_h(form, given, lesion, radionuclide, injected_nmol, way, draw)
                  for way in (once(how), USUAL))
    return now / usual


def section_over_body(
    maps: Sequence[TissueMap], runs: Sequence[FormRun], form: LabelledForm, given: CasePatient, lesion: Tumour,
    radionuclide: str, draw: Draw,
) -> float:
    """Decays in the sections, as transport has them before any measurement, over those in the well-mixed ``lesion`` of
    the whole body, both per volume and after the usual administration."""
    weights = np.array([m.mask.sum() * m.grid.voxel_area_mm2 for m in maps])
    held = [sum(float(field[m.mask].mean()) for field in run.time_integrated_activity(radionuclide).values())
            / (run.uptake_factor * run.administration_factor) for run, m in zip(runs, maps, strict=True)]
    in_section = float(weights @ np.array(held) / weights.sum())
    in_body = _outside_vessels_h(form, given, lesion, radionuclide, runs[0].injected_nmol, USUAL, draw)
    return in_section / (in_body / (lesion.volume_mL * 1e-3))


def _outside_vessels_h(
    form: LabelledForm, given: CasePatient, lesion: Tumour, radionuclide: str, injected_nmol: float,
    how: Administration, draw: Draw,
) -> float:
    """MBq.h per MBq injected in interstitium and cells of the lesion: what transport follows."""
    patient = with_lesion(case_patient(form, given, draw), lesion)
    regimen = regimen_of(form, how, activity_MBq=1.0, ligand_nmol=injected_nmol, number=1, interval_h=1.0)
    run = simulate_form(form, patient, given, regimen, (radionuclide,), draw, how)
    mine = [i for i, s in enumerate(run.model.network.states)
            if (s.organ, s.species) == (LESION, "ligand") and s.kind != "vascular"]
    per_nmol = np.array([i.activity_MBq / i.ligand_nmol for i in regimen.labelled])
    return float(per_nmol @ run.integrals_nmol_h[:, 0][:, mine].sum(axis=1))
