"""Organ S values: energy, reciprocity, scaling, marrow, contents and walls, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from nichedose.dose import (
    energy_MeV_per_decay,
    marrow_activity_from_blood,
    marrow_activity_from_image,
    organ_dose,
    organ_masses_g,
    organ_names,
    organ_s_values,
)
from nichedose.dose.kernels import radial_kernel
from nichedose.dose.marrow import marrow_fraction
from nichedose.dose.organ_rays import pair_fractions, path_table, ray_shares
from nichedose.dose.organ_table import ENERGIES_MEV, load_fractions
from nichedose.dose.phantom import VoxelPhantom, voxelise
from nichedose.dose.photons import fold_photons
from nichedose.dose.units import J_PER_MEV
from nichedose.errors import BadInput
from nichedose.library.phantoms import PHANTOMS, load_phantom

GY_PER_MEV_PER_G = J_PER_MEV * 1e3


def box(side: int = 40) -> VoxelPhantom:
    """Two halves of a cube of water, 1 cm voxels."""
    labels = np.zeros((side, side, side), dtype=np.uint8)
    labels[: side // 2] = 1
    return VoxelPhantom(labels, 1.0, np.zeros(3), ("upper", "lower"), np.array([1.0, 1.0]))


# ---- rays and pairs


def test_absorbed_and_escaped_energy_sum_to_what_is_emitted() -> None:
    for name in PHANTOMS:
        phantom = voxelise(name, 8.0)
        for source in ("kidneys", "lungs", "rest of body"):
            found = ray_shares(phantom, source, path_table(ENERGIES_MEV), 400, 1)
            assert found.share.sum(axis=1) + found.escaped == pytest.approx(1.0, abs=1e-12)


def test_a_ray_in_a_large_body_leaves_what_the_kernel_says() -> None:
    labels = np.zeros((201, 3, 3), dtype=np.uint8)
    labels[100, 1, 1] = 1
    phantom = VoxelPhantom(labels, 0.01, np.zeros(3), ("around", "middle"), np.array([1.0, 1.0]))
    # nearly a point; rays leave after 0.01 to 1 cm, so compare with the mean over the lengths that occur
    found = ray_shares(phantom, "middle", path_table((0.02,)), 4000, 3)
    nearest = fold_photons(np.array([0.02]), np.array([50.0]), np.array([50.0]))[0]
    assert nearest < float(found.share.sum()) < 1.0


def test_density_stretches_the_path() -> None:
    """Twice the density in half the space takes the same share."""
    table = path_table((0.1,))
    wide, narrow = box(), box()
    dense = VoxelPhantom(narrow.labels, 0.5, narrow.corner_cm, narrow.names, np.array([2.0, 2.0]))
    a, b = (ray_shares(p, "upper", table, 2000, 5).share for p in (wide, dense))
    assert a == pytest.approx(b, rel=1e-12)


def test_both_estimates_and_both_directions_agree() -> None:
    """Rays one way, rays the other way and random pairs: within 4 standard errors at every energy from 50 keV."""
    phantom, table = voxelise("adult_male", 4.0), path_table((0.05, 0.2, 1.0))
    mass = phantom.masses_g
    liver, kidneys = (phantom.names.index(n) for n in ("liver", "kidneys"))
    there, back = (ray_shares(phantom, name, table, 20000, 7) for name in ("liver", "kidneys"))
    joined, error = pair_fractions(phantom, "liver", "kidneys", table, 20000, 7)
    for value, own in ((there.share[:, kidneys] / mass["kidneys"], there.error[:, kidneys] / mass["kidneys"]),
                       (back.share[:, liver] / mass["liver"], back.error[:, liver] / mass["liver"])):
        assert bool(np.all(np.abs(value - joined) < 4.0 * np.hypot(own, error)))


def test_pairs_do_not_care_for_order() -> None:
    phantom, table = voxelise("adult_male", 8.0), path_table((0.2,))
    one = pair_fractions(phantom, "liver", "spleen", table, 400, 1)[0]
    assert one == pytest.approx(pair_fractions(phantom, "spleen", "liver", table, 400, 1)[0], rel=1e-12)


@pytest.mark.parametrize("name", PHANTOMS)
def test_the_shipped_table_conserves_energy(name: str) -> None:
    """2 %: averaging with rays from the other side trades exact sums for smaller errors of small organs."""
    table = load_fractions(name)
    for source in table.mass_g:
        absorbed = sum(values * table.mass_g[b if a == source else a]
                       for (a, b), values in table.per_g.items() if source in (a, b))
        assert absorbed + table.escaped[source] == pytest.approx(1.0, abs=0.02), source


def test_the_shipped_table_is_what_the_tool_makes() -> None:
    """The tool's own first rows anew: the rays from two organs, to the digits that are kept."""
    phantom, table = voxelise("adult_male", 2.0), load_fractions("adult_male")
    assert table.mass_g == pytest.approx(phantom.masses_g, rel=1e-3)
    brain = ray_shares(phantom, "brain", path_table(ENERGIES_MEV), 60000, 1)
    assert table.per_g["brain", "brain"] == pytest.approx(
        brain.share[:, 0] / phantom.masses_g["brain"], rel=1e-3, abs=1e-12)
    assert table.escaped["brain"] == pytest.approx(brain.escaped, rel=1e-3, abs=1e-9)


