"""What every back-end of the transport scheme must do: one body of tests, numba and JAX."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.transport import TissueTransport, TransportSolution, simulate, simulate_jax
from transport_cases import CASES, END_H, PEPTIDE, RAGGED, SMALL, USED, N, independent_rhs, section, total

Backend = Callable[..., TransportSolution]


@pytest.fixture(params=["numba", "jax"])
def backend(request: pytest.FixtureRequest) -> Backend:
    if request.param == "jax":
        pytest.importorskip("jax", reason="extra 'jax' is not installed")
    engine: Any = {"numba": simulate, "jax": simulate_jax}[request.param]
    return functools.partial(engine, end_h=END_H, decay_per_h=USED)


@functools.cache
def oracle(name: str) -> Array:
    """Label integrals (labels, voxels) by SciPy's BDF on the plain equations; its own error is below 1e-5."""
    ligand, plasma, exchange = CASES[name]
    tissue = section(N, seed=7, exchange=exchange, mask=RAGGED)
    voxels = int(RAGGED.sum())
    rhs, jacobian = independent_rhs(tissue, ligand, plasma, np.array(list(USED.values())))
    scale = 1e-6 * np.r_[np.ones(3 * voxels), np.full(2 * voxels, 10.0)]
    found = solve_ivp(rhs, (0.0, END_H), np.zeros(5 * voxels), method="BDF", jac=jacobian, rtol=1e-7, atol=scale)
    return np.asarray(found.y[3 * voxels :, -1].reshape(2, voxels))


@pytest.mark.parametrize("name", list(CASES))
def test_label_integrals_are_those_of_an_independent_solver(backend: Backend, name: str) -> None:
    ligand, plasma, exchange = CASES[name]
    solution = backend(section(N, seed=7, exchange=exchange, mask=RAGGED), ligand, plasma)
    for label, exact in zip(USED, oracle(name), strict=True):
        error = np.abs(total(solution, label)[RAGGED] - exact) / np.maximum(exact, 1e-3 * exact.mean())
        assert error.max() < 1e-3, label


@pytest.mark.parametrize("name", list(CASES))
def test_what_enters_is_accounted_for(backend: Backend, name: str) -> None:
    ligand, plasma, exchange = CASES[name]
    solution = backend(section(N, exchange=exchange, mask=RAGGED), ligand, plasma)
    assert solution.molecules is not None and solution.molecules.closure < 1e-8
    for ledger in solution.ledgers.values():
        assert ledger.closure < 1e-4  # the quadrature of a decaying label: part of the tolerance
    assert solution.free.min() >= 0.0 and solution.bound.min() >= 0.0 and solution.internalised.min() >= 0.0


def test_without_sites_it_is_one_compartment(backend: Backend) -> None:
    """eps dF/dt = k (C - F) in every voxel: the Laplace transform at the decay constant; 480 h leave less than 1e-9."""
    tissue = replace(section(N, mask=RAGGED), target_nmol_per_L=np.zeros((N, N)), exchange_per_h=np.full((N, N), 2.0))
    solution = backend(tissue, PEPTIDE, SMALL)
    for label, decay in USED.items():
        plasma = SMALL.integral_nmol_h_per_L(decay)
        exact = PEPTIDE.void_fraction * 2.0 * plasma / (PEPTIDE.void_fraction * decay + 2.0)
        np.testing.assert_allclose(total(solution, label)[RAGGED], exact, rtol=1e-4)
        assert not total(solution, label)[~RAGGED].any()


def test_a_turned_section_gives_turned_maps(backend: Backend) -> None:
    tissue = section(N, mask=RAGGED)
    fields = (RAGGED, tissue.target_nmol_per_L, tissue.exchange_per_h)
    turned = TissueTransport(tissue.grid, *(np.ascontiguousarray(f[::-1].T) for f in fields))
    one, other = (total(backend(t, PEPTIDE, SMALL), "177Lu") for t in (tissue, turned))
    np.testing.assert_allclose(one[::-1].T, other, rtol=1e-3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"void_fraction": 1.2}, "void_fraction"),
        ({"association_L_per_nmol_per_h": -0.1}, "association"),
        ({"diffusivity_um2_per_s": np.nan}, "diffusivity"),
    ],
)
def test_impossible_rates_are_refused(backend: Backend, change: dict[str, float], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        backend(section(N), replace(PEPTIDE, **change), SMALL)


def test_fields_that_hold_nan_and_tissue_without_vessels_are_refused(backend: Backend) -> None:
    tissue = section(N)
    with pytest.raises(BadInput, match="target_nmol_per_L"):
        backend(replace(tissue, target_nmol_per_L=np.full((N, N), np.nan)), PEPTIDE, SMALL)
    with pytest.raises(BadInput, match="no ligand can enter"):
        backend(replace(tissue, exchange_per_h=np.zeros((N, N))), PEPTIDE, SMALL)
