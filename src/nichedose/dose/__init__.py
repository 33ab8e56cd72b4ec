"""Dose from a cell nucleus to a section: kernels, S values, convolution."""

from nichedose.dose.cell_section import CellsDose, cells_dose
from nichedose.dose.cells import CellShape, cell_s_values
from nichedose.dose.clusters import cell_cross_s_value, cluster_s_values, cubic_cluster_um
from nichedose.dose.kernels import CHARGED, Daughters, QualityChoice, energy_MeV_per_decay, point_kernel
from nichedose.dose.layers import layer_dose
from nichedose.dose.let import AlphaTrack, alpha_let_keV_per_um, alpha_tracks
from nichedose.dose.marrow import marrow_activity_from_blood, marrow_activity_from_image
from nichedose.dose.microdosimetry import HitStatistics, hit_statistics
from nichedose.dose.migration import Migration, Mobility, migrate
from nichedose.dose.organ_chain import organ_dose_of_nuclides
from nichedose.dose.organ_s import organ_masses_g, organ_names, organ_s_values
from nichedose.dose.organs import organ_dose
from nichedose.dose.result import QUALITIES, DoseMap, DoseRateHistory, Quality, SectionGeometry
from nichedose.dose.section import CellLabel, section_dose
from nichedose.dose.section_migration import section_dose_with_migration
from nichedose.dose.shells import shell_s_value
from nichedose.dose.spheres import sphere_s_value
from nichedose.dose.volume import ConvolvedDose, convolve
from nichedose.dose.volume_course import convolve_course
from nichedose.dose.volume_migration import convolve_migrated
from nichedose.dose.voxels import voxel_s_values

__all__ = [
    "CHARGED", "QUALITIES", "AlphaTrack", "CellLabel", "CellShape", "CellsDose", "ConvolvedDose", "Daughters",
    "DoseMap", "DoseRateHistory", "HitStatistics", "Migration", "Mobility", "Quality", "QualityChoice",
    "SectionGeometry", "alpha_let_keV_per_um", "alpha_tracks", "cell_cross_s_value", "cell_s_values", "cells_dose",
    "cluster_s_values", "convolve", "convolve_course", "convolve_migrated",
    "cubic_cluster_um", "energy_MeV_per_decay", "hit_statistics", "layer_dose", "marrow_activity_from_blood",
    "marrow_activity_from_image", "migrate", "organ_dose", "organ_dose_of_nuclides", "organ_masses_g", "organ_names",
    "organ_s_values", "point_kernel", "section_dose", "section_dose_with_migration", "shell_s_value",
    "sphere_s_value", "voxel_s_values",
]
