"""Passage of a protein through a capillary wall with two kinds of pores."""

from __future__ import annotations

import math

from nichedose.body.ligand import Pores

__all__ = ["wall_passage"]

BOLTZMANN_J = 1.380649e-23 * 310.15
PA_PER_MMHG = 133.322


def wall_passage(pores: Pores, radius_nm: float) -> tuple[float, float]:
    """Clearances out of and back into plasma, both over the lymph flow of the tissue.

    Each kind of pore carries a solvent flow (the circular flow at no net filtration, plus its share of lymph) and
    diffusion in series with it: J (1 - s)(C_p - C_i e^-Pe)/(1 - e^-Pe), Pe = J (1 - s)/PS. Rippe & Haraldsson, Physiol
    Rev 1994;74:163; hindrance as for pores of vessels in `nichedose.transport.size`.
    """
    out = back = 0.0
    share = pores.large_conductance_share
    for pore, conductance, circular in (
        (pores.large_radius_nm, share, pores.isogravimetric_share),
        (pores.small_radius_nm, 1.0 - share, -pores.isogravimetric_share),
    ):
        ratio = radius_nm / pore
        if ratio >= 1.0:
            continue
        partition = (1.0 - ratio) ** 2
        drag = (1 - 2.105 * ratio + 2.0865 * ratio**3 - 1.7068 * ratio**5 + 0.72603 * ratio**6) / (
            1 - 0.75857 * ratio**5)
        # area over thickness from the pores' conductance: 8 eta L_p / r^2; eta cancels with Stokes-Einstein
        diffusion = (8.0 * BOLTZMANN_J * conductance * partition * max(drag, 0.0)
                     / (6.0 * math.pi * radius_nm * pore**2 * 1e-27 * pores.filtration_pressure_mmHg * PA_PER_MMHG))
        convection = (conductance + circular) * (1.0 - (1.0 - partition) ** 2)
        if abs(convection) < 1e-9 * diffusion or convection == 0.0:
            out, back = out + diffusion, back + diffusion
        elif diffusion < abs(convection) / 500.0:  # beyond, exp(Pe) leaves the range of floats
            out, back = out + max(convection, 0.0), back + max(-convection, 0.0)
        else:
            peclet = convection / diffusion
            out += -convection / math.expm1(-peclet)
            back += convection / math.expm1(peclet)
    return out, back
