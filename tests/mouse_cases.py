"""Biodistributions of 177Lu-PSMA-617 in mice (%ID/g, decay-corrected), as compiled in a public table of 1,956 rows.

github.com/longsu704/Tumor-biodistribution-model-of-radiopharmaceuticals (snapshot ebf82c5), rows of molar mass 1042.14,
its references 7 (2018, LNCaP in NSG mice) and 18 (2022, PC-3 PIP in CD-1 nude mice), which it gives by number only. No
errors are compiled: 20 % and the rounding of the table are assumed. The brain of the first is left out: it stands at
the table's last digit, and the model keeps peptides in its vessels.
"""

from __future__ import annotations

import math

from nichedose.body import Biodistribution, Uptake

LNCAP_H = (1.0, 4.0, 24.0, 72.0, 120.0)
LNCAP = {
    "tumour": (15.1, 14.5, 10.9, 7.8, 7.91), "kidney": (97.2, 26.6, 0.58, 0.22, 0.08),
    "liver": (0.26, 0.08, 0.03, 0.02, 0.01), "spleen": (3.34, 0.24, 0.05, 0.03, 0.02),
    "blood": (0.68, 0.12, 0.0, 0.0, 0.0), "muscle": (0.18, 0.05, 0.01, 0.01, 0.0),
    "pancreas": (0.33, 0.05, 0.01, 0.01, 0.0), "lungs": (1.34, 0.16, 0.03, 0.02, 0.01),
    "heart": (0.28, 0.04, 0.01, 0.01, 0.0),
}
PIP_H = (1.0, 4.0, 24.0)
PIP = {
    "tumour": (14.45, 18.12, 13.76), "kidney": (26.19, 4.482, 0.669), "liver": (0.204, 0.056, 0.036),
    "spleen": (0.919, 0.111, 0.044), "blood": (0.297, 0.018, 0.003), "muscle": (0.191, 0.018, 0.006),
    "pancreas": (0.562, 0.038, 0.01), "lungs": (0.457, 0.074, 0.022), "heart": (0.18, 0.017, 0.008),
}
INDIUM_KIDNEY = ((1.0, 305.1), (4.0, 155.9))  # reference 17: 111In in LNCaP mice, whose muscle repeats the tumour
LU177 = math.log(2.0) / 159.5


def table(values: dict[str, tuple[float, ...]], times: tuple[float, ...], last_digit: float) -> Biodistribution:
    rounding = last_digit / math.sqrt(12.0)
    return Biodistribution(tuple(
        Uptake(organ, t, v, math.hypot(0.2 * v, rounding))
        for organ, row in values.items() for t, v in zip(times, row, strict=True)), True)


def lncap() -> Biodistribution:
    return table(LNCAP, LNCAP_H, 0.01)


def pip() -> Biodistribution:
    return table(PIP, PIP_H, 0.001)
