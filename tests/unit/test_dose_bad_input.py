"""What users of the dose functions get wrong: each mistake is named, none ends in a bare exception or a long wait."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nichedose.dose import (
    SectionGeometry,
    cell_cross_s_value,
    cell_s_values,
    cells_dose,
    cluster_s_values,
    convolve,
    hit_statistics,
    marrow_activity_from_blood,
    migrate,
    organ_dose,
    organ_masses_g,
    point_kernel,
    section_dose,
    shell_s_value,
    sphere_s_value,
    voxel_s_values,
)
from nichedose.dose.migration import Mobility
from nichedose.errors import BadInput, NichedoseError, OutOfValidity
from nichedose.fields import Grid

CUBE = np.ones((2, 2, 2))
EVEN = np.ones((4, 5))
ALONE = SectionGeometry("section", 10.0, "isolated", 1e4)


def _section(**changes: object) -> object:
    given = {"tia_MBq_h_per_L": EVEN, "cells": {}, "times_h": np.array([0.0, 1.0]),
             "activity_MBq_per_L": np.stack([EVEN, EVEN]), "geometry": ALONE, "cell_radius_um": 7.0,
             "nucleus_radius_um": 5.0, "grid": Grid((4, 5), 20.0)} | changes
    return section_dose(mask=np.ones((4, 5), bool), nuclide="177Lu", **given)  # type: ignore[arg-type]


def _cells(radius: object) -> object:
    return cells_dose(np.arange(6.0).reshape(3, 2) * 20.0, np.ones(3), np.ones(3), "177Lu",
                      cell_radius_um=radius, nucleus_radius_um=5.0, geometry=ALONE)  # type: ignore[arg-type]


MISTAKES: dict[str, tuple[Callable[[], object], str]] = {
    "no nuclide": (lambda: point_kernel(None, 1.0), "not the name of a radionuclide"),  # type: ignore[arg-type]
    "a number for a nuclide": (lambda: sphere_s_value(177, 1.0), "such as '177Lu'"),  # type: ignore[arg-type]
    "near miss": (lambda: convolve(CUBE, "177Lv", 20.0), "Did you mean"),
    "stable": (lambda: hit_statistics("175Lu", {"surface": 1.0}, 7.0, 5.0), "stable nuclides are not in it"),
    "empty quality": (lambda: point_kernel("177Lu", 1.0, []), "name one, several, or None"),
    "quality that is none": (lambda: point_kernel("177Lu", 1.0, 3), "quality = 3"),  # type: ignore[arg-type]
    "diameter as text": (lambda: sphere_s_value("177Lu", "1mm"), "give one number, um"),  # type: ignore[arg-type]
    "two diameters": (lambda: sphere_s_value("177Lu", [1.0, 2.0]), "give one number"),  # type: ignore[arg-type]
    "endless sphere": (lambda: sphere_s_value("177Lu", np.inf), "above 0"),
    "voxel as text": (lambda: voxel_s_values("177Lu", "3mm", 3), "real numbers"),  # type: ignore[arg-type]
    "voxel of no size": (lambda: voxel_s_values("177Lu", 0.0, 3), "above 0"),
    "shape of ragged rows": (lambda: voxel_s_values(
        "177Lu", 3.0, [[1, 2], [3]]), "shape must hold real"),  # type: ignore[arg-type, list-item]
    "far too oblong": (lambda: voxel_s_values("177Lu", (1e-3, 1.0, 1.0), 3), "1000 times the shortest"),
    "density as text": (lambda: voxel_s_values(
        "177Lu", 3.0, 1, density_g_per_mL="bone"), "g/mL"),  # type: ignore[arg-type]
    "photons in bone": (lambda: voxel_s_values("99mTc", 3.0, 1, density_g_per_mL=1.9), "tissue is bone"),
    "cell as text": (lambda: cell_s_values("177Lu", "7", 5.0), "cell_radius_um = '7'"),  # type: ignore[arg-type]
    "shape of another kind": (lambda: cell_cross_s_value(
        "177Lu", 20.0, 7.0, 5.0, source_cell=(7.0, 5.0)), "CellShape"),  # type: ignore[arg-type]
    "no cells": (lambda: cluster_s_values("177Lu", np.zeros((0, 3)), 7.0, 5.0), "cells, 3"),
    "map of nothing": (lambda: convolve(None, "177Lu", 20.0), "nz, ny, nx"),  # type: ignore[arg-type]
    "complex map": (lambda: convolve(1j * CUBE, "177Lu", 20.0), "real numbers"),
    "map of text": (lambda: convolve(np.array([[["a"]]]), "177Lu", 20.0), "real numbers"),  # type: ignore[arg-type]
    "ragged map": (lambda: convolve([[[1, 2], [3]]], "177Lu", 20.0), "nz, ny, nx"),  # type: ignore[arg-type]
    "more than single precision holds": (lambda: convolve(CUBE * 1e39, "177Lu", 20.0, dtype=np.float32), "infinite"),
    "quality that is not emitted": (lambda: convolve(CUBE, "177Lu", 20.0, quality="alpha"), "emits none"),
    "map far above memory": (lambda: convolve(
        np.broadcast_to(np.float32(1.0), (16384,) * 3), "177Lu", 20.0), "GiB beside the map"),
    "lesion as text": (lambda: convolve(
        CUBE, "177Lu", 20.0, surroundings="uniform", lesion_diameter_um="1cm"), "give one number"),  # type: ignore[arg-type]
    "negative activity": (lambda: convolve(-CUBE, "177Lu", 20.0), "negative"),
    "oblong map": (lambda: convolve(CUBE, "177Lu", (1.0, 100.0, 1000.0)), "Split the long sides"),
    "spacing as text": (lambda: convolve(CUBE, "177Lu", "20"), "real numbers: got text"),  # type: ignore[arg-type]
    "spacing as truth": (lambda: convolve(CUBE, "177Lu", True), "got truth values"),
    "map of numbers as text": (lambda: convolve(CUBE.astype(str), "177Lu", 20.0), "got text"),  # type: ignore[arg-type]
    "workers as truth": (lambda: convolve(CUBE, "177Lu", 20.0, workers=True), "workers = True"),
    "coarsen as truth": (lambda: convolve(CUBE, "177Lu", 20.0, coarsen=True), "coarsen = True"),
    "distance as text": (lambda: point_kernel("177Lu", "10"), "got text"),  # type: ignore[arg-type]
    "diameter as truth": (lambda: sphere_s_value("177Lu", True), "got truth values"),
    "voxel of a number as text": (lambda: voxel_s_values("177Lu", "3", 3), "got text"),  # type: ignore[arg-type]
    "mass as text": (lambda: organ_masses_g("adult_male", {"liver": "1800"}), "give one number"),  # type: ignore[dict-item]
    "blood as text": (lambda: marrow_activity_from_blood("1", 1170.0, ratio=1.0), "give one number"),  # type: ignore[arg-type]
    "section without a grid": (lambda: _section(grid=20.0), "must be Grid"),
    "section in words": (lambda: _section(geometry="slab"), "must be SectionGeometry"),
    "section of cells as text": (lambda: _section(cell_radius_um="7"), "give one number"),
    "section of text": (lambda: _section(tia_MBq_h_per_L=EVEN.astype(str)), "got text"),
    "mobility of none": (lambda: migrate(
        20.0, CUBE > 0.0, "225Ac", {"bound": CUBE}, retention={"bound": 0.5}, mobility=None), "Mapping"),  # type: ignore[arg-type]
    "mask as a list": (lambda: migrate(
        20.0, [[[True]]], "225Ac", {"bound": CUBE}, retention={}, mobility=Mobility(1.0, 1.0)), "ndarray"),  # type: ignore[arg-type]
    "no spacing": (lambda: convolve(CUBE, "177Lu", None), "above 0 um"),  # type: ignore[arg-type]
    "no workers": (lambda: convolve(CUBE, "177Lu", 20.0, workers=0), "1 or more"),
    "quality as a number": (lambda: point_kernel("177Lu", 1.0, [1]), "quality '1'"),  # type: ignore[list-item]
    "decay data as a list": (lambda: point_kernel(
        "177Lu", 1.0, decay_data=["ensdf"]), "'icrp107' or 'ensdf'"),  # type: ignore[arg-type]
    "thin shell": (lambda: shell_s_value("177Lu", (5.0, 5.0 + 1e-9), (0.0, 5.0)), "thinner than 1e-05"),
    "no half-life": (lambda: cell_s_values(
        "225Ac", 7.0, 5.0, "equilibrium", longest_half_life_h=np.nan), "hours above 0"),
    "half-life of zero": (lambda: cell_s_values(
        "225Ac", 7.0, 5.0, "equilibrium", longest_half_life_h=0.0), "hours above 0"),
    "hits of unknown progeny": (lambda: hit_statistics(
        "211At", {"surface": 1.0}, 7.0, 5.0, "all"), "'none' or 'equilibrium'"),  # type: ignore[arg-type]
    "hits of text": (lambda: hit_statistics(
        "211At", {"surface": "1"}, 7.0, 5.0), "give one number"),  # type: ignore[dict-item]
    "hits of nothing": (lambda: hit_statistics("211At", None, 7.0, 5.0), "by place"),  # type: ignore[arg-type]
    "organ dose of a nuclide": (lambda: organ_dose("177Lu", {"liver": 1.0}), "give a mapping"),  # type: ignore[arg-type, dict-item]
    "organ dose without sources": (lambda: organ_dose({"liver": 1.0}, {"kidney": 1.0}), "pairs"),  # type: ignore[dict-item]
    "activity as text": (lambda: organ_dose(
        {"liver": "1"}, {("kidney", "liver"): 1.0}), "give one number"),  # type: ignore[dict-item]
    "S value as text": (lambda: organ_dose(
        {"liver": 1.0}, {("kidney", "liver"): "x"}), "give one number"),  # type: ignore[dict-item]
    "unknown precision": (lambda: convolve(CUBE, "177Lu", 20.0, dtype="floaty"), "float64 or float32"),
    "pairs below zero": (lambda: _section(pairs=-1), "pairs = -1"),
    "negative section": (lambda: _section(tia_MBq_h_per_L=-EVEN), "negative"),
    "radius that is no number": (lambda: _cells([7.0, np.nan, 7.0]), "nan um"),
    "spacing in columns": (lambda: convolve(CUBE, "177Lu", [[20.0]] * 3), "one number or three"),  # type: ignore[arg-type, list-item]
    "a namespace by name": (lambda: convolve(CUBE, "177Lu", 20.0, xp="jax"), "give a namespace"),  # type: ignore[arg-type]
    "more digits than a float": (lambda: point_kernel("177Lu", 10**400), "real numbers"),
    "no part of a cell": (lambda: cell_cross_s_value("177Lu", 20.0, 7.0, 5.0, None), "target = 'None'"),  # type: ignore[arg-type]
    "tolerance of nothing": (lambda: migrate(
        20.0, CUBE > 0.0, "225Ac", {"bound": CUBE}, retention={"bound": 0.5}, mobility=Mobility(1.0, 1.0),
        method="auto", misplaced_tolerance=np.nan), "0 or above"),
    "retention as text": (lambda: migrate(
        20.0, np.ones((2, 2, 2), bool), "225Ac", {"bound": CUBE}, retention={"bound": "half"},  # type: ignore[dict-item]
        mobility=Mobility(1.0, 1.0)), "between 0 and 1"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named(name: str) -> None:
    call, message = MISTAKES[name]
    with pytest.raises(NichedoseError, match=message) as caught:
        call()
    assert isinstance(caught.value, BadInput) or name == "photons in bone"


@pytest.mark.parametrize("um", [1e-200, 5e-4, 1e200])
def test_lengths_that_no_kernel_resolves_are_refused(um: float) -> None:
    """A sphere of a picometre once held nothing at all; from a nanometre on there is a number."""
    asked: tuple[Callable[[], object], ...] = (
        lambda: sphere_s_value("177Lu", um), lambda: point_kernel("177Lu", [1.0, um]),
        lambda: voxel_s_values("177Lu", um * 1e-3, 3), lambda: cell_s_values("177Lu", 1.1 * um, um),
        lambda: shell_s_value("177Lu", (0.0, um), (0.0, um)), lambda: convolve(CUBE, "177Lu", um))
    for call in asked:
        with pytest.raises(OutOfValidity, match="kernels are computed from"):
            call()
    assert sphere_s_value("177Lu", 1e-3) > 0.0


def test_thin_shells_tend_to_their_surface() -> None:
    """Down to the thinnest that is allowed; a shell in itself grows evenly with the logarithm of its thinness."""
    surface = shell_s_value("177Lu", (0.0, 100.0), (100.0, 100.0), quality="beta")
    shells = [((1.0 - 10.0**-n) * 100.0, 100.0) for n in (2, 3, 4, 5)]
    far = [shell_s_value("177Lu", (0.0, 100.0), shell, quality="beta") / surface - 1.0 for shell in shells]
    assert far == pytest.approx([0.043, 0.0065, 8.8e-4, 1.1e-4], rel=0.05)
    own = [shell_s_value("177Lu", shell, shell, quality="beta") for shell in shells]
    assert np.diff(own) == pytest.approx(np.full(3, float(np.diff(own).mean())), rel=0.1)


def test_oblong_voxels_are_supported() -> None:
    """Slices 20 times thicker than the pixels: energy of the array is the kernel's (1e-4), whichever axis is long."""
    for sides in ((200.0, 10.0, 10.0), (10.0, 10.0, 200.0)):
        spot = np.zeros((7, 7, 7)) + 0.0
        spot[3, 3, 3] = 1.0
        dose = convolve(spot, "211At", sides, quality="alpha")
        reference = convolve(np.ones((1, 1, 1)), "211At", 1e5, quality="alpha", surroundings="mirror")
        held = float(dose.total_Gy.sum()) / float(reference.total_Gy.sum())
        assert held == pytest.approx(1.0 - dose.escaped_fraction, rel=1e-4)
    s = voxel_s_values("211At", (0.2, 0.01, 0.01), 15, quality="alpha")
    turned = voxel_s_values("211At", (0.01, 0.01, 0.2), 15, quality="alpha")
    np.testing.assert_allclose(s, turned.transpose(2, 1, 0), rtol=0.02, atol=1e-3 * float(s.max()))
