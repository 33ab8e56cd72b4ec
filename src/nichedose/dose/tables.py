"""Kernels and S values as small tables with units, for the command line."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nichedose.dose.cells import cell_s_values
from nichedose.dose.density import checked_density
from nichedose.dose.kernels import Daughters, emitted_qualities, energy_MeV_per_decay, members, point_kernel
from nichedose.dose.let import alpha_let_keV_per_um
from nichedose.dose.result import Quality
from nichedose.dose.spheres import sphere_s_value
from nichedose.dose.voxels import voxel_s_values
from nichedose.errors import BadInput, near_miss
from nichedose.nuclide import SOURCES, Source, canonical_name, chosen_source, emissions
from nichedose.quantities import parse_quantity

__all__ = ["DoseTable", "cell_table", "kernel_table", "sphere_table", "voxel_table"]

_SOME_FISSION_MEV = 1e-3  # less is a rounding of an alpha's energy


@dataclass(frozen=True)
class DoseTable:
    """``rows`` under ``columns`` (names with units); ``title`` says of what, ``note`` what is in the numbers."""

    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | float, ...], ...]

    def as_dict(self) -> dict[str, Any]:
        return {"title": self.title, "note": self.note, "rows": [dict(zip(self.columns, r, strict=True))
                                                                 for r in self.rows]}

    def as_text(self) -> str:
        body = [self.columns, *(tuple(_text(value) for value in row) for row in self.rows)]
        widths = [max(len(row[i]) for row in body) for i in range(len(self.columns))]
        lines = ["  ".join(value.rjust(width) for value, width in zip(row, widths, strict=True)) for row in body]
        return "\n".join([self.title, *lines, self.note])


def kernel_table(nuclide: str, radii: str, quality: str | None, daughters: str, data: str | None = None) -> DoseTable:
    """Dose at distances such as ``"10um,1mm"`` from a point source, one column for each quality and their sum; where
    there are alphas, their dose-averaged LET too."""
    radius = np.array([_length(part, "um", "--radii") for part in radii.split(",")])
    names, source = _qualities(nuclide, quality, daughters, data)
    doses = [point_kernel(nuclide, radius, q, _daughters(daughters), source) for q in names if q != "recoil"]
    shown = [q for q in names if q != "recoil"]
    columns = {"radius_um": radius} | {f"{q}_Gy": d for q, d in zip(shown, doses, strict=True)}
    columns["total_Gy"] = sum(doses, np.zeros(len(radius)))
    if "alpha" in shown:
        columns["alpha_let_keV_per_um"] = alpha_let_keV_per_um(nuclide, radius, _daughters(daughters), source)
    rows = tuple(tuple(float(value) for value in row) for row in zip(*columns.values(), strict=True))
    recoils = " Recoils stop within 0.1 um of the source and give nothing here." if "recoil" in names else ""
    return DoseTable(
        f"{canonical_name(nuclide, source)}: dose at a distance from a point source in water, Gy per decay",
        _note(nuclide, daughters, names, source) + recoils, tuple(columns), rows)


def sphere_table(
    nuclide: str, diameter: str, quality: str | None, daughters: str, data: str | None = None,
    density: str | None = None,
) -> DoseTable:
    """Mean dose in a sphere that holds the source evenly, by quality."""
    size, rho = _length(diameter, "um", "--sphere"), _density(density)
    names, source = _qualities(nuclide, quality, daughters, data)
    checked_density(rho, nuclide, _daughters(daughters), names, source)
    doses = [sphere_s_value(nuclide, size, _daughters(daughters), q, rho, source) for q in names]
    return DoseTable(
        f"{canonical_name(nuclide, source)}: {_water(rho)} sphere of {size:g} um diameter with an even source, Gy per "
        "decay",
        _note(nuclide, daughters, names, source), ("quality", "dose_Gy"),
        (*zip(names, doses, strict=True), ("total", sum(doses))))


def voxel_table(
    nuclide: str, voxel: str, shape: int, quality: str | None, daughters: str, data: str | None = None,
    density: str | None = None,
) -> DoseTable:
    """Dose to voxels from the central one; by symmetry one of each eight is listed."""
    sides = [_length(part, "mm", "--voxel") for part in voxel.split(",")]
    if len(sides) not in (1, 3):
        raise BadInput(f"--voxel = '{voxel}'; give one length, or three for z, y and x.")
    names, source = _qualities(nuclide, quality, daughters, data)
    size = (sides[0], sides[0], sides[0]) if len(sides) == 1 else (sides[0], sides[1], sides[2])
    rho = _density(density)
    total = voxel_s_values(nuclide, size, shape, _daughters(daughters), names, rho, source)
    half = shape // 2
    rows = tuple((float(i), float(j), float(k), float(total[half + i, half + j, half + k]))
                 for i, j, k in np.ndindex(half + 1, half + 1, half + 1)
                 if len(sides) == 3 or i <= j <= k)
    text = " x ".join(f"{side:g}" for side in size)
    return DoseTable(
        f"{canonical_name(nuclide, source)}: dose to {_water(rho)} voxels of {text} mm from the central one, Gy per "
        "decay",
        _note(nuclide, daughters, names, source), ("z", "y", "x", "dose_Gy"), rows)


def cell_table(
    nuclide: str, cell: str, nucleus: str, quality: str | None, daughters: str, data: str | None = None
) -> DoseTable:
    """Dose between the parts of one cell."""
    radii = _length(cell, "um", "--cell"), _length(nucleus, "um", "--nucleus")
    names, source = _qualities(nuclide, quality, daughters, data)
    values = cell_s_values(nuclide, *radii, _daughters(daughters), names, decay_data=source)
    return DoseTable(
        f"{canonical_name(nuclide, source)}: cell of {radii[0]:g} um radius, nucleus of {radii[1]:g} um, Gy per decay",
        _note(nuclide, daughters, names, source), ("target", "source", "dose_Gy"),
        tuple((target, source, value) for (target, source), value in values.items()))


def _density(text: str | None) -> float:
    if text is None:
        return 1.0
    try:
        return parse_quantity(text, "g/mL")
    except BadInput as error:
        raise BadInput(f"--density: {error}") from None


def _water(density: float) -> str:
    return "water" if density == 1.0 else f"{density:g} g/mL water"


def _length(text: str, unit: str, option: str) -> float:
    try:
        value = parse_quantity(text.strip(), unit)
    except BadInput as error:
        raise BadInput(f"{option}: {error}") from None
    if value <= 0.0:
        raise BadInput(f"{option}: '{text}' must be above 0.")
    return value


def _daughters(text: str) -> Daughters:
    if text not in ("none", "equilibrium"):
        raise BadInput(f"--daughters = '{text}'; it must be 'none' or 'equilibrium'.")
    return "none" if text == "none" else "equilibrium"


def _qualities(
    nuclide: str, quality: str | None, daughters: str, data: str | None
) -> tuple[tuple[Quality, ...], Source]:
    if data is not None and data not in SOURCES:
        raise BadInput(f"--decay-data = '{data}'; it must be 'icrp107' or 'ensdf'.{near_miss(data, SOURCES)}")
    source = chosen_source(data)
    asked = None if quality is None else tuple(part.strip() for part in quality.split(","))
    names = emitted_qualities(nuclide, _daughters(daughters), asked, decay_data=source)  # type: ignore[arg-type]
    energy = energy_MeV_per_decay(nuclide, _daughters(daughters), decay_data=source)
    if not any(energy[q] > 0.0 for q in names):
        emitted = ", ".join(q for q, value in energy.items() if value > 0.0)
        raise BadInput(f"{canonical_name(nuclide, source)} with --daughters {daughters} does not emit '{quality}'; it "
                       f"emits {emitted}.")
    return names, source


def _note(nuclide: str, daughters: str, qualities: Iterable[str], source: Source) -> str:
    data = {"icrp107": "ICRP Publication 107", "ensdf": "ENSDF"}[source]
    who = "the nuclide alone" if daughters == "none" else "with all progeny in place, per decay of the parent"
    fission = sum(m.decays_per_parent_decay * emissions(m.name, source).fission_MeV_per_decay
                  for m in members(nuclide, _daughters(daughters), math.inf, source))
    left_out = f" Spontaneous fission, {fission:.3g} MeV per decay, is left out." if fission > _SOME_FISSION_MEV else ""
    return f"Included: {', '.join(qualities)}; {who}. Decay data: {data}. Physical dose, no weights.{left_out}"


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"
