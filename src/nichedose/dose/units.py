"""Constants of dose in water-like tissue."""

from __future__ import annotations

__all__ = ["DECAYS_PER_MBQ_H", "DENSITY_G_PER_CM3", "GY_PER_MEV_PER_UM3", "UM3_PER_L"]

DENSITY_G_PER_CM3 = 1.0
J_PER_MEV = 1.602176634e-13  # exact, SI
DECAYS_PER_MBQ_H = 3.6e9
UM3_PER_L = 1e15
# 1 MeV in 1 um3 of density 1 g/cm3 = 1e-15 kg
GY_PER_MEV_PER_UM3 = J_PER_MEV / (DENSITY_G_PER_CM3 * 1e-15)
