"""Grids, and the steady reaction-diffusion solver that tissue, transport and dose share."""

from nichedose.fields.box import box_mesh
from nichedose.fields.grid import Array, BoolArray, Grid
from nichedose.fields.mesh import Mesh, radial_mesh, voxel_mesh
from nichedose.fields.steady import MichaelisMenten, SteadySolution, steady_reaction_diffusion

__all__ = [
    "Array", "BoolArray", "Grid", "Mesh", "MichaelisMenten", "SteadySolution", "box_mesh", "radial_mesh",
    "steady_reaction_diffusion", "voxel_mesh",
]