# ---- S values


@pytest.mark.parametrize("phantom", PHANTOMS)
def test_self_dose_is_energy_over_mass_less_what_leaves(phantom: str) -> None:
    s = organ_s_values("177Lu", phantom, sources=["liver"], targets=["liver"])["liver", "liver"]
    mass = organ_masses_g(phantom)["liver"]
    for quality in ("beta", "conversion", "auger"):
        whole = energy_MeV_per_decay("177Lu")[quality] / mass * GY_PER_MEV_PER_G
        assert 0.98 * whole < s[quality] <= whole


def test_small_organs_lose_more() -> None:
    energy = energy_MeV_per_decay("90Y")["beta"] * GY_PER_MEV_PER_G
    organs = ["kidneys", "lacrimal glands"]
    s = organ_s_values("90Y", sources=organs, targets=organs)
    kept = {organ: s[organ, organ]["beta"] * organ_masses_g()[organ] / energy for organ in organs}
    assert kept["lacrimal glands"] < 0.7 < 0.9 < kept["kidneys"] < 1.0


def test_mass_scaling() -> None:
    light, heavy = (organ_s_values("177Lu", masses_g={"kidneys": m}, targets=["kidneys"], sources=["kidneys", "liver"])
                    for m in (200.0, 400.0))
    assert light["kidneys", "kidneys"]["beta"] == pytest.approx(2.0 * heavy["kidneys", "kidneys"]["beta"], rel=5e-3)
    assert light["kidneys", "kidneys"]["photon"] == pytest.approx(
        2.0 ** (2.0 / 3.0) * heavy["kidneys", "kidneys"]["photon"], rel=1e-9)
    assert light["kidneys", "liver"] == heavy["kidneys", "liver"]


def test_photons_go_both_ways_alike() -> None:
    s = organ_s_values("131I", targets=["kidneys", "marrow", "spleen"], sources=["kidneys", "marrow", "spleen"])
    for a, b in (("kidneys", "spleen"), ("kidneys", "marrow")):
        assert s[a, b]["photon"] == pytest.approx(s[b, a]["photon"], rel=1e-9)


def test_contents_give_their_wall_half_and_no_alphas() -> None:
    s = organ_s_values("212Pb", daughters="equilibrium", targets=["bladder wall"], sources=["bladder contents"])
    value = s["bladder wall", "bladder contents"]
    assert "alpha" not in value and "recoil" not in value
    energy = energy_MeV_per_decay("212Pb", "equilibrium")["beta"]
    assert value["beta"] == pytest.approx(0.5 * energy / 200.0 * GY_PER_MEV_PER_G, rel=1e-9)


def test_progeny_in_equilibrium_add() -> None:
    alone, all_ = (organ_s_values("225Ac", daughters=d, targets=["kidneys"], sources=["kidneys"])["kidneys", "kidneys"]
                   for d in ("none", "equilibrium"))
    assert alone["alpha"] == pytest.approx(5.787 / 310.0 * GY_PER_MEV_PER_G, rel=2e-3)
    assert all_["alpha"] == pytest.approx(27.48 / 310.0 * GY_PER_MEV_PER_G, rel=2e-3)


def test_the_cortex_takes_its_share_of_the_kidneys() -> None:
    s = organ_s_values("177Lu", kidney_cortex=True, targets=["kidneys", "kidney cortex"],
                       sources=["kidneys", "kidney cortex"])
    whole = s["kidneys", "kidneys"]["beta"]
    assert s["kidney cortex", "kidney cortex"]["beta"] == pytest.approx(whole / 0.7, rel=0.01)
    assert s["kidney cortex", "kidneys"]["beta"] == pytest.approx(whole, rel=0.01)
    assert s["kidneys", "kidney cortex"]["beta"] == pytest.approx(whole, rel=0.01)


