"""What a labelled form does in the body, in one draw: plain numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from nichedose.errors import BadInput, near_miss
from nichedose.library.body_schema import AntibodyExchange, BodyKinetics
from nichedose.library.schema import LabelledForm
from nichedose.values import Draw, Value

__all__ = ["BodyLigand", "Pores", "body_ligand"]

RADIUS_NM_PER_CUBE_ROOT_KDA, RADIUS_EXPONENT = 0.912, 0.333  # Schmidt and Wittrup 2009, as in transport


@dataclass(frozen=True)
class Pores:
    """Capillary wall with two kinds of pores, and endosomes; see the theory page."""

    small_radius_nm: float
    large_radius_nm: float
    large_conductance_share: float
    isogravimetric_share: float
    filtration_pressure_mmHg: float
    lymph_share: float
    endosomal_transit_per_h: float
    recycled_fraction: float
    catabolism_L_per_h: float
    catabolite_release_per_h: float | None = None


@dataclass(frozen=True)
class BodyLigand:
    """Rates of one ligand in one body; concentrations of target per organ volume. ``pores`` only for proteins.

    ``tumour_*`` are those of the form; ``internalisation_per_h`` and ``release_per_h`` hold ``default``.
    """

    name: str
    molecule: Literal["peptide", "antibody"]
    association_L_per_nmol_per_h: float
    dissociation_per_h: float
    radius_nm: float
    free_fraction: float
    filtration_per_gfr: float
    tubular_return: float
    tubular_retention: float
    amino_acid_factor: float
    hepatobiliary_L_per_h: float
    metabolism_per_h: float
    blood_cell_ratio: float
    permeability_factor: float
    target_nmol_per_L: Mapping[str, float]
    internalisation_per_h: Mapping[str, float]
    release_per_h: Mapping[str, float]
    tumour_internalisation_per_h: float
    tumour_release_per_h: float
    pores: Pores | None = None


def body_ligand(
    form: LabelledForm,
    kinetics: BodyKinetics,
    antibody: AntibodyExchange,
    draw: Draw | None = None,
    *,
    comorbidities: Sequence[str] = (),
    target_nmol_per_L: Mapping[str, float] | None = None,
) -> BodyLigand:
    """Numbers of ``form`` in one draw. Without amino acids unless the regimen gives them.

    ``comorbidities`` names scenarios of the set, ``target_nmol_per_L`` measured organ densities that replace it.
    Raises `BadInput` for a scenario that the set does not have.
    """
    draw = draw if draw is not None else Draw()
    key = f"form.{form.name}"

    def body(name: str, value: Value) -> float:
        return draw(f"{key}.body.{name}", value)

    def table(name: str, values: Mapping[str, Value]) -> dict[str, float]:
        return {organ: body(f"{name}.{organ}", value) for organ, value in values.items()}

    targets = table("target_nmol_per_L", kinetics.target_nmol_per_L)
    for scenario in comorbidities:
        if scenario not in kinetics.comorbidity:
            known = near_miss(scenario, kinetics.comorbidity)
            raise BadInput(f"{form.name}: no comorbidity scenario '{scenario}'.{known}")
        targets |= table(f"comorbidity.{scenario}", kinetics.comorbidity[scenario])
    targets |= dict(target_nmol_per_L or {})
    association = draw(f"{key}.association_rate_L_per_nmol_per_h", form.association_rate_L_per_nmol_per_h)
    affinity = draw(f"{key}.dissociation_constant_nmol_per_L", form.dissociation_constant_nmol_per_L)
    mass = draw(f"{key}.molar_mass_kDa", form.molar_mass_kDa)
    retention = body("tubular_retention", kinetics.tubular_retention)
    under_acids = body("amino_acid_factor", kinetics.amino_acid_factor)
    return BodyLigand(
        name=form.name,
        molecule=kinetics.molecule,
        association_L_per_nmol_per_h=association,
        dissociation_per_h=association * affinity,
        radius_nm=RADIUS_NM_PER_CUBE_ROOT_KDA * mass**RADIUS_EXPONENT,
        free_fraction=body("free_fraction", kinetics.free_fraction),
        filtration_per_gfr=body("filtration_per_gfr", kinetics.filtration_per_gfr),
        tubular_return=body("tubular_return", kinetics.tubular_return),
        tubular_retention=retention / under_acids if kinetics.regimen_has_amino_acids else retention,
        amino_acid_factor=under_acids,
        hepatobiliary_L_per_h=0.06 * body("hepatobiliary_mL_per_min", kinetics.hepatobiliary_mL_per_min),
        metabolism_per_h=body("metabolism_per_h", kinetics.metabolism_per_h),
        blood_cell_ratio=body("blood_cell_ratio", kinetics.blood_cell_ratio),
        permeability_factor=body("permeability_factor", kinetics.permeability_factor),
        target_nmol_per_L=targets,
        internalisation_per_h=table("internalisation_per_h", kinetics.internalisation_per_h),
        release_per_h=table("release_per_h", kinetics.release_per_h),
        tumour_internalisation_per_h=draw(f"{key}.internalisation_per_h", form.internalisation_per_h),
        tumour_release_per_h=draw(f"{key}.release_per_h", form.release_per_h),
        pores=_pores(kinetics, antibody, draw, body) if kinetics.molecule == "antibody" else None,
    )


def _pores(
    kinetics: BodyKinetics, antibody: AntibodyExchange, draw: Draw, body: Callable[[str, Value], float]
) -> Pores:
    assert kinetics.fcrn_recycled_fraction is not None and kinetics.catabolism_L_per_day is not None  # as checked

    def take(name: str) -> float:
        return draw(f"body.antibody.{name}", getattr(antibody, name))

    return Pores(
        small_radius_nm=take("small_pore_radius_nm"),
        large_radius_nm=take("large_pore_radius_nm"),
        large_conductance_share=take("large_pore_conductance_share"),
        isogravimetric_share=take("isogravimetric_flow_share"),
        filtration_pressure_mmHg=take("filtration_pressure_mmHg"),
        lymph_share=take("lymph_share"),
        endosomal_transit_per_h=take("endosomal_transit_per_h"),
        recycled_fraction=body("fcrn_recycled_fraction", kinetics.fcrn_recycled_fraction),
        catabolism_L_per_h=body("catabolism_L_per_day", kinetics.catabolism_L_per_day) / 24.0,
        catabolite_release_per_h=None if kinetics.catabolite_release_per_h is None else body(
            "catabolite_release_per_h", kinetics.catabolite_release_per_h),
    )
