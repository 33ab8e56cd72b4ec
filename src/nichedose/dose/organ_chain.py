"""Organ dose of several radionuclides that are each somewhere else."""

from __future__ import annotations

from collections.abc import Mapping

from nichedose.dose.organ_s import organ_s_values
from nichedose.dose.organs import organ_dose
from nichedose.dose.result import Quality
from nichedose.errors import BadInput
from nichedose.nuclide import Source

__all__ = ["organ_dose_of_nuclides"]


def organ_dose_of_nuclides(
    time_integrated_activity_MBq_h: Mapping[str, Mapping[str, float]], phantom: str = "adult_male",
    masses_g: Mapping[str, float] | None = None, decay_data: Source | None = None,
) -> dict[str, dict[Quality | str, float]]:
    """Dose to all organs by quality, Gy, from the activity of each nuclide in each organ; each without its progeny.

    Takes `nichedose.body.Redistribution.in_organs`. Raises `BadInput` for unknown names and bad numbers.

    >>> dose = organ_dose_of_nuclides({"177Lu": {"kidneys": 100.0}, "213Bi": {"kidneys": 1.0}})
    >>> sorted(dose["kidneys"])
    ['alpha', 'auger', 'beta', 'conversion', 'photon', 'recoil']
    """
    if not time_integrated_activity_MBq_h:
        raise BadInput("No activity is given: name nuclides and, for each, the organs that hold it.")
    total: dict[str, dict[Quality | str, float]] = {}
    for nuclide, organs in time_integrated_activity_MBq_h.items():
        held = {organ: activity for organ, activity in organs.items() if activity != 0.0}
        s = organ_s_values(nuclide, phantom, masses_g, sources=held, decay_data=decay_data)
        for target, dose in organ_dose(held, s).items():
            sums = total.setdefault(target, {})
            for quality, value in dose.items():
                sums[quality] = sums.get(quality, 0.0) + value
    return total