def test_organ_dose_takes_them() -> None:
    held = {"kidneys": 150.0, "marrow": 5.0, "rest of body": 300.0}
    dose = organ_dose(held, organ_s_values("177Lu", sources=held))
    s = organ_s_values("177Lu", targets=["kidneys"], sources=["kidneys"])["kidneys", "kidneys"]
    assert dose["kidneys"]["beta"] == pytest.approx(150.0 * 3.6e9 * s["beta"])
    assert set(dose) == set(organ_names())


def test_the_table_says_nothing_below_ten_keV_but_that_it_stays() -> None:
    table = load_fractions("adult_male")
    near, far = table.at("liver", "liver", np.array([0.001, 0.01])), table.at("brain", "testes", np.array([0.001]))
    assert near[0] == near[1] and far[0] == 0.0


# ---- marrow


def test_particles_of_no_range_stay_in_marrow_and_long_ones_share_it() -> None:
    tissue = load_phantom("adult_male").tissue
    short = marrow_fraction(radial_kernel("225Ac", "recoil"), tissue)
    lutetium, yttrium = (marrow_fraction(radial_kernel(n, "beta"), tissue) for n in ("177Lu", "90Y"))
    cavity = 1100.0 * 1.03 / (1100.0 * 1.03 + 250.0 * 1.92)
    assert short == 1.0
    assert 1.0 > lutetium > yttrium > cavity * tissue.cellularity.central
    bone = [marrow_fraction(radial_kernel(n, "beta"), tissue, "trabeculae") for n in ("177Lu", "90Y")]
    assert 0.0 < bone[0] < bone[1] < cavity * tissue.cellularity.central


def test_marrow_from_blood_and_from_an_image() -> None:
    assert marrow_activity_from_blood(0.01, 1170.0, ratio=1.0) == pytest.approx(11.7)
    assert marrow_activity_from_blood(0.01, 1170.0, haematocrit=0.5) == pytest.approx(11.7 * 0.38)
    # 0.36 at a haematocrit of 0.47, as the abstract of the source has it
    assert marrow_activity_from_blood(1.0, 1.0, haematocrit=0.47) == pytest.approx(0.36, abs=0.005)
    assert marrow_activity_from_image(1.0, 0.25) == 4.0


@pytest.mark.parametrize(("arguments", "said"), [
    ({}, "either haematocrit or ratio"),
    ({"haematocrit": 0.4, "ratio": 1.0}, "either haematocrit or ratio"),
    ({"haematocrit": 45.0}, "between 0.1 and 0.7"),
    ({"haematocrit": float("nan")}, "between 0.1 and 0.7"),
    ({"ratio": -1.0}, "ratio = -1"),
])
def test_marrow_from_blood_refuses(arguments: dict[str, float], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        marrow_activity_from_blood(0.01, 1170.0, **arguments)


@pytest.mark.parametrize(("region", "share", "said"), [(1.0, 0.0, "share"), (1.0, 1.5, "share"), (-1.0, 0.5, "region")])
def test_marrow_from_an_image_refuses(region: float, share: float, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        marrow_activity_from_image(region, share)


# ---- what is refused


@pytest.mark.parametrize(("masses", "said"), [
    ({"kidnys": 300.0}, "Did you mean 'kidneys'"),
    ({"kidneys": 0.0}, "above 0"),
    ({"kidneys": float("nan")}, "finite"),
    ({"liver": 70000.0}, "do not add up"),
    ({"body": 20000.0}, "do not add up"),
    ({"marrow": 11000.0}, "does not fit into a skeleton"),
    ({"skull": 600.0}, "no organ 'skull'"),
    ({"rest of body": 600.0}, "no organ 'rest of body'"),
])
def test_masses_that_cannot_be(masses: dict[str, float], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        organ_s_values("177Lu", masses_g=masses)


def test_masses_add_up_to_the_body() -> None:
    masses = organ_masses_g("adult_female", {"body": 70000.0, "liver": 1600.0})
    assert sum(masses.values()) - masses["marrow"] == pytest.approx(70000.0)


@pytest.mark.parametrize(("arguments", "said"), [
    ({"targets": ["kidney"]}, "No target organ 'kidney'"),
    ({"sources": ["tumour"]}, "No source organ 'tumour'"),
    ({"phantom": "mouse"}, "No phantom 'mouse'"),
    ({"daughters": "all"}, "daughters = 'all'"),
])
def test_names_that_do_not_exist(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        organ_s_values("177Lu", **arguments)  # type: ignore[arg-type]


def test_a_nuclide_that_does_not_exist() -> None:
    with pytest.raises(BadInput):
        organ_s_values("177Xx")
