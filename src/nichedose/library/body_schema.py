"""What the library must say about the body: organs of reference adults, and how a labelled form moves through them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from nichedose.values import Value

__all__ = [
    "AntibodyExchange", "BodyKinetics", "CompetitorKinetics", "OrganPhysiology", "Physiology", "ReferencePatient",
]

Scaling = Literal["surface", "constant", "remainder"]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OrganPhysiology(_Entry):
    """One organ of the reference adults; its volume is its mass at 1 g/mL. One of the two flows is given."""

    scaling: Scaling = Field(description="with body surface; constant; or what the other organs leave of the weight")
    portal: bool = Field(default=False, description="drains into the liver")
    male_mass_g: Value
    female_mass_g: Value
    flow_share: Value | None = Field(default=None, description="of the plasma flow of the whole body")
    flow_mL_per_min_per_g: Value | None = Field(default=None, description="plasma flow")
    plasma_fraction: Value = Field(description="plasma in vessels, per volume of organ")
    interstitial_fraction: Value | None = Field(default=None, description="None: ligand stays in the vessels")
    permeability_mL_per_min_per_g: Value | None = Field(default=None, description="x surface, peptide of about 1 kDa")


class AntibodyExchange(_Entry):
    """Two-pore capillary wall and endosomes, for proteins."""

    small_pore_radius_nm: Value
    large_pore_radius_nm: Value
    large_pore_conductance_share: Value
    isogravimetric_flow_share: Value = Field(description="circular flow through the pores over lymph flow")
    filtration_pressure_mmHg: Value = Field(description="net pressure that drives lymph through the wall")
    lymph_share: Value = Field(description="lymph flow over plasma flow of an organ")
    endosomal_transit_per_h: Value


class Physiology(_Entry):
    """Reference adults and how they scale."""

    male_weight_kg: Value
    female_weight_kg: Value
    male_height_cm: Value
    female_height_cm: Value
    male_plasma_L_per_m2: Value = Field(description="times (1 - haematocrit) times body surface")
    female_plasma_L_per_m2: Value
    plasma_flow_per_min: Value = Field(description="plasma flow of the whole body over plasma volume")
    haematocrit: Value
    gfr_mL_per_min_per_1p73m2: Value = Field(description="at 65 years, for a patient without a measured one")
    gfr_loss_per_year: Value
    voiding_per_h: Value
    gut_transit_per_h: Value
    metabolite_distribution_L_per_kg: Value
    organs: dict[str, OrganPhysiology]
    antibody: AntibodyExchange


class ReferencePatient(_Entry):
    """The patient in whom a form's organ doses were published: from there they are scaled to another."""

    weight_kg: Value
    height_cm: Value
    age_years: Value
    gfr_mL_per_min: Value
    tumour_volume_mL: Value
    tumour_target_nmol_per_L: Value


class CompetitorKinetics(_Entry):
    """An unlabelled small molecule that takes the sites of ``target`` and leaves by filtration."""

    target: str
    also_known_as: tuple[str, ...] = ()
    note: str | None = None
    dissociation_constant_nmol_per_L: Value
    association_rate_L_per_nmol_per_h: Value
    free_fraction: Value = Field(description="in plasma")
    filtration_per_gfr: Value = Field(description="plasma cleared by filtration over GFR, protein binding left aside")
    permeability_factor: Value = Field(description="multiplies the permeabilities of the physiology")


class BodyKinetics(_Entry):
    """How one labelled form moves through the body. Affinity, size and rates in tumour are those of the form itself.

    ``target_nmol_per_L``: binding sites per volume of organ; an organ without one binds nothing.
    ``internalisation_per_h`` and ``release_per_h`` hold ``default`` and, where known, single organs.
    """

    form: str
    molecule: Literal["peptide", "antibody"]
    free_fraction: Value = Field(description="of ligand in plasma: what passes vessel walls and is filtered")
    filtration_per_gfr: Value = Field(description="plasma cleared by filtration over GFR, protein binding left aside")
    tubular_return: Value = Field(description="share of the filtrate that returns to plasma")
    tubular_retention: Value = Field(description="share of the filtrate that tubular cells take up and keep")
    amino_acid_factor: Value = Field(description="multiplies tubular retention while amino acids are infused")
    regimen_has_amino_acids: bool = Field(description="the tubular retention above was found under amino acids")
    hepatobiliary_mL_per_min: Value = Field(description="plasma cleared into bile by an adult liver")
    metabolism_per_h: Value = Field(description="loss of binding ligand in plasma")
    blood_cell_ratio: Value = Field(description="concentration in blood cells over plasma, at once in equilibrium")
    permeability_factor: Value = Field(description="multiplies the permeabilities of the physiology")
    target_nmol_per_L: dict[str, Value]
    internalisation_per_h: dict[str, Value]
    release_per_h: dict[str, Value]
    tumour_volume_mL: Value = Field(description="of all lesions together in a patient under this treatment")
    tumour_plasma_flow_mL_per_min_per_mL: Value
    tumour_permeability_mL_per_min_per_mL: Value
    fcrn_recycled_fraction: Value | None = None
    catabolism_L_per_day: Value | None = Field(default=None, description="plasma cleared by the endosomes")
    catabolite_release_per_h: Value | None = Field(
        default=None, description="loss of the label from the organ that broke its antibody down; None: at once")
    comorbidity: dict[str, dict[str, Value]] = Field(
        default_factory=dict, description="scenario: target density of organs in nmol/L that it replaces")
    reference: ReferencePatient
