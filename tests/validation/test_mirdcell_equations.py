"""How far straight-line electrons are off: the equations that MIRDcell uses, written down here on their own.

Energy and range of electrons by Cole (1969), E(keV) = 5.9 (R + 0.007)^0.565 + 0.00413 R^1.33 - 0.367 with R in um, the
path straight, the geometric factors of spheres and surfaces in closed form. Reference values: the classes of MIRDcell
V3 run with the ICRP-107 spectra at a cell radius of 5 um and a nucleus of 4 um. Spheres: Hindie et al. 2016 (CELLDOSE),
as tabulated in qurit/PyCNO. The engine of this package lets electrons scatter.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nichedose.dose import CHARGED, cell_s_values, sphere_s_value
from nichedose.fields.grid import Array
from nichedose.nuclide import beta_bins, emissions

_PATH = np.concatenate([[0.0], np.geomspace(1e-4, 5e4, 20001)])
_ENERGY = np.maximum.accumulate(np.maximum(5.9 * (_PATH + 0.007) ** 0.565 + 0.00413 * _PATH**1.33 - 0.367, 0.0))
_MIRDCELL = {  # Gy per decay: C<-C, C<-CS, N<-N, N<-Cy, N<-CS
    "177Lu": (1.033e-3, 6.360e-4, 1.732e-3, 5.690e-4, 3.852e-4),
    "90Y": (2.450e-4, 1.629e-4, 3.841e-4, 1.713e-4, 1.281e-4),
    "131I": (6.622e-4, 4.233e-4, 1.076e-3, 4.058e-4, 2.946e-4),
}


def _volume(r: float) -> float:
    return 4.0 / 3.0 * np.pi * r**3


def _within(r: float) -> Callable[[Array], Array]:
    return lambda x: np.asarray(np.where(x < 2.0 * r, 1.0 - 0.75 * x / r + x**3 / (16.0 * r**3), 0.0))


def _from_surface(cell: float, r: float) -> Callable[[Array], Array]:
    def share(x: Array) -> Array:
        value = (2.0 * x * cell - cell**2 - x * x + r * r) / (4.0 * x * cell)
        return np.asarray(np.where((x > cell - r) & (x < cell + r), value, 0.0))
    return share


def _from_cytoplasm(cell: float, r: float) -> Callable[[Array], Array]:
    def share(x: Array) -> Array:
        lens = np.pi * (cell + r - x) ** 2 * (x * x + 2.0 * x * (cell + r) - 3.0 * (cell - r) ** 2) / (12.0 * x)
        both = np.where(x <= cell - r, _volume(r), np.where(x < cell + r, lens, 0.0))
        return np.asarray((both - _volume(r) * _within(r)(x)) / (_volume(cell) - _volume(r)))
    return share


def straight_line_s_value(nuclide: str, share: Callable[[Array], Array], reach: float, volume: float) -> float:
    """Gy per decay to a water volume (um3): energy lost between path lengths, by the chance of being inside."""
    path = np.linspace(0.0, reach, 1001)
    inside = share(0.5 * (path[1:] + path[:-1]))
    lines = emissions(nuclide).lines
    total = 0.0
    for x in (beta_bins(nuclide), lines["conversion"], lines["auger"]):
        ranges = np.interp(1e3 * x.energy_MeV, _ENERGY, _PATH)[:, None]
        left = np.where(ranges > path, np.interp(ranges - path, _PATH, _ENERGY), 0.0)
        left[:, 0] = 1e3 * x.energy_MeV
        total += float(x.per_decay @ (-np.diff(left, axis=1) @ inside))
    return total * 1e-3 / volume * 160.2176634


@pytest.mark.parametrize("nuclide", ["177Lu", "90Y", "131I"])
def test_equations_and_the_bias_of_straight_lines(nuclide: str) -> None:
    """The equations give MIRDcell's values within 2 % (0.6 % found). Against ours they are 3 to 5 % low for 177Lu and 3
    to 6 % for 131I, whose electrons scatter within a cell, and 3 to 4 % high for 90Y: close to the source of fast
    electrons the kernel lies below the stopping power, since secondaries carry energy outwards (0.165 keV/um at the
    source of 1 MeV, 0.174 at 200 um). A cell is far smaller than the kernel's first shell there."""
    cell, nucleus = 5.0, 4.0
    equations = np.array([
        straight_line_s_value(nuclide, _within(cell), 2.0 * cell, _volume(cell)),
        straight_line_s_value(nuclide, _from_surface(cell, cell), 2.0 * cell, _volume(cell)),
        straight_line_s_value(nuclide, _within(nucleus), 2.0 * nucleus, _volume(nucleus)),
        straight_line_s_value(nuclide, _from_cytoplasm(cell, nucleus), cell + nucleus, _volume(nucleus)),
        straight_line_s_value(nuclide, _from_surface(cell, nucleus), cell + nucleus, _volume(nucleus)),
    ])
    np.testing.assert_allclose(equations, _MIRDCELL[nuclide], rtol=0.02)
    s = cell_s_values(nuclide, cell, nucleus, quality=CHARGED)
    ours = np.array([s["cell", "cell"], s["cell", "surface"], s["nucleus", "nucleus"], s["nucleus", "cytoplasm"],
                     s["nucleus", "surface"]])
    bias = equations / ours - 1.0
    low, high = {"177Lu": (-0.06, -0.03), "90Y": (0.02, 0.045), "131I": (-0.075, -0.025)}[nuclide]
    assert low < bias.min() and bias.max() < high


@pytest.mark.parametrize(("diameter_um", "hindie_Gy", "bias"), [
    (10, 1.11e-3, -0.07), (20, 2.33e-4, -0.08), (50, 3.18e-5, -0.11), (100, 6.93e-6, -0.11), (200, 1.48e-6, -0.12),
    (500, 1.69e-7, -0.09), (1000, 2.94e-8, -0.07), (2000, 4.54e-9, -0.03), (5000, 3.29e-10, 0.0),
    (10000, 4.30e-11, 0.0)])
def test_bias_over_sizes(diameter_um: float, hindie_Gy: float, bias: float) -> None:
    """177Lu spheres: straight lines are most wrong where the range is near the radius (12 % at 200 um), and right where
    everything stays (5 mm); this engine is within 3 % throughout."""
    r = 0.5 * diameter_um
    straight = straight_line_s_value("177Lu", _within(r), 2.0 * r, _volume(r))
    assert straight / hindie_Gy - 1.0 == pytest.approx(bias, abs=0.012)
    assert sphere_s_value("177Lu", float(diameter_um)) == pytest.approx(hindie_Gy, rel=0.03)
