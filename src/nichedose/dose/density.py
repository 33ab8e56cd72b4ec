"""Where water of another density stands for a tissue (docs/theory/photons.md)."""

from __future__ import annotations

from typing import Any

from nichedose.dose.kernels import Daughters, QualityChoice, emitted_qualities, energy_MeV_per_decay
from nichedose.dose.numbers import one_number
from nichedose.errors import OutOfValidity
from nichedose.nuclide import Source

__all__ = ["checked_density"]

_LOWEST, _HIGHEST = 0.1, 2.0
_BONE_G_PER_ML = 1.2
_FEW_PHOTONS = 0.01  # of the energy: too few to matter, whatever bone does to them


def checked_density(
    density_g_per_mL: Any, nuclide: str, daughters: Daughters, quality: QualityChoice, decay_data: Source | None
) -> float:
    """The density, or `OutOfValidity` where scaled water does not hold for these emissions."""
    density = one_number("density_g_per_mL", density_g_per_mL, "g/mL")
    if not _LOWEST <= density <= _HIGHEST:
        raise OutOfValidity(
            f"density_g_per_mL = {density:g}; scaling water holds from {_LOWEST} to {_HIGHEST:g} g/mL.")
    if density <= _BONE_G_PER_ML:
        return density
    emitted = energy_MeV_per_decay(nuclide, daughters, decay_data=decay_data)
    energy = {q: emitted[q] for q in emitted_qualities(nuclide, daughters, quality, decay_data=decay_data)}
    if energy.get("photon", 0.0) > _FEW_PHOTONS * sum(energy.values()):
        raise OutOfValidity(
            f"density_g_per_mL = {density:g}: above {_BONE_G_PER_ML} g/mL tissue is bone, which absorbs photons below "
            "0.15 MeV several times better than dense water. Ask for charged particles alone: quality=CHARGED, or "
            "--quality alpha,recoil,beta,conversion,auger.")
    return density
