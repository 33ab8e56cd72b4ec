"""Targets that follow oxygen: PSMA, which hypoxic cells may lose, and CAIX, which hypoxia induces."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping

import numpy as np

from nichedose.errors import BadInput
from nichedose.fields.grid import Array, BoolArray
from nichedose.tissue.map import TargetField
from nichedose.tissue.map_options import MapOptions
from nichedose.values import Flag

__all__ = ["couple_targets", "coupling_flags", "hypoxia_degree"]

WORDS = {
    "PSMA": "PSMA on tumour cells falls where oxygen is low; no law was found, the size is assumed and wide.",
    "CAIX": "CAIX on tumour cells rises where oxygen is low; its size is assumed. In clear-cell kidney cancer it is "
            "constitutive: leave the coupling off there.",
}


def hypoxia_degree(oxygen_mmHg: Array, half_mmHg: float) -> Array:
    """How hypoxic, 0 to 1: one without oxygen, a half at ``half_mmHg``.

    >>> import numpy as np
    >>> hypoxia_degree(np.array([0.0, 5.0, 45.0]), 5.0).round(2).tolist()
    [1.0, 0.5, 0.1]
    """
    if not (np.isfinite(half_mmHg) and half_mmHg > 0.0):
        raise BadInput(f"half_mmHg = {half_mmHg:g}; it must be above 0 mmHg.")
    return np.asarray(half_mmHg / (half_mmHg + oxygen_mmHg))


def couple_targets(
    targets: Mapping[str, TargetField],
    oxygen_mmHg: Array,
    mask: BoolArray,
    couplings: Collection[str],
    *,
    half_mmHg: float,
    psma_loss: float,
    caix_normoxic_share: float,
) -> dict[str, TargetField]:
    """The targets with those in ``couplings`` following oxygen on tumour cells; the mean over the section stays.

    With s the degree of hypoxia: PSMA times 1 - ``psma_loss`` s, CAIX times b + (1 - b) s with b
    ``caix_normoxic_share``. Means were found over whole tumours, hypoxic parts included, so the field is scaled back to
    the mean it had. Raises `BadInput` for a share outside 0 to 1.
    """
    for name, share in (("psma_loss", psma_loss), ("caix_normoxic_share", caix_normoxic_share)):
        if not 0.0 <= share <= 1.0:
            raise BadInput(f"{name} = {share:g}; it must lie between 0 and 1.")
    s = hypoxia_degree(oxygen_mmHg, half_mmHg)
    factors = {"PSMA": 1.0 - psma_loss * s, "CAIX": caix_normoxic_share + (1.0 - caix_normoxic_share) * s}
    return {
        name: _followed(field, factors[name], mask) if name in couplings and name in factors else field
        for name, field in targets.items()
    }


def coupling_flags(targets: Mapping[str, TargetField], options: MapOptions) -> list[Flag]:
    """What the couplings that were asked for do, or that they do nothing for want of the target."""
    return [
        Flag("note", name, WORDS[name]) if name in targets and "tumour" in targets[name].by_host_nmol_per_L
        else Flag("caution", name, f"{name} is not on tumour cells in this section's map: its coupling with hypoxia "
                                   "does nothing.")
        for name in options.hypoxia_couplings
    ]


def _followed(field: TargetField, factor: Array, mask: BoolArray) -> TargetField:
    if "tumour" not in field.by_host_nmol_per_L:
        return field
    hosts = dict(field.by_host_nmol_per_L)
    hosts["tumour"] = hosts["tumour"] * factor
    before = float(field.total_nmol_per_L[mask].mean())
    after = float(sum(float(h[mask].mean()) for h in hosts.values()))
    if after <= 0.0:
        return field
    return dataclasses.replace(
        field, by_host_nmol_per_L={h: np.asarray(d * (before / after)) for h, d in hosts.items()})
