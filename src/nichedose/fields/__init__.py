"""Grids, and the steady reaction-diffusion solver that tissue, transport and dose share."""

from nichedose.fields.grid import Array, BoolArray, Grid
from nichedose.fields.steady import MichaelisMenten, SteadySolution, steady_reaction_diffusion

__all__ = ["Array", "BoolArray", "Grid", "MichaelisMenten", "SteadySolution", "steady_reaction_diffusion"]
