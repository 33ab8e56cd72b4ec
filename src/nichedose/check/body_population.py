"""Organ doses of whole-body kinetics beside published ones, as they were read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from nichedose.case import Administration
from nichedose.case import Patient as CasePatient
from nichedose.check.row import CheckRow
from nichedose.library import load_library
from nichedose.study.administration import regimen_of
from nichedose.study.organ_doses import body_organ_doses_Gy
from nichedose.study.whole_body import ALL_LESIONS, reference_patient, self_dose_Gy_per_MBq_h, simulate_form
from nichedose.values import Draw

__all__ = ["KIDNEYS_WITHIN", "PUBLISHED", "Published", "model_doses_Gy_per_GBq", "rows"]

KIDNEYS_WITHIN = 1.5  # a factor; studies of one agent differ by as much
SEEN = "abstracts as read; docs/theory/body.md lists them"


@dataclass(frozen=True)
class Published:
    """What was published of one organ: the text of a table, and its centre (median of study means), None if unread."""

    organ: str
    text: str
    Gy_per_GBq: float | None


# (labelled form, radionuclide): comparisons. "derived" says what was computed from a neighbour and not measured
PUBLISHED: Mapping[tuple[str, str], tuple[Published, ...]] = {
    ("PSMA-617", "177Lu"): (
        Published("kidney", "0.43 +- 0.16 (n = 30), 0.49 +- 0.11 (10), 0.53 (9), 0.55 +- 0.23 (6), 0.82 +- 0.25 (7)",
                  0.53),
        Published("salivary glands", "0.39 +- 0.17 (10), 0.72 (9), parotid 0.33 +- 0.18 (6), 1.90 +- 1.19 (7)", 0.555),
        Published("lacrimal glands", "2.82 (9)", 2.82),
        Published("marrow", "0.017 +- 0.008 (10), 0.030 +- 0.008 (7)", 0.0235),
        Published("liver", "0.09 +- 0.01 (10)", 0.09),
        Published(ALL_LESIONS, "3.25 +- 3.19 (10), 2.59 +- 3.30 (6)", 2.92),
    ),
    ("PSMA-I&T", "177Lu"): (
        Published("kidney", "derived: 0.69, pooled per cycle over 6.8 GBq (153)", 0.69),
        Published("salivary glands", "derived: parotid 0.39, pooled per cycle over 6.8 GBq (5 studies)", 0.39),
        Published(ALL_LESIONS, "not read", None),
    ),
    ("DOTATATE", "177Lu"): (
        Published("kidney", "0.38 +- 0.19 (20), 0.43 +- 0.13 (12), 0.44 +- 0.15 (24), 0.46 (56), 0.57 +- 0.09 (61), "
                            "planar 0.80 +- 0.30 (33)", 0.45),
        Published("spleen", "1.17 +- 0.14 (61)", 1.17),
        Published("marrow", "0.067 +- 0.007 (23)", 0.067),
        Published("liver", "0.27 +- 0.05 (61)", 0.27),
        Published(ALL_LESIONS, "3.41 +- 0.68 (61)", 3.41),
    ),
    ("FAP-2286", "177Lu"): (
        Published("kidney", "1.0 +- 0.6 (11)", 1.0),
        Published("marrow", "0.05 +- 0.02 (11)", 0.05),
        Published(ALL_LESIONS, "3.0 +- 2.7, bone metastases (11)", 3.0),
    ),
    ("FAPI-46", "90Y"): (
        Published("kidney", "0.52 (9)", 0.52),
        Published("marrow", "0.04 (9)", 0.04),
        Published(ALL_LESIONS, "1.28, median (9)", 1.28),
    ),
    ("FAPI-46", "177Lu"): (
        Published("kidney", "derived: 0.08-0.21 from 90Y-FAPI-46 (9) by energy and decay", 0.13),
        Published("kidney", "another ligand, 177Lu-FAPI-04: 0.25 +- 0.16 (4)", 0.25),
        Published("marrow", "177Lu-FAPI-04: 0.04 (4)", 0.04),
        Published("liver", "177Lu-FAPI-04: 0.11 (4)", 0.11),
        Published(ALL_LESIONS, "177Lu-FAPI-04: 0.33-0.62 by site (4)", 0.44),
    ),
    ("RM2", "177Lu"): (
        Published("kidney", "not read; another ligand, 177Lu-NeoB: 0.10 +- 0.06 (16)", 0.10),
        Published("pancreas", "not read; 177Lu-NeoB: 0.055 +- 0.039 (16)", 0.055),
        Published(ALL_LESIONS, "not read", None),
    ),
    ("RM2", "68Ga"): (
        Published("kidney", "0.049 (5)", 0.049),
        Published("pancreas", "0.124 (5), 0.51 (5)", 0.317),
        Published("marrow", "0.010 (5)", 0.010),
    ),
    ("J591-DOTA", "177Lu"): (
        Published("kidney", "1.41 (35)", 1.41),
        Published("kidney", "another antibody, 177Lu-lilotomab: 0.16-0.79 (7), middle 0.36", 0.36),
        Published("marrow", "0.32 (35)", 0.32),
        Published("liver", "2.10 (35)", 2.1),
        Published("liver", "177Lu-lilotomab: 0.70-1.15 (7), middle 0.90", 0.90),
        Published(ALL_LESIONS, "not read", None),
    ),
}
HELD = (("PSMA-617", "177Lu"), ("DOTATATE", "177Lu"), ("FAPI-46", "90Y"))


def model_doses_Gy_per_GBq(form_name: str, nuclide: str, draw: Draw) -> dict[str, float]:
    """Dose by organ in one draw of reference patient, ligand and lesions, after one administration.

    >>> doses = model_doses_Gy_per_GBq("PSMA-617", "177Lu", Draw())
    >>> doses["kidney"] > doses["marrow"]
    True
    """
    form = load_library().forms[form_name]
    patient = reference_patient(form, draw)
    nmol = draw(f"form.{form.name}.injected_nmol", form.injected_nmol)
    regimen = regimen_of(form, Administration(), activity_MBq=1000.0, ligand_nmol=nmol, number=1, interval_h=1.0)
    run = simulate_form(form, patient, CasePatient(), regimen, (nuclide,), draw)
    found = {organ: sum(dose.values()) for organ, dose in body_organ_doses_Gy(run, nuclide).items()}
    for organ, volume in run.model.volume_L.items():
        if organ not in found:
            size = float(f"{volume * 1e3:.2g}")  # S x mass hardly changes with size
            own = self_dose_Gy_per_MBq_h(nuclide, size) * size / (volume * 1e3)
            found[organ] = run.time_integrated_activity_MBq_h(organ, nuclide) * own
    return found


def rows() -> list[CheckRow]:
    """Kidneys at the medians, as the log of ours over published; those further off stand in docs/theory/body.md."""
    found = []
    for form, nuclide in HELD:
        published = next(p for p in PUBLISHED[form, nuclide] if p.organ == "kidney")
        assert published.Gy_per_GBq is not None
        ours = model_doses_Gy_per_GBq(form, nuclide, Draw())["kidney"]
        found.append(CheckRow(
            f"body_population.kidney.{nuclide}-{form}", SEEN, "published", math.log(ours / published.Gy_per_GBq), 0.0,
            math.log(KIDNEYS_WITHIN), absolute=True, unit="log of a ratio",
            note=f"{ours:.2g} Gy/GBq; published {published.text}"))
    return found
