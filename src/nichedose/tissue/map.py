"""The TissueMap: what a section is made of, as fields in physical units on one grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from nichedose.errors import BadInput
from nichedose.fields.grid import Array, BoolArray, Grid
from nichedose.values import Flag

if TYPE_CHECKING:  # xarray takes a third of a second to import; only `to_dataset` needs it
    import xarray as xr

__all__ = ["FieldSpread", "TargetError", "TargetField", "TissueMap", "field_unit"]


@dataclass(frozen=True)
class TargetError:
    """Where a target field's error comes from, as geometric standard deviations (1 is none).

    ``section_mean``: of the mean over the section, as the library or the anchor tells it. ``gene_to_protein``: of each
    host's share, 1 with a single host, whose share cannot err. ``local``: of the smooth local error, correlated over
    ``local_length_um``. ``counting_relative_sd``: what counting leaves open in the median spot, over its level.
    """

    section_mean: float
    gene_to_protein: float
    local: float
    local_length_um: float
    counting_relative_sd: float


@dataclass(frozen=True)
class TargetField:
    """Binding sites of one target, per tissue volume, by the cell type that bears them (nmol/L, arrays (ny, nx)).

    ``shape_known`` is False when there were too few counts for a map: then the density is uniform over its hosts.
    ``detected`` is False then, and where the gene is so rare that the section does not show that the target is there.
    ``anchor`` says what set the mean: ``library``, or the measurement in words. ``scale`` is ``absolute`` when that
    counted sites in this lesion, ``relative`` when they come from the library, shifted by an H-score or not. ``error``
    names the parts of the field's error; one draw of them is in the field.
    """

    name: str
    by_host_nmol_per_L: Mapping[str, Array]
    shape_known: bool
    scale: Literal["absolute", "relative"]
    counts: int
    error: TargetError | None = None
    anchor: str = "library"
    detected: bool = True

    @property
    def total_nmol_per_L(self) -> Array:
        return np.asarray(np.sum(list(self.by_host_nmol_per_L.values()), axis=0))


@dataclass(frozen=True, eq=False)
class FieldSpread:
    """What draws say of one field: its 5, 50 and 95 % quantiles and standard deviation in each voxel (ny, nx).

    ``shape_q05`` and ``shape_q95``: of the field over its own mean over the tissue. ``mean``: the same three quantiles
    of that mean. Units are the field's; zero outside the tissue.
    """

    q05: Array
    q50: Array
    q95: Array
    sd: Array
    shape_q05: Array
    shape_q95: Array
    mean: tuple[float, float, float]
    draws: int


@dataclass(frozen=True)
class TissueMap:
    """Fields of one section on ``grid``; arrays are (ny, nx), zero outside ``mask``.

    ``cell_density_per_mm3`` by cell type; ``vessel_surface_per_cm`` perfused vessel surface per tissue volume (1/cm);
    ``matrix`` collagen-like matrix, relative 0-1; ``oxygen_mmHg`` tissue mean in the voxel.
    ``traits``: log scores of what may shift radiosensitivity, in standard deviations of the section, where measured.
    ``hypoxia_score``, ``hypoxia_weight``: the hypoxia signature and its say in the places of oxygen, if it has one.
    A target that was not measured stands in ``unknown_targets`` with the reason, never as zero.
    ``hydraulic_conductivity_um2_per_mmHg_s`` of the interstitium, 1 outside the tissue; None where it was not built.
    It falls by ``matrix_conductivity_ratio`` from no matrix to full. ``vessel_radius_um``, where known, turns the
    vessels' surface into their length.
    ``spread``: quantiles of the fields by the names of `named_fields`, where they were asked for (`map_with_spread`).
    """

    grid: Grid
    mask: BoolArray
    cell_density_per_mm3: Mapping[str, Array]
    targets: Mapping[str, TargetField]
    unknown_targets: Mapping[str, str]
    vessel_surface_per_cm: Array
    matrix: Array
    oxygen_mmHg: Array
    sample: str
    flags: tuple[Flag, ...] = ()
    traits: Mapping[str, Array] = field(default_factory=dict)
    hypoxia_score: Array | None = None
    hypoxia_weight: float = 0.0
    hydraulic_conductivity_um2_per_mmHg_s: Array | None = None
    matrix_conductivity_ratio: float = 1.0
    vessel_radius_um: float | None = None
    spread: Mapping[str, FieldSpread] = field(default_factory=dict)

    def __post_init__(self) -> None:
        arrays: dict[str, np.ndarray] = {
            "mask": self.mask, "vessel_surface_per_cm": self.vessel_surface_per_cm, "matrix": self.matrix,
            "oxygen_mmHg": self.oxygen_mmHg,
            **{f"cell_density[{k}]": v for k, v in self.cell_density_per_mm3.items()},
            **{f"target[{t}][{h}]": v for t, f in self.targets.items() for h, v in f.by_host_nmol_per_L.items()},
        }
        for name, array in arrays.items():
            if array.shape != self.grid.shape:
                raise BadInput(f"TissueMap field {name} has shape {array.shape}; the grid is {self.grid.shape} (y, x).")
            if not np.isfinite(array).all() or bool((array < 0).any()):
                raise BadInput(f"TissueMap field {name} holds NaN, infinite or negative values.")
        for name, array in self.traits.items():
            if array.shape != self.grid.shape or not np.isfinite(array).all():
                raise BadInput(f"TissueMap trait {name} must be finite and of shape {self.grid.shape}.")
        if not self.mask.any():
            raise BadInput(f"{self.sample}: no voxel lies in tissue.")

    @property
    def vessel_length_mm_per_mm3(self) -> Array | None:
        """Perfused vessel length per tissue volume, S/(2 pi r): also the vessels per mm2 of a plane that cuts all of
        them across, and twice those of a plane if they run in all directions."""
        if self.vessel_radius_um is None:
            return None
        return np.asarray(self.vessel_surface_per_cm * 1e-4 / (2.0 * np.pi * self.vessel_radius_um) * 1e6)

    def named_fields(self) -> dict[str, Array]:
        """Each field (ny, nx) by name: ``cell_density_TYPE``, ``target_NAME`` (all hosts), vessels, matrix, oxygen."""
        return {
            **{f"cell_density_{name}": v for name, v in self.cell_density_per_mm3.items()},
            "vessel_surface": self.vessel_surface_per_cm,
            **({} if self.vessel_length_mm_per_mm3 is None else {"vessel_length": self.vessel_length_mm_per_mm3}),
            "matrix": self.matrix,
            "oxygen": self.oxygen_mmHg,
            **({} if self.hydraulic_conductivity_um2_per_mmHg_s is None
               else {"hydraulic_conductivity": self.hydraulic_conductivity_um2_per_mmHg_s}),
            **{f"target_{name}": t.total_nmol_per_L for name, t in self.targets.items()},
        }

    def to_dataset(self) -> xr.Dataset:
        """All fields as one `xarray.Dataset`, dims (cell_type, y, x) or (y, x), each with ``units``; of a field with
        ``spread`` also ``NAME_q05``, ``NAME_q95`` and ``NAME_sd``. NaN outside the tissue."""
        import xarray as xr

        from nichedose.results import maps_in_tissue

        dims = ("y", "x")
        coords = {
            "y": ("y", self.grid.y_um, {"units": "um"}),
            "x": ("x", self.grid.x_um, {"units": "um"}),
            "cell_type": list(self.cell_density_per_mm3),
        }
        data: dict[str, tuple[object, ...]] = {
            "mask": (dims, self.mask, {"units": "1", "long_name": "in tissue"}),
            "cell_density": (("cell_type", *dims), np.stack(list(self.cell_density_per_mm3.values())),
                             {"units": "1/mm3", "long_name": "cell density"}),
            "vessel_surface": (dims, self.vessel_surface_per_cm,
                               {"units": "1/cm", "long_name": "vessel surface per tissue volume"}),
            "matrix": (dims, self.matrix, {"units": "1", "long_name": "matrix, relative"}),
            "oxygen": (dims, self.oxygen_mmHg, {"units": "mmHg", "long_name": "tissue oxygen"}),
        }
        if self.vessel_length_mm_per_mm3 is not None:
            data["vessel_length"] = (dims, self.vessel_length_mm_per_mm3, {
                "units": "mm/mm3", "long_name": "vessel length per tissue volume"})
        if self.hydraulic_conductivity_um2_per_mmHg_s is not None:
            data["hydraulic_conductivity"] = (dims, self.hydraulic_conductivity_um2_per_mmHg_s, {
                "units": "um2/mmHg/s", "long_name": "hydraulic conductivity of the interstitium"})
        for target in self.targets.values():
            for host, density in target.by_host_nmol_per_L.items():
                data[f"target_{target.name}_{host}"] = (dims, density, {
                    "units": "nmol/L", "long_name": f"{target.name} on {host}", "scale": target.scale,
                    "anchor": target.anchor, "shape_known": int(target.shape_known)})
        for name, found in self.spread.items():
            for part in ("q05", "q95", "sd"):
                data[f"{name}_{part}"] = (dims, getattr(found, part), {
                    "units": field_unit(name), "long_name": f"{name}, {part} of {found.draws} draws"})
        return maps_in_tissue(xr.Dataset(data, coords=coords, attrs={"sample": self.sample}), self.mask)


def field_unit(name: str) -> str:
    """Unit of a field by its name in `TissueMap.named_fields`."""
    kinds = {"cell_density": "1/mm3", "vessel_length": "mm/mm3", "vessel": "1/cm", "matrix": "1", "oxygen": "mmHg",
             "hydraulic": "um2/mmHg/s", "target": "nmol/L"}
    return next(unit for kind, unit in kinds.items() if name.startswith(kind))
