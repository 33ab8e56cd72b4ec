"""Organ doses of virtual patients beside published ones: medians and spread.

    python benchmarks/body_population.py 300

Every draw is a patient: reference patient, physiology, ligand and tumours of the set vary together. Organs that the
stylised man has get their dose from all of it (`study/organ_doses.py`), lesions as water spheres of their volume.
"""

from __future__ import annotations

import sys

import numpy as np

from nichedose.check.body_population import PUBLISHED, model_doses_Gy_per_GBq
from nichedose.values import Draw

SEED = 11


def doses(form: str, nuclide: str, patients: int) -> dict[str, np.ndarray]:
    """Gy/GBq by organ in ``patients`` joint draws of patient, ligand and lesions."""
    found: dict[str, list[float]] = {}
    for index in range(patients):
        for organ, dose in model_doses_Gy_per_GBq(form, nuclide, Draw(seed=SEED, index=index)).items():
            found.setdefault(organ, []).append(dose)
    return {organ: np.array(values) for organ, values in found.items()}


def main() -> None:
    patients = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    print("| agent | organ | ours: median (5-95 %) Gy/GBq | published Gy/GBq (n) | ours / published |")
    print("|---|---|---|---|---|")
    for (form, nuclide), comparisons in PUBLISHED.items():
        found = doses(form, nuclide, patients)
        for published in comparisons:
            low, mid, high = np.quantile(found[published.organ], [0.05, 0.5, 0.95])
            ratio = "" if published.Gy_per_GBq is None else f"{mid / published.Gy_per_GBq:.2f}"
            print(f"| {nuclide}-{form} | {published.organ} | {mid:.2g} ({low:.2g}-{high:.2g}) | {published.text} "
                  f"| {ratio} |", flush=True)


if __name__ == "__main__":
    main()
