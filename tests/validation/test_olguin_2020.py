"""225Ac, parent only, in spheres of soft tissue, against the Monte Carlo of Olguin et al. (2020).

Values (Gy per decay) and masses as tabulated in the 225Ac notebook of qurit/PyCNO. 1 %: three digits, and a density
that changes the alphas' range, 50 um, but not the dose to spheres above 2 mm by more than 0.1 %.
"""

from __future__ import annotations

import numpy as np
import pytest

from nichedose.dose import cell_s_values, energy_MeV_per_decay, sphere_s_value


@pytest.mark.parametrize(("mass_g", "gy_per_decay"), [(4.3145e-3, 2.17e-7), (932.0, 1.02e-12)])
def test_sphere(mass_g: float, gy_per_decay: float) -> None:
    diameter_um = (6.0 * mass_g / np.pi) ** (1.0 / 3.0) * 1e4
    assert sphere_s_value("225Ac", diameter_um) == pytest.approx(gy_per_decay, rel=0.01)


def test_the_chain_gives_five_times_the_parent() -> None:
    """In a sphere much larger than the range the ratio is that of the energies (1 %: daughters' electrons leave)."""
    ratio = sphere_s_value("225Ac", 2e4, "equilibrium") / sphere_s_value("225Ac", 2e4)
    whole, parent = energy_MeV_per_decay("225Ac", "equilibrium"), energy_MeV_per_decay("225Ac")
    charged = [sum(e.values()) - e["photon"] for e in (whole, parent)]
    assert ratio == pytest.approx(charged[0] / charged[1], rel=0.01)
    cells = cell_s_values("225Ac", 7.0, 5.0, "equilibrium")["nucleus", "surface"]
    assert cells > 3.0 * cell_s_values("225Ac", 7.0, 5.0)["nucleus", "surface"]
