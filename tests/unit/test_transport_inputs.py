"""Impossible input is refused with the name of what is wrong; sizes are told before the start."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nichedose.errors import BadInput, DidNotConverge, NotComputed
from nichedose.fields import radial_mesh, voxel_mesh
from nichedose.fields.grid import Grid
from nichedose.transport import (
    Batch,
    Binding,
    Given,
    Ligand,
    Site,
    estimate_cost,
    simulate_course,
)
from nichedose.transport._checkerboard import pack
from nichedose.transport._equations import coefficients
from nichedose.transport._march import March, Stages
from nichedose.transport._stuck import BELOW_ZERO
from nichedose.transport._tableau import STAGES
from nichedose.transport.cost import refuse_if_too_large
from transport_cases import PEPTIDE, SMALL, run, section


@pytest.mark.parametrize(
    "name",
    [
        "association_L_per_nmol_per_h",
        "dissociation_per_h",
        "internalisation_per_h",
        "release_per_h",
        "diffusivity_um2_per_s",
        "permeability_um_per_s",
    ],
)
@pytest.mark.parametrize("value", [-1e-3, np.nan, np.inf])
def test_rates_are_finite_and_not_negative(name: str, value: float) -> None:
    with pytest.raises(BadInput, match=name):
        run(section(4), replace(PEPTIDE, **{name: value}))


@pytest.mark.parametrize("void", [0.0, -0.1, 1.01, np.nan])
def test_void_fraction_is_a_share(void: float) -> None:
    with pytest.raises(BadInput, match="void_fraction"):
        run(section(4), replace(PEPTIDE, void_fraction=void))


@pytest.mark.parametrize("name", ["target_nmol_per_L", "exchange_per_h"])
def test_fields_are_finite_inside_and_free_outside_the_mask(name: str) -> None:
    tissue = section(5)
    field = getattr(tissue, name).copy()
    field[2, 3] = np.nan
    with pytest.raises(BadInput, match=rf"{name}.*\[2, 3\]"):
        run(replace(tissue, **{name: field}))
    mask = tissue.mask.copy()
    mask[2, 3] = False
    assert np.isfinite(run(replace(tissue, mask=mask, **{name: field})).free).all()
    with pytest.raises(BadInput, match=name):
        run(replace(tissue, **{name: -getattr(tissue, name)}))
    with pytest.raises(BadInput, match=rf"{name} has shape"):
        run(replace(tissue, **{name: field[:4]}))


def test_mask_must_fit_and_hold_tissue() -> None:
    tissue = section(5)
    for mask in (tissue.mask[:4], tissue.mask.astype(float)):
        with pytest.raises(BadInput, match="mask must be boolean"):
            run(replace(tissue, mask=mask))
    with pytest.raises(BadInput, match="mask is empty"):
        run(replace(tissue, mask=np.zeros((5, 5), bool)))


def test_no_vessels_anywhere_is_refused() -> None:
    tissue = section(5)
    with pytest.raises(BadInput, match="no ligand can enter"):
        run(replace(tissue, exchange_per_h=np.zeros((5, 5))))


@pytest.mark.parametrize("end_h", [0.0, -1.0, np.nan, np.inf])
def test_end_lies_after_the_start(end_h: float) -> None:
    with pytest.raises(BadInput, match="end_h"):
        run(section(4), end_h=end_h)


def test_labels_tolerance_and_basis() -> None:
    with pytest.raises(BadInput, match="177Lu"):
        run(section(4), decay_per_h={"177Lu": -0.1})
    for tolerance in (0.0, 1.0, np.nan):
        with pytest.raises(BadInput, match="tolerance"):
            run(section(4), tolerance=tolerance)
    with pytest.raises(BadInput, match="basis"):
        run(section(4), basis="blood")
    with pytest.raises(NotComputed, match="Did you mean '177Lu'"):
        run(section(4)).time_integral("178Lu")


def test_what_is_no_number_or_no_array_is_refused_by_name() -> None:
    tissue, sites = section(5), section(5).target_nmol_per_L
    for wrong in (sites.tolist(), sites.astype(str), sites + 0j):
        with pytest.raises(BadInput, match=r"target_nmol_per_L must be an array of real numbers; got"):
            run(replace(tissue, target_nmol_per_L=wrong))
    with pytest.raises(BadInput, match="mask must be boolean"):
        run(replace(tissue, mask=tissue.mask.tolist()))
    for wrong, words in (({"ligand": None}, "LigandKinetics"), ({"tissue": None}, "TissueTransport")):
        with pytest.raises(BadInput, match=words):
            run(**({"tissue": tissue, "ligand": PEPTIDE} | wrong))
    for rate in ("0.6", None, True, np.ones(3)):
        with pytest.raises(BadInput, match="dissociation_per_h must be finite"):
            run(tissue, replace(PEPTIDE, dissociation_per_h=rate))
    for options, words in (
        ({"end_h": "480"}, "end_h"), ({"tolerance": "1e-3"}, "tolerance"), ({"decay_per_h": ["177Lu"]}, "decay_per_h"),
        ({"decay_per_h": {"177Lu": "0.004"}}, "177Lu"), ({"plasma": (1.0, 2.0)}, "PlasmaCurve"),
        ({"decay_per_h": {"": 0.004}}, "needs a name"), ({"decay_per_h": {177: 0.004}}, "needs a name"),
        ({"end_h": True}, "end_h"),
    ):  # fmt: skip
        with pytest.raises(BadInput, match=words):
            run(tissue, PEPTIDE, **options)


def test_numbers_in_another_unit_are_refused() -> None:
    tissue = section(5)
    for name in ("target_nmol_per_L", "exchange_per_h"):
        with pytest.raises(BadInput, match=rf"{name} reaches .*Check its unit"):
            run(replace(tissue, **{name: 1e12 * getattr(tissue, name)}))
    with pytest.raises(BadInput, match=r"diffusivity_um2_per_s reaches .*Check its unit"):
        run(tissue, replace(PEPTIDE, diffusivity_um2_per_s=1e8))
    with pytest.raises(BadInput, match=r"Site 't': density_nmol_per_L reaches .*Check its unit"):
        simulate_course(MESH, [Site("t", 1e12)], [LIGAND], [Batch("1", "p", Given(SMALL))], end_h=24.0)


def test_the_memory_is_told_before_the_fields_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nichedose.transport.cost._physical_memory", lambda: 10_000)
    with pytest.raises(BadInput, match=r"5 x 5 voxels needs.*GiB.*Use a grid spacing of"):
        run(replace(section(5), target_nmol_per_L=np.full((5, 5), np.nan)))


MESH = voxel_mesh(np.ones((2, 3), bool), 20.0)
BINDING = Binding("t", 0.6, 0.6, 0.06)
LIGAND = Ligand("p", 100.0, 0.4, 2.0, 2.0, (BINDING,))
BATCH = Batch("1", "p", Given(SMALL))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"batches": [replace(BATCH, name="")]}, "A batch needs a name"),
        ({"batches": [replace(BATCH, name="t")]}, "A site and a batch share the name 't'"),
        ({"batches": [BATCH, replace(BATCH, name="1 on t")]}, "would be called '1 on t'"),
        ({"batches": [replace(BATCH, supply=SMALL)]}, r"give Given\(curve, start_h\)"),
        ({"batches": [replace(BATCH, supply=None)]}, "a Given or Sampled curve; got NoneType"),
        ({"batches": [replace(BATCH, decay_per_h={"": 0.1})]}, "label in decay_per_h needs a name"),
        ({"batches": [replace(BATCH, decay_per_h=["177Lu"])]}, "maps the name"),
        ({"batches": BATCH}, "batches is a list of Batch"),
        ({"ligands": [replace(LIGAND, bindings=BINDING)]}, "bindings is a tuple of Binding"),
        ({"ligands": [replace(LIGAND, bindings=(BINDING, BINDING))]}, "binds to 't' twice"),
        ({"ligands": [replace(LIGAND, bindings=(replace(BINDING, to="p"),))]}, "no site. Known: t"),
        ({"ligands": [replace(LIGAND, diffusivity_um2_per_s="100")]}, "real numbers; got '100'"),
        ({"ligands": [replace(LIGAND, release_per_h=None)]}, "release_per_h must be finite"),
        ({"mesh": np.ones((2, 3), bool)}, "as voxel_mesh makes one"),
        ({"flow": 3.0}, "what interstitial_flow gives"),
        ({"times_h": 6.0}, "times_h lists them; got 6.0"),
        ({"end_h": "24"}, "end after 0 h"),
        ({"end_h": True}, "end after 0 h"),
        ({"tolerance": None}, "tolerance"),
        ({"outside": "1"}, "concentration outside"),
    ],
)
def test_what_a_course_cannot_take_is_refused_by_name(changed: dict[str, Any], words: str) -> None:
    given = {"mesh": MESH, "sites": [Site("t", 50.0)], "ligands": [LIGAND], "batches": [BATCH], "end_h": 24.0}
    with pytest.raises(BadInput, match=words):
        simulate_course(**(given | changed))


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_progress_rises_and_may_end_the_run(error: type[BaseException]) -> None:
    seen: list[float] = []

    def stop(share: float) -> None:
        seen.append(share)
        if share > 1e-3:
            raise error

    with pytest.raises(error):
        run(section(5), progress=stop)
    assert seen == sorted(seen) and 1e-3 < seen[-1] < 1.0
    seen.clear()
    run(section(5), progress=seen.append)
    assert seen == sorted(seen) and seen[-1] == 1.0


def test_cost_grows_with_the_grid_and_is_refused_with_a_way_out() -> None:
    small, large = (estimate_cost(Grid((n, n), 10.0)) for n in (100, 1000))
    assert large[0] == pytest.approx(100 * small[0])
    assert large[1] == pytest.approx(100 * small[1])
    refuse_if_too_large(Grid((100, 100), 10.0), 4)
    with pytest.raises(BadInput, match="grid spacing of"):
        refuse_if_too_large(Grid((1000, 1000), 10.0), 4, available_bytes=2**30)
    refuse_if_too_large(Grid((1000, 1000), 10.0), 4, available_bytes=0)  # the system does not say


@pytest.mark.parametrize(("field", "value"), [("exchange_per_h", 1e160), ("target_nmol_per_L", 1e160)])
def test_a_stage_that_does_not_converge_says_where_and_why(
    field: str, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers beyond single precision in one voxel, of tissue that starts away from the grid's corner."""
    monkeypatch.setattr("nichedose.transport._inputs.MOST", np.inf)
    mask = np.ones((7, 7), bool)
    mask[0], mask[:, :2] = False, False
    tissue = section(7, mask=mask)
    getattr(tissue, field)[2, 4] = value
    said = r"stopped at 0 h of 480 h.*stage did not converge: its residual is .*, allowed 0.001, largest for free"
    with pytest.raises(DidNotConverge, match=said + r" ligand of cell \[2, 4\] \(at 40, 80 um\)"):
        run(tissue)


