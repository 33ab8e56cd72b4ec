"""Tissue kinetics: a ligand between plasma, interstitium, target and cell, solved once for all its labels."""

from nichedose.transport.chip import ChipTissue, chip_tissue
from nichedose.transport.closure import around_resolved_vessels, around_vessels, trapping_per_h
from nichedose.transport.cost import estimate_cost
from nichedose.transport.course import BatchLedger, CourseSolution, simulate_course
from nichedose.transport.course_gradient import (
    BatchGradient,
    CourseGradient,
    LigandGradient,
    SiteGradient,
    differentiate_course,
)
from nichedose.transport.engine import simulate
from nichedose.transport.exchange import exchange_rate, exchange_rates
from nichedose.transport.flow import (
    FlowEdge,
    FluidParameters,
    InterstitialFlow,
    interstitial_flow,
    normal_tissue_edge,
)
from nichedose.transport.gradient import TransportGradient, differentiate
from nichedose.transport.jax_engine import (
    FixedSteps,
    TransportInputs,
    jax_label_integrals,
    log_times,
    simulate_jax,
    transport_inputs,
)
from nichedose.transport.network import Batch, Binding, Change, Ligand, Site
from nichedose.transport.size import (
    SizeProperties,
    ligand_from_radius,
    ligand_from_size,
    matrix_hindrance,
    mouse_plasma_clearance_per_h,
)
from nichedose.transport.solution import LabelLedger, LigandKinetics, TissueTransport, TransportSolution
from nichedose.transport.supply import Given, Sampled, Supply

__all__ = [
    "Batch", "BatchGradient", "BatchLedger", "Binding", "Change", "ChipTissue", "CourseGradient", "CourseSolution",
    "FixedSteps", "FlowEdge", "FluidParameters", "Given", "InterstitialFlow", "LabelLedger", "Ligand",
    "LigandGradient", "LigandKinetics", "Sampled", "Site", "SiteGradient", "SizeProperties", "Supply",
    "TissueTransport", "TransportGradient", "TransportInputs", "TransportSolution", "around_resolved_vessels",
    "around_vessels", "chip_tissue", "differentiate", "differentiate_course", "estimate_cost", "exchange_rate",
    "exchange_rates", "interstitial_flow", "jax_label_integrals", "ligand_from_radius", "ligand_from_size",
    "log_times", "matrix_hindrance", "mouse_plasma_clearance_per_h", "normal_tissue_edge", "simulate",
    "simulate_course", "simulate_jax", "transport_inputs", "trapping_per_h",
]
