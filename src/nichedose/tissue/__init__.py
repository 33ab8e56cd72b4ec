"""From measured data to a `TissueMap`: cells, targets, vessels, matrix and oxygen on one grid, with what is unknown."""

from nichedose.tissue.assay import Observation, Proteins, SpatialAssay
from nichedose.tissue.build import build_tissue_map
from nichedose.tissue.field_spread import map_with_spread
from nichedose.tissue.lattice import (
    grid_to_points,
    grid_to_spots,
    interpolate_spots,
    section_grid,
    spots_to_grid,
    tissue_mask,
)
from nichedose.tissue.map import FieldSpread, TargetField, TissueMap
from nichedose.tissue.oxygen import OxygenParameters, oxygen
from nichedose.tissue.section import grid_to_rows, model_section
from nichedose.tissue.spots import CellSites, GeneCoverage, SpotModel, SpotTarget
from nichedose.tissue.spread import Spread, spread_between, with_spread
from nichedose.tissue.tme import (
    LesionProfile,
    ProfileOptions,
    TMEProfile,
    compare_profiles,
    discover_targets,
    lesion_profile,
    profile,
)

__all__ = [
    "CellSites",
    "FieldSpread",
    "GeneCoverage",
    "LesionProfile",
    "Observation",
    "OxygenParameters",
    "ProfileOptions",
    "Proteins",
    "SpatialAssay",
    "SpotModel",
    "SpotTarget",
    "Spread",
    "TMEProfile",
    "TargetField",
    "TissueMap",
    "build_tissue_map",
    "compare_profiles",
    "discover_targets",
    "grid_to_points",
    "grid_to_rows",
    "grid_to_spots",
    "interpolate_spots",
    "lesion_profile",
    "map_with_spread",
    "model_section",
    "oxygen",
    "profile",
    "section_grid",
    "spots_to_grid",
    "spread_between",
    "tissue_mask",
    "with_spread",
]
