"""Dose in a 3-D map whose daughters migrate: each decays where it was left, convolved with its own kernels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nichedose.dose.kernels import QualityChoice, emitted_qualities
from nichedose.dose.migration import Migration
from nichedose.dose.result import Quality
from nichedose.dose.volume import convolve
from nichedose.errors import BadInput

__all__ = ["convolve_migrated"]


def convolve_migrated(
    migration: Migration, *, quality: QualityChoice = None, **options: Any
) -> Mapping[Quality, NDArray[np.floating[Any]]]:
    """Dose by quality, Gy, arrays (nz, ny, nx), of a parent and of its progeny where ``migration`` put them.

    ``quality`` and ``options`` (surroundings, tile, dtype, ..) as in `convolve`. With full retention it is that with
    ``daughters="equilibrium"``. Raises `BadInput` as `convolve`, and for the migration of a section (for that see
    `section_dose_with_migration`).
    """
    if migration.mask.ndim != 3:
        raise BadInput("The migration is that of a section; use section_dose_with_migration, or migrate a volume.")
    dose: dict[Quality, NDArray[np.floating[Any]]] = {}
    for name, tia in migration.tia_MBq_h_per_L.items():
        wanted = emitted_qualities(name, "none", quality, decay_data=migration.decay_data)
        if not wanted or not tia.any():
            continue
        found = convolve(tia, name, migration.spacing_um, quality=wanted, decay_data=migration.decay_data, **options)
        for each, part in found.by_quality.items():
            dose[each] = dose[each] + part if each in dose else part
    return dose
