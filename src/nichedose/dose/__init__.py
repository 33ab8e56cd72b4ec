"""Dose from a cell nucleus to a section: kernels, S values, convolution."""

from nichedose.dose.cells import cell_s_values
from nichedose.dose.kernels import Daughters, energy_MeV_per_decay, point_kernel
from nichedose.dose.result import QUALITIES, DoseMap, DoseRateHistory, Quality, SectionGeometry
from nichedose.dose.section import CellLabel, section_dose
from nichedose.dose.spheres import sphere_s_value

__all__ = [
    "QUALITIES", "CellLabel", "Daughters", "DoseMap", "DoseRateHistory", "Quality", "SectionGeometry", "cell_s_values",
    "energy_MeV_per_decay", "point_kernel", "section_dose", "sphere_s_value",
]
