"""Another molecule for the sites of a ligand: how it moves, in one draw."""

from __future__ import annotations

import dataclasses

from nichedose.body.ligand import BodyLigand
from nichedose.library.body_schema import CompetitorKinetics
from nichedose.values import Draw

__all__ = ["small_competitor"]


def small_competitor(
    name: str, kinetics: CompetitorKinetics, ligand: BodyLigand, draw: Draw | None = None, *,
    dissociation_constant_nmol_per_L: float | None = None,
) -> BodyLigand:
    """Numbers of the molecule ``name`` beside ``ligand``: it meets the same targets, leaves by filtration alone, and
    goes inside with the target as ``ligand`` does. A ``dissociation_constant_nmol_per_L`` replaces the library's.

    >>> from nichedose.body import body_ligand
    >>> from nichedose.library import load_library
    >>> from nichedose.library.bodies import load_bodies
    >>> bodies = load_bodies()
    >>> psma = body_ligand(load_library().forms["PSMA-617"], bodies.of_form("PSMA-617"), bodies.physiology.antibody)
    >>> found = small_competitor("2-PMPA", bodies.competitors["2-PMPA"], psma)
    >>> round(found.dissociation_per_h / found.association_L_per_nmol_per_h, 3)
    0.28
    """
    draw = draw if draw is not None else Draw()

    def take(field: str) -> float:
        return draw(f"competitor.{name}.{field}", getattr(kinetics, field))

    association = take("association_rate_L_per_nmol_per_h")
    affinity = (dissociation_constant_nmol_per_L if dissociation_constant_nmol_per_L is not None
                else take("dissociation_constant_nmol_per_L"))
    return dataclasses.replace(
        ligand,
        name=name,
        molecule="peptide",
        association_L_per_nmol_per_h=association,
        dissociation_per_h=association * affinity,
        free_fraction=take("free_fraction"),
        filtration_per_gfr=take("filtration_per_gfr"),
        tubular_return=0.0,
        tubular_retention=0.0,
        amino_acid_factor=1.0,
        hepatobiliary_L_per_h=0.0,
        metabolism_per_h=0.0,
        blood_cell_ratio=0.0,
        permeability_factor=take("permeability_factor"),
        pores=None,
    )
