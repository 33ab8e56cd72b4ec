"""Tissue kinetics: a ligand between plasma, interstitium, target and cell, solved once for all its labels."""

from nichedose.transport.cost import estimate_cost
from nichedose.transport.engine import simulate
from nichedose.transport.exchange import exchange_rate
from nichedose.transport.flow import (
    FlowEdge,
    FluidParameters,
    InterstitialFlow,
    interstitial_flow,
    normal_tissue_edge,
)
from nichedose.transport.size import SizeProperties, ligand_from_size
from nichedose.transport.solution import LabelLedger, LigandKinetics, TissueTransport, TransportSolution

__all__ = [
    "FlowEdge",
    "FluidParameters",
    "InterstitialFlow",
    "LabelLedger",
    "LigandKinetics",
    "SizeProperties",
    "TissueTransport",
    "TransportSolution",
    "estimate_cost",
    "exchange_rate",
    "interstitial_flow",
    "ligand_from_size",
    "normal_tissue_edge",
    "simulate",
]
