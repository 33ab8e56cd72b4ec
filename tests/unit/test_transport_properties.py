"""Size law and vessel exchange."""

from __future__ import annotations

import numpy as np
import pytest

from nichedose.errors import BadInput, OutOfValidity
from nichedose.transport import exchange_rate, ligand_from_size

# molar mass kDa, radius nm, P cm/s, void fraction, D cm2/s: the size law worked out by hand from the public
# implementation of Schmidt & Wittrup 2009, rounded there to the digits given.
TABLE = [
    (1.04, 0.92, 2.3e-5, 0.44, 3.3e-6),
    (1.44, 1.03, 1.85e-5, 0.44, 2.9e-6),
    (1.64, 1.08, 1.67e-5, 0.43, 2.8e-6),
    (7.0, 1.74, 4.5e-6, 0.39, 1.7e-6),
    (15.0, 2.25, 1.9e-6, 0.37, 1.3e-6),
    (25.0, 2.66, 1.0e-6, 0.34, 1.1e-6),
    (50.0, 3.36, 5.9e-7, 0.31, 8.9e-7),
    (150.0, 4.84, 3.9e-7, 0.24, 6.2e-7),
]


@pytest.mark.parametrize(("mass", "radius", "permeability", "void", "diffusivity"), TABLE)
def test_size_law_table(mass: float, radius: float, permeability: float, void: float, diffusivity: float) -> None:
    size = ligand_from_size(mass)
    assert size.hydrodynamic_radius_nm == pytest.approx(radius, abs=0.006)
    assert size.permeability_um_per_s == pytest.approx(permeability * 1e4, rel=0.05)  # two digits
    assert size.void_fraction == pytest.approx(void, abs=0.006)
    assert size.diffusivity_um2_per_s == pytest.approx(diffusivity * 1e8, rel=0.03)


def test_larger_is_slower_without_jumps() -> None:
    """The centre-line series, the table and the closed pore join: no step above 3 % between masses 1 % apart."""
    masses = np.geomspace(0.5, 1e5, 1230)
    sizes = [ligand_from_size(float(m)) for m in masses]
    for name in ("permeability_um_per_s", "diffusivity_um2_per_s", "void_fraction"):
        values = np.array([getattr(s, name) for s in sizes])
        assert np.all(np.diff(values) < 0.0)
        assert np.all(values[1:] / values[:-1] > 0.96)


def test_size_law_bounds() -> None:
    for mass in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(BadInput, match="molar mass"):
            ligand_from_size(mass)
    with pytest.raises(OutOfValidity, match="too large for pores"):
        ligand_from_size(1e9)


def test_exchange_limits() -> None:
    surface, flow = np.array([100.0, 1.0, 1e4, 0.0]), np.array([12.0, 12.0, 12.0, 12.0])
    rate = exchange_rate(surface, 0.2, flow)
    permeated = 0.36 * 0.2 * surface  # 1 um/s x 1/cm = 1e-4 /s = 0.36 /h
    assert np.allclose(rate, flow * (1 - np.exp(-permeated / flow)), rtol=1e-14)
    assert rate[1] == pytest.approx(permeated[1], rel=0.01)  # permeability limits
    assert rate[2] == pytest.approx(12.0, rel=1e-12)  # flow limits
    assert rate[3] == 0.0
    assert np.all(rate <= np.minimum(permeated, flow))


def test_exchange_without_flow_and_without_limit() -> None:
    surface = np.full((2, 3), 50.0)
    assert not exchange_rate(surface, 0.2, np.zeros((2, 3))).any()
    assert np.allclose(exchange_rate(surface, 0.2, np.array(np.inf)), 3.6)
    tiny = exchange_rate(surface, 1e-12, np.full((2, 3), 10.0))
    assert np.allclose(tiny, 0.36e-12 * 50.0, rtol=1e-12)  # no cancellation


@pytest.mark.parametrize(
    ("surface", "permeability", "flow"), [(-1.0, 0.1, 1.0), (np.nan, 0.1, 1.0), (1.0, -0.1, 1.0), (1.0, 0.1, np.nan)]
)
def test_exchange_refuses_impossible_input(surface: float, permeability: float, flow: float) -> None:
    with pytest.raises(BadInput):
        exchange_rate(np.array([surface]), permeability, np.array([flow]))
