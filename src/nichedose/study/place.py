"""Where a target sits and who survives: the facts from which a candidate's sentence is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nichedose.fields.grid import Array
from nichedose.study.evaluate import NEGATIVE, CandidateDose

__all__ = ["HYPOXIC_BELOW_MMHG", "TargetPlace", "target_place"]

HYPOXIC_BELOW_MMHG = 5.0  # the HP5 of the electrode literature


@dataclass(frozen=True)
class TargetPlace:
    """Shares, 0 to 1: of binding sites on tumour cells; of tumour cells that lack the target, that are hypoxic; of the
    survivors that are hypoxic; of the dose that alphas and their recoils give."""

    target_on_tumour_fraction: float
    target_negative_fraction: float
    hypoxic_fraction: float
    hypoxic_survivor_fraction: float | None
    alpha_dose_fraction: float
    shape_unknown: bool


def target_place(dose: CandidateDose, target: str, log10_survival: Sequence[Array]) -> TargetPlace:
    """Pooled over the sections of the lesion."""
    sites = on_tumour = cells = negative = hypoxic = total_dose = alpha = 0.0
    survivors: list[tuple[Array, Array, Array]] = []
    for section, survival in zip(dose.sections, log10_survival, strict=True):
        mask, area = section.tissue.mask, section.tissue.grid.voxel_area_mm2
        field = section.tissue.targets[target]
        sites += float(field.total_nmol_per_L[mask].sum()) * area
        if "tumour" in field.by_host_nmol_per_L:
            on_tumour += float(field.by_host_nmol_per_L["tumour"][mask].sum()) * area
        number = np.asarray(sum(section.clonogens.values()))[mask] * area
        low = section.tissue.oxygen_mmHg[mask] < HYPOXIC_BELOW_MMHG
        cells += float(number.sum())
        negative += float(section.clonogens[NEGATIVE][mask].sum()) * area
        hypoxic += float(number[low].sum())
        survivors.append((survival[mask], number, low.astype(float)))
        total_dose += float(sum(d[mask].sum() for d in section.dose.by_quality.values())) * area
        alpha += float(sum(section.dose.by_quality[q][mask].sum()
                           for q in ("alpha", "recoil") if q in section.dose.by_quality)) * area
    return TargetPlace(
        target_on_tumour_fraction=_share(on_tumour, sites),
        target_negative_fraction=_share(negative, cells),
        hypoxic_fraction=_share(hypoxic, cells),
        hypoxic_survivor_fraction=_hypoxic_survivors(survivors),
        alpha_dose_fraction=_share(alpha, total_dose),
        shape_unknown=any(not s.tissue.targets[target].shape_known for s in dose.sections),
    )


def _share(part: float, whole: float) -> float:
    return min(max(part / whole, 0.0), 1.0) if whole > 0.0 else 0.0


def _hypoxic_survivors(parts: list[tuple[Array, Array, Array]]) -> float | None:
    logs, numbers, low = (np.concatenate(column) for column in zip(*parts, strict=True))
    present = numbers > 0.0
    if not present.any():
        return None
    # relative to the best survivor, so that the ratio is right when all survivals are tiny
    weights = numbers[present] * 10.0 ** (logs[present] - logs[present].max())
    return _share(float((weights * low[present]).sum()), float(weights.sum()))
