"""Organ doses per activity in virtual patients beside published ones: prints the table of docs/theory/body.md.

Run: python benchmarks/body_population.py [patients]
"""

from __future__ import annotations

import sys

import numpy as np

from nichedose.case import Administration
from nichedose.case import Patient as CasePatient
from nichedose.library import load_library
from nichedose.study.organ_doses import body_organ_doses_Gy
from nichedose.study.whole_body import (
    ALL_LESIONS,
    reference_patient,
    regimen_of,
    self_dose_Gy_per_MBq_h,
    simulate_form,
)
from nichedose.values import Draw

# organ: (published Gy/GBq as text, its centre)
PUBLISHED: dict[tuple[str, str], dict[str, tuple[str, float]]] = {
    ("PSMA-617", "177Lu"): {
        "kidney": ("0.43 +- 0.16 (n = 30), 0.49 +- 0.11 (10), 0.53 (9), 0.82 +- 0.25 (7)", 0.51),
        "salivary glands": ("0.39 +- 0.17 (10), 0.72 (9), parotid 1.90 +- 1.19 (7)", 0.72),
        "lacrimal glands": ("2.82 (9)", 2.82),
        "marrow": ("0.017 +- 0.008 (10), 0.030 +- 0.008 (7)", 0.0235),
        "liver": ("0.09 +- 0.01 (10)", 0.09),
        ALL_LESIONS: ("3.25 +- 3.19 (10)", 3.25),
    },
    ("DOTATATE", "177Lu"): {
        "kidney": ("0.38 +- 0.19 (20), 0.43 +- 0.13 (12), 0.46 (56), 0.57 +- 0.09 (61)", 0.445),
        "spleen": ("1.17 +- 0.14 (61)", 1.17),
        "liver": ("0.27 +- 0.05 (61)", 0.27),
        ALL_LESIONS: ("3.41 +- 0.68 (61)", 3.41),
    },
    ("FAP-2286", "177Lu"): {
        "kidney": ("1.0 +- 0.6 (11)", 1.0),
        "marrow": ("0.05 +- 0.02 (11)", 0.05),
        ALL_LESIONS: ("3.0 +- 2.7, bone metastases (11)", 3.0),
    },
    ("FAPI-46", "90Y"): {
        "kidney": ("0.52 (9)", 0.52),
        "marrow": ("0.04 (9)", 0.04),
        ALL_LESIONS: ("1.28, median (9)", 1.28),
    },
    ("FAPI-46", "177Lu"): {
        "kidney": ("177Lu-FAPI-04: 0.25 +- 0.16 (4)", 0.25),
        "marrow": ("177Lu-FAPI-04: 0.04 (4)", 0.04),
        "liver": ("177Lu-FAPI-04: 0.11 (4)", 0.11),
        ALL_LESIONS: ("177Lu-FAPI-04: 0.33-0.62 by site (4)", 0.44),
    },
}


def doses(form_name: str, nuclide: str, patients: int, seed: int = 11) -> dict[str, np.ndarray]:
    """Gy/GBq by organ in ``patients`` joint draws of patient, ligand and lesions."""
    form = load_library().forms[form_name]
    found: dict[str, list[float]] = {}
    for index in range(patients):
        draw = Draw(seed=seed, index=index)
        patient = reference_patient(form, draw)
        nmol = draw(f"form.{form.name}.injected_nmol", form.injected_nmol)
        regimen = regimen_of(form, Administration(), activity_MBq=1000.0, ligand_nmol=nmol, number=1, interval_h=1.0)
        run = simulate_form(form, patient, CasePatient(), regimen, (nuclide,), draw)
        inside = body_organ_doses_Gy(run, nuclide)
        for organ, dose in inside.items():
            found.setdefault(organ, []).append(sum(dose.values()))
        for organ, volume in run.model.volume_L.items():
            if organ in inside:
                continue
            size = float(f"{volume * 1e3:.2g}")  # S x mass hardly changes with size
            own = self_dose_Gy_per_MBq_h(nuclide, size) * size / (volume * 1e3)
            found.setdefault(organ, []).append(run.time_integrated_activity_MBq_h(organ, nuclide) * own)
    return {organ: np.array(values) for organ, values in found.items()}


def main() -> None:
    patients = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    print("| agent | organ | ours: median (5-95 %) Gy/GBq | published Gy/GBq (n) | ours / published |")
    print("|---|---|---|---|---|")
    for (form, nuclide), organs in PUBLISHED.items():
        found = doses(form, nuclide, patients)
        for organ, (text, centre) in organs.items():
            low, mid, high = np.quantile(found[organ], [0.05, 0.5, 0.95])
            print(f"| {nuclide}-{form} | {organ} | {mid:.2g} ({low:.2g}-{high:.2g}) | {text} | {mid / centre:.2f} |")


if __name__ == "__main__":
    main()
