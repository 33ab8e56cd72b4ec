"""The library's medians together give lesion doses near the published ones, in a well-mixed lesion."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from nichedose.library import load_library
from nichedose.nuclide import half_life_h
from nichedose.transport import exchange_rate, ligand_from_size

LIBRARY = load_library()
MEV_PER_DECAY = {"177Lu": 0.148, "90Y": 0.933}  # electrons, ICRP 107
GY_PER_MEV = 1.602e-13 * 3.6e9 * 1e3  # J/MeV x decays per MBq.h x MBq per GBq, for 1 kg per L of tissue


def lesion_Gy_per_GBq(name: str) -> float:
    agent = LIBRARY.agents[name]
    form, tissue = LIBRARY.forms[agent.form], LIBRARY.tissue
    size = ligand_from_size(form.molar_mass_kDa.central)
    exchange = float(exchange_rate(
        np.array(tissue.vessel_surface_per_cm.central),
        size.permeability_um_per_s * tissue.permeability_factor.central,
        np.array(60.0 * tissue.perfusion_mL_per_min_per_mL.central)))
    void = size.void_fraction * tissue.void_fraction_factor.central
    on = form.association_rate_L_per_nmol_per_h.central
    off = on * form.dissociation_constant_nmol_per_L.central
    internalise, release = form.internalisation_per_h.central, form.release_per_h.central
    sites = LIBRARY.targets[form.target].mean_density_nmol_per_L.central
    injected = form.injected_nmol.central
    amplitude = injected * form.plasma_free_fraction.central * np.array([v.central for v in form.plasma.fraction_per_L])
    rate = math.log(2) / np.array([v.central for v in form.plasma.half_life_h])
    decay = math.log(2) / half_life_h(agent.radionuclide)

    def slope(t: float, y: np.ndarray) -> list[float]:
        free, bound, inside, _ = y
        plasma = float((amplitude * np.exp(-rate * t)).sum())
        binding = on * free * (sites - bound) - off * bound
        held = void * free + bound + inside
        return [(exchange * (plasma - free) - binding) / void, binding - internalise * bound,
                internalise * bound - release * inside, held * math.exp(-decay * t)]

    end = 10 * math.log(2) / decay
    solution = solve_ivp(slope, [0.0, end], [0.0] * 4, method="LSODA", rtol=1e-6, atol=1e-9)
    assert solution.success
    return float(solution.y[3, -1]) / injected * MEV_PER_DECAY[agent.radionuclide] * GY_PER_MEV


@pytest.mark.parametrize(("name", "published_Gy_per_GBq"), [
    ("177Lu-PSMA-617", 3.25),  # +- 3.19, Peters 2022, n = 10
    ("177Lu-DOTATATE", 3.41),  # +- 0.68, Clin Nucl Med 2013, n = 61
    ("177Lu-FAP-2286", 3.0),   # +- 2.7, bone metastases, 10.2967/jnumed.120.259192
    ("90Y-FAPI-46", 1.28),     # median, 10.2967/jnumed.121.262468
    ("177Lu-FAPI-46", 0.44),   # 177Lu-FAPI-04: 0.33-0.62 by site, 10.1097/RLU.0000000000003667
])
def test_lesion_dose_is_near_the_published_mean(name: str, published_Gy_per_GBq: float) -> None:
    """Within a factor of four: lesions differ tenfold among patients, and the published ones were chosen for uptake."""
    ratio = lesion_Gy_per_GBq(name) / published_Gy_per_GBq
    assert 0.25 < ratio < 4.0, f"{name}: {ratio:.2f} of the published lesion dose"
