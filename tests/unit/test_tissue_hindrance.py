"""Dense matrix hinders diffusion: the field, its faces in the solver, and a partner that takes matrix away."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tissue_cases import fixed, tissue_parameters

from nichedose.errors import BadInput
from nichedose.fields import voxel_mesh
from nichedose.library import load_library
from nichedose.library.schema import LabelledForm
from nichedose.study.hindrance import diffusivity_factor
from nichedose.transport import Batch, Binding, Given, Ligand, LigandKinetics, Site, simulate_course
from nichedose.values import Draw
from transport_cases import ANTIBODY, LABELS, PEPTIDE, SLOW, run, section, total

PARAMETERS = tissue_parameters(matrix_fibre_fraction=fixed(0.03), matrix_fibre_radius_nm=fixed(8.0))
MATRIX = np.linspace(0.0, 1.0, 24).reshape(4, 6)
MASK = np.ones(MATRIX.shape, bool)


def form_of(mass_kDa: float) -> LabelledForm:
    some = next(iter(load_library().forms.values()))
    return some.model_copy(update={"molar_mass_kDa": fixed(mass_kDa)})


def factor_of(mass_kDa: float, matrix: np.ndarray = MATRIX) -> np.ndarray:
    return diffusivity_factor(matrix, MATRIX, MASK, form_of(mass_kDa), PARAMETERS, Draw())


def test_the_mean_before_partners_is_the_library_value() -> None:
    for mass in (1.0, 150.0):
        assert factor_of(mass).mean() == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(
        diffusivity_factor(0.4 + 0.0 * MATRIX, 0.4 + 0.0 * MATRIX, MASK, form_of(150.0), PARAMETERS, Draw()), 1.0)


def test_dense_matrix_slows_large_molecules_more() -> None:
    small, large = factor_of(1.0).ravel(), factor_of(150.0).ravel()
    assert (np.diff(small) < 0.0).all() and (np.diff(large) < 0.0).all()
    assert large[-1] / large[0] < small[-1] / small[0]
    # exp(-sqrt(0.03) (r + 8)/8) with r = 0.912 M^0.333
    radius = 0.912 * 150.0**0.333
    assert large[-1] / large[0] == pytest.approx(np.exp(-np.sqrt(0.03) * (radius + 8.0) / 8.0), rel=1e-6)


def test_less_matrix_is_faster_than_before() -> None:
    assert (factor_of(150.0, 0.5 * MATRIX)[MATRIX > 0.0] > factor_of(150.0)[MATRIX > 0.0]).all()


@pytest.mark.parametrize("ligand", [PEPTIDE, ANTIBODY])
def test_an_even_factor_is_another_diffusivity(ligand: LigandKinetics, monkeypatch: pytest.MonkeyPatch) -> None:
    # stages solved to the end: a field and a number take different sums, in single precision inside (2e-9 as run)
    monkeypatch.setattr("nichedose.transport._march.NEWTON_PER_TOLERANCE", 1e-8)
    tissue = section(16)
    slowed = dataclasses.replace(tissue, diffusivity_factor=np.full(tissue.mask.shape, 0.5))
    a = run(slowed, ligand, SLOW)
    b = run(tissue, dataclasses.replace(ligand, diffusivity_um2_per_s=0.5 * ligand.diffusivity_um2_per_s), SLOW)
    np.testing.assert_allclose(total(a, "177Lu"), total(b, "177Lu"), rtol=1e-12)


def test_a_patchy_factor_is_the_same_in_the_other_engine() -> None:
    mask = np.hypot(*(np.indices((17, 17)) - 8.0)) < 8.2
    factor = np.random.default_rng(4).lognormal(0.0, 0.8, mask.shape)
    tissue = dataclasses.replace(section(17, exchange=0.07, mask=mask), diffusivity_factor=factor)
    k, rate = ANTIBODY, tissue.exchange_per_h
    binding = Binding("target", k.association_L_per_nmol_per_h, k.dissociation_per_h, k.internalisation_per_h)
    ligand = Ligand("one", k.diffusivity_um2_per_s * factor, k.void_fraction, rate, rate, (binding,),
                    release_per_h=k.release_per_h)
    course = simulate_course(
        voxel_mesh(mask, 20.0), [Site("target", tissue.target_nmol_per_L)], [ligand],
        [Batch("b", "one", Given(SLOW), LABELS)], end_h=480.0)
    ours, plain = (total(run(t, k, SLOW), "177Lu")[mask] for t in (
        tissue, dataclasses.replace(tissue, diffusivity_factor=None)))
    reference = course.time_integral("b", "177Lu")[mask]
    assert np.abs(ours / reference - 1.0).max() < 1e-3  # both solve to 1e-3
    assert np.abs(plain / reference - 1.0).max() > 0.02  # the factor matters here


def test_label_is_conserved_and_a_barrier_keeps_it_out() -> None:
    tissue = section(20)
    exchange = np.zeros_like(tissue.exchange_per_h)
    exchange[:, :6] = 2.0
    factor = np.ones_like(exchange)
    factor[:, 8:11] = 0.01
    free = dataclasses.replace(tissue, exchange_per_h=exchange)
    behind = dataclasses.replace(free, diffusivity_factor=factor)
    found = {name: run(t, ANTIBODY, SLOW) for name, t in (("free", free), ("behind", behind))}
    for solution in found.values():
        ledger = solution.ledgers["177Lu"]
        assert ledger.decayed + ledger.washed_out + ledger.left == pytest.approx(ledger.entered, rel=1e-3)
    reached = {name: total(s, "177Lu")[:, 12:].mean() for name, s in found.items()}
    assert reached["behind"] < 0.5 * reached["free"]


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf])
def test_wrong_factors_are_refused(wrong: float) -> None:
    tissue = section(6)
    factor = np.ones(tissue.mask.shape)
    factor[2, 3] = wrong
    with pytest.raises(BadInput, match="diffusivity_factor must be"):
        run(dataclasses.replace(tissue, diffusivity_factor=factor))
    with pytest.raises(BadInput, match=r"diffusivity_factor has shape \(2, 2\)"):
        run(dataclasses.replace(tissue, diffusivity_factor=np.ones((2, 2))))
