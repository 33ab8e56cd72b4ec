"""The body: what reaches the tumour by blood, and how much of it every organ gets."""

from nichedose.body.anatomy import Anatomy, anatomy, body_surface_m2
from nichedose.body.biodistribution import Biodistribution, Uptake
from nichedose.body.competitor import small_competitor
from nichedose.body.culture import CellBinding, Culture, culture_model
from nichedose.body.engine import integrate_population, simulate, solve, solve_population
from nichedose.body.fit import fit, fit_observations
from nichedose.body.ligand import BodyLigand, body_ligand
from nichedose.body.measured import MeasuredActivity
from nichedose.body.model import BodyModel, body_model
from nichedose.body.mouse import Mouse, mouse_anatomy, mouse_kinetics, mouse_ligand, xenograft
from nichedose.body.observation import Observation
from nichedose.body.patient import Patient, Tumour
from nichedose.body.plasma import PlasmaCurve
from nichedose.body.posterior import BodyFit, PredictedActivity, PredictedCurve
from nichedose.body.redistribute import Redistribution, Release, redistribute
from nichedose.body.regimen import Injection, Regimen, TargetChange, cycles
from nichedose.body.sample import sample_posterior
from nichedose.body.sbml import body_sbml
from nichedose.body.scaling import RULES, Scaled, ScalingRule, scale_organs
from nichedose.body.solution import BodySolution, PopulationIntegrals
from nichedose.body.twin import Experiment, MouseTwin, Residual, fit_mouse, mouse_builder

__all__ = [
    "RULES", "Anatomy", "Biodistribution", "BodyFit", "BodyLigand", "BodyModel", "BodySolution", "CellBinding",
    "Culture", "Experiment", "Injection", "MeasuredActivity", "Mouse", "MouseTwin", "Observation", "Patient",
    "PlasmaCurve", "PopulationIntegrals", "PredictedActivity", "PredictedCurve", "Redistribution", "Regimen",
    "Release", "Residual", "Scaled", "ScalingRule", "TargetChange", "Tumour", "Uptake", "anatomy", "body_ligand",
    "body_model", "body_sbml", "body_surface_m2", "culture_model", "cycles", "fit", "fit_mouse", "fit_observations",
    "integrate_population", "mouse_anatomy", "mouse_builder", "mouse_kinetics", "mouse_ligand", "redistribute",
    "sample_posterior", "scale_organs", "simulate", "small_competitor", "solve", "solve_population", "xenograft",
]
