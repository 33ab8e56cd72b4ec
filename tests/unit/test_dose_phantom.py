"""The stylised adults: what the equations hold, cut into voxels, and files that do not."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from nichedose.dose.phantom import cut, inside, voxelise
from nichedose.errors import BadInput
from nichedose.library.phantoms import PHANTOMS, Solid, load_phantom, read_phantom


def raw(name: str = "adult_male") -> dict[str, Any]:
    return tomllib.loads((files("nichedose.library") / "data" / "phantoms" / f"{name}.toml").read_text("utf-8"))


def volume(solid: Solid, half_cm: float, step_cm: float = 0.1) -> float:
    axis = np.arange(-half_cm + 0.5 * step_cm, half_cm, step_cm)
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    return float(inside(solid, x, y, z).sum() * step_cm**3)


def test_solids_have_the_volumes_of_geometry() -> None:
    ellipsoid = Solid(kind="ellipsoid", centre=(0.0, 0.0, 0.0), semi_axes=(1.0, 2.0, 3.0))
    cone = Solid(kind="tube", at=(-2.0, 2.0), centre=((0.0, 0.0), (1.0, 0.0)), semi_axes=((1.0, 1.0), (2.0, 2.0)))
    ring = Solid(kind="torus", axis="y", centre=(0.0, 0.0, 0.0), ring=2.0, radius=0.5)
    assert volume(ellipsoid, 3.2) == pytest.approx(8.0 * np.pi, rel=5e-3)
    assert volume(cone, 3.2) == pytest.approx(4.0 * np.pi * 7.0 / 3.0, rel=5e-3)
    assert volume(ring, 3.2) == pytest.approx(np.pi**2, rel=1e-2)


def test_a_turned_ellipsoid_keeps_its_volume_and_points_along_its_rows() -> None:
    half = float(np.sqrt(0.5))
    rows = ((half, half, 0.0), (-half, half, 0.0), (0.0, 0.0, 1.0))
    solid = Solid(kind="ellipsoid", centre=(0.0, 0.0, 0.0), semi_axes=(3.0, 1.0, 1.0), rows=rows)
    zero = np.zeros(2)
    assert inside(solid, np.array([2.0, 2.0]), np.array([2.0, -2.0]), zero).tolist() == [True, False]
    assert volume(solid, 3.2) == pytest.approx(4.0 * np.pi, rel=5e-3)


def test_mirror_half_spaces_and_what_is_taken_out() -> None:
    pair = Solid(kind="ellipsoid", centre=(2.0, 0.0, 0.0), semi_axes=(1.0, 1.0, 1.0), mirror=True,
                 keep=((0.0, 0.0, -1.0, 0.0),),
                 remove=(Solid(kind="ellipsoid", centre=(2.0, 0.0, 0.0), semi_axes=(0.5, 0.5, 0.5), mirror=True),))
    assert volume(pair, 3.2) == pytest.approx(4.0 / 3.0 * np.pi * (1.0 - 0.125), rel=1e-2)


@pytest.mark.parametrize("name", PHANTOMS)
def test_the_body_and_its_organs_have_their_masses(name: str) -> None:
    """The body within 5 % of the reference; organs of the published outline within 4 % of what the source gives them
    (walls are 2 to 7 mm thick, and voxels 2 mm)."""
    data, masses = load_phantom(name), voxelise(name, 2.0).masses_g
    assert sum(masses.values()) == pytest.approx(data.total_mass_g.central, rel=0.05)
    for region in data.region:
        if region.stated_mass_g and region.outline == "published":
            assert masses[region.name] == pytest.approx(region.stated_mass_g, rel=0.04), region.name
        if region.outline == "placed" and region.mass_g is not None:
            assert masses[region.name] == pytest.approx(region.mass_g.central, rel=0.15), region.name


def test_finer_voxels_change_little() -> None:
    fine, coarse = voxelise("adult_male", 2.0).masses_g, voxelise("adult_male", 3.0).masses_g
    for organ in ("liver", "kidneys", "spleen", "lungs", "brain"):
        assert coarse[organ] == pytest.approx(fine[organ], rel=0.015)


def test_left_and_right_are_mirror_images_where_the_equations_say_so() -> None:
    labels = voxelise("adult_male", 4.0).labels
    kidneys = labels == load_phantom("adult_male").names.index("kidneys")
    assert (kidneys == kidneys[:, :, ::-1]).all()


def test_the_liver_lies_to_the_right_and_the_spleen_to_the_left() -> None:
    phantom = voxelise("adult_male", 4.0)
    middle = {name: float(np.mean(np.nonzero(phantom.labels == phantom.names.index(name))[2])) for name in
              ("liver", "spleen", "stomach wall")}
    half = 0.5 * phantom.labels.shape[2]
    assert middle["liver"] < half < min(middle["spleen"], middle["stomach wall"])


@pytest.mark.parametrize("spacing", [0.5, 30.0, float("nan")])
def test_spacings_that_do_not_fit_are_refused(spacing: float) -> None:
    with pytest.raises(BadInput, match="between 1 and 20"):
        voxelise("adult_male", spacing)


def test_a_wrong_name_is_told_with_the_right_ones() -> None:
    with pytest.raises(BadInput, match="adult_male and adult_female"):
        load_phantom("adult_mal")


@pytest.mark.parametrize(("change", "said"), [
    (lambda t: t["region"][0]["solid"][0].pop("semi_axes"), "needs semi_axes"),
    (lambda t: t["region"].append(t["region"][0]), "same name"),
    (lambda t: t["marrow_share"].pop("ribs"), "must be 1"),
    (lambda t: t["marrow_share"].update(liver={"value": 0.0, "evidence": "assumed"}), "not bone"),
    (lambda t: t["region"][0].update(contents_of="nowhere"), "does not exist"),
    (lambda t: t["source"].pop("icrp_89"), "no \\[source\\] icrp_89"),
])
def test_files_that_do_not_hold_together_are_refused(change: Any, said: str) -> None:
    table = raw()
    change(table)
    with pytest.raises(BadInput, match=said):
        read_phantom(table, "mine.toml")


def test_a_body_beyond_reach_is_refused() -> None:
    table = raw()
    table["region"][-1]["solid"][0]["at"] = [0.0, 700.0]
    with pytest.raises(BadInput, match="reaches further"):
        cut(read_phantom(table, "mine.toml"), 1.0)