@pytest.mark.parametrize(
    ("allowed", "said"),
    [
        ("STATE_PER_TOLERANCE", r"the state stayed .*, largest for (free and bound|bound|internalised) ligand of cell"),
        ("SOURCE_PER_TOLERANCE", r"the area under the plasma curve stayed .*converged\)\. The fastest"),
    ],
)
def test_a_step_that_stays_wrong_says_where_and_why(allowed: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps that nothing could satisfy: the place is that of the largest error, of the species that has it."""
    mask = np.ones((7, 7), bool)
    mask[0], mask[:, :2] = False, False
    for module in ("_march", "_network_march"):
        monkeypatch.setattr(f"nichedose.transport.{module}.{allowed}", 1e-300)
    tissue = section(7, mask=mask)
    with pytest.raises(DidNotConverge, match=said):
        run(tissue)
    shells = radial_mesh(np.linspace(0.0, 100.0, 11))
    ligand = Ligand("p", 100.0, 0.4, 2.0, 2.0, (BINDING,))
    with pytest.raises(DidNotConverge, match=said.replace("(free and bound|bound|internalised) ligand", ".*")):
        simulate_course(shells, [Site("t", 50.0, 0.1)], [ligand], [BATCH], end_h=24.0)
    with pytest.raises(DidNotConverge, match=said):  # a stack takes the lattice
        simulate_course(voxel_mesh(np.ones((3, 3, 3), bool), 20.0), [Site("t", 50.0)], [ligand], [BATCH], end_h=24.0)


def test_the_largest_error_of_a_step_is_found_where_it_is() -> None:
    """One voxel of a tried step made wrong on purpose."""
    mask = np.ones((7, 7), bool)
    mask[0], mask[:, :2] = False, False
    one = np.zeros((6, 5))
    one[2, 3] = 1.0  # of the tissue's own box
    at, levels = pack(one) > 0.0, np.full(STAGES, 10.0)
    where = r" ligand of cell [3, 5] (at 60, 100 um)"

    def tried() -> Stages:
        stages = Stages(coefficients(section(7, mask=mask), PEPTIDE, "void"))
        assert stages.take(0.01, levels, 1e-6, False, March())
        return stages

    below, wrong = tried(), tried()
    below.free[-1][at] = -1.0
    assert below.where(BELOW_ZERO, 0.01, levels) == "free" + where
    wrong.slopes[2][at] += 1e6
    assert wrong.where("the state", 0.01, levels) == "bound" + where
    wrong = tried()
    wrong.free[3][at] += 1e6
    assert wrong.where("the state", 0.01, levels) == "free and bound" + where
    assert not wrong.where("the balance of a label", 0.01, levels)


def test_a_course_that_does_not_converge_names_the_species_and_the_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turnover takes the general path; a stack takes the lattice."""
    monkeypatch.setattr("nichedose.transport._inputs.MOST", np.inf)
    shells, stack = radial_mesh(np.linspace(0.0, 100.0, 11)), voxel_mesh(np.ones((4, 4, 4), bool), 20.0)
    enter, density = np.full(10, 2.0), np.full((4, 4, 4), 50.0)
    enter[5], density[1, 2, 3] = 1e300, 1e160
    bindings, batches = (Binding("target", 0.6, 0.6, 0.06),), [Batch("first", "peptide", Given(SMALL))]
    said = r"allowed 0.0001, largest for free ligand 'peptide' of batch 'first' of cell \[5\] \(at 55 um\)"
    with pytest.raises(DidNotConverge, match=said):
        simulate_course(shells, [Site("target", 50.0, 0.1)], [Ligand("peptide", 100.0, 0.4, enter, enter, bindings)],
                        batches, end_h=48.0)
    with pytest.raises(DidNotConverge, match=r"free ligand of cell \[1, 2, 3\] \(at 30, 50, 70 um\)"):
        simulate_course(stack, [Site("target", density)], [Ligand("peptide", 100.0, 0.4, 2.0, 2.0, bindings)],
                        batches, end_h=48.0)
