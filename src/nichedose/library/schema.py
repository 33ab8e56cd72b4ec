"""What a library entry must say. Units stand in the field names; every number is a `Value` with its source."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nichedose.values import Value

__all__ = [
    "Agent", "CellType", "DoseCoefficient", "FluidValues", "LabelledForm", "OrganLimit", "PhenotypeRule",
    "PlasmaKinetics",
    "Population", "Radiobiology", "RadionuclideClass", "Signature", "SurfaceGenes", "Target", "TissueParameters",
]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CellType(_Entry):
    """A cell type told apart by marker genes. ``is_clonogenic`` marks tumour cells, whose survival is counted."""

    name: str
    markers: tuple[str, ...]
    is_clonogenic: bool = False
    source: str
    note: str | None = None


class Target(_Entry):
    """A binding site. ``genes``: one, or the subunits of a heterodimer (the scarcer counts).

    ``host_density_ratio`` says how strongly each host bears it per transcript, relative to the first. A host is a cell
    type, ``matrix`` or ``vessel_wall``.
    """

    name: str
    genes: tuple[str, ...]
    description: str
    host_density_ratio: dict[str, Value]
    mean_density_nmol_per_L: Value = Field(description="mean over the section, per tissue volume")
    positive_fraction: Value = Field(description="fraction of host tumour cells that bear it; 1 if not on tumour cells")
    gene_to_protein_geometric_sd: Value
    local_error_geometric_sd: Value
    local_error_length_um: Value
    density_found_in: tuple[str, ...] = Field(
        default=(), description="tumours (radiobiology entries) in which the mean density was found; empty where it "
        "was found in none, and the range is wide")
    caution: str | None = None

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(self.host_density_ratio)


class PlasmaKinetics(_Entry):
    """Plasma concentration after a bolus, decay-corrected: sum of ``fraction_per_L`` exp(-ln2 t/half_life).

    ``fraction_per_L`` is the fraction of the injected amount per litre of plasma at time zero, for a body of
    ``reference_weight_kg``; a heavier body dilutes in proportion. Blood data are converted by haematocrit on entry.
    """

    tracer: str = Field(description="the labelled form in which it was measured, and where that differs from this one")
    fraction_per_L: tuple[Value, ...]
    half_life_h: tuple[Value, ...]
    reference_weight_kg: float
    entry: Literal["plasma", "blood converted by haematocrit"]

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if len(self.fraction_per_L) != len(self.half_life_h) or not self.half_life_h:
            raise ValueError("fraction_per_L and half_life_h must have the same length, at least one")
        return self


class DoseCoefficient(_Entry):
    """Organ dose per administered activity; ``weighted_rbe5`` is Gy with alpha dose times 5, as its source has it."""

    organ: str
    radionuclide: str
    quantity: Literal["absorbed_dose", "weighted_rbe5"]
    Gy_per_GBq: Value
    derived_from: str | None = Field(default=None, description="the label it was scaled from; None when measured")
    effective_half_life_h: Value | None = Field(
        default=None, description="of this organ's dose rate, for BED; that of the limit when absent")


class LabelledForm(_Entry):
    """A ligand with its chelator or prosthetic group: what binds, where it goes, and which radionuclides it carries."""

    name: str
    ligand: str
    target: str
    chelator: str
    radionuclides: tuple[str, ...]
    residualising: bool
    molar_mass_kDa: Value
    dissociation_constant_nmol_per_L: Value
    association_rate_L_per_nmol_per_h: Value
    internalisation_per_h: Value
    release_per_h: Value = Field(description="loss of internalised label from the tissue")
    plasma_free_fraction: Value
    plasma: PlasmaKinetics
    injected_nmol: Value = Field(description="total ligand, labelled and not, per administration")
    dose_limiting_organs: tuple[str, ...]
    dose_coefficients: tuple[DoseCoefficient, ...] = ()
    caution: str | None = None


class Agent(_Entry):
    """A labelled form with a radionuclide and the regimen in use."""

    name: str
    form: str
    radionuclide: str
    activity_MBq: Value = Field(description="per administration, 70 kg")
    cycles: int = Field(ge=1, le=20)
    interval_h: float = Field(gt=0)
    status: Literal["approved", "clinical trial", "compassionate use", "preclinical", "hypothetical"]
    regimen_source: str | None = None
    note: str | None = None
    published_lesion_Gy_per_GBq: Value | None = Field(
        default=None, description="lesion dose per activity in patients, set beside ours; no result depends on it")
    also_known_as: tuple[str, ...] = Field(default=(), description="product names by which a case may call it")


class OrganLimit(_Entry):
    """A limit in the quantity in which its source defined it, for the whole course."""

    organ: str
    quantity: Literal["absorbed_dose", "bed", "weighted_rbe5"]
    Gy: Value
    applies_to: Literal["beta", "alpha", "all"]
    alpha_beta_Gy: Value | None = None
    repair_half_time_h: Value | None = None
    effective_half_life_h: Value | None = Field(default=None, description="of the organ's dose rate, for BED")
    origin: str = Field(description="where it comes from: external beam, 131I experience, trial cap, activity cap")


class RadionuclideClass(_Entry):
    """A radionuclide that forms may carry, and the organ limits it falls under (physics: `nichedose.nuclide`)."""

    name: str
    limits: Literal["beta", "alpha"] = Field(description="alpha when it, or its chain, emits alpha particles")


class Signature(_Entry):
    """A list of genes whose joint expression stands for one property of the tissue."""

    name: str
    axis: str
    genes: tuple[str, ...] = Field(min_length=1)
    source: str
    note: str | None = None


class Population(_Entry):
    """Cells that a profile counts: by their type, by a gate on transcripts (gene -> least count), or by a name."""

    name: str
    label: str
    cell_type: str | None = None
    gates: tuple[dict[str, int], ...] = ()
    genes: tuple[str, ...] = Field(default=(), description="stand for the population in spots")
    words: tuple[str, ...] = Field(default=(), description="what files call such cells, in lower case")
    is_immune: bool = False
    source: str
    note: str | None = None


class PhenotypeRule(_Entry):
    """A named rule that calls a section inflamed, excluded or desert; ``numbers`` are its thresholds."""

    name: str
    method: Literal["contact", "tile_density", "ratio", "depth_profile"]
    description: str
    numbers: dict[str, Value]
    source: str


class SurfaceGenes(_Entry):
    """Genes of surface proteins that could be targets, of one family."""

    name: str
    genes: tuple[str, ...] = Field(min_length=1)
    source: str


class Radiobiology(_Entry):
    """LQ and oxygen parameters of a tumour type; relative effect by radiation quality."""

    name: str
    alpha_per_Gy: Value
    alpha_beta_Gy: Value
    repair_half_time_h: Value
    rbe_alpha_particle: Value
    rbe_auger: Value
    oer_max_low_let: Value
    oer_max_alpha_particle: Value
    oer_half_pressure_mmHg: Value
    clonogen_density_per_mm3: Value | None = None


class FluidValues(_Entry):
    """Interstitial fluid of any tumour: what filters, and what stands around it. What it flows through is tissue."""

    wall_conductivity_um_per_mmHg_s: Value = Field(description="hydraulic, of the vessel wall")
    vessel_mmHg: Value
    plasma_osmotic_mmHg: Value
    tissue_osmotic_mmHg: Value
    reflection: Value = Field(description="of plasma protein at the vessel wall")
    around_mmHg: Value = Field(description="fluid pressure in the tissue around the lesion")


class TissueParameters(_Entry):
    """Values that turn scores into fields, and that govern transport and oxygen in any tumour."""

    cell_density_per_mm3: Value = Field(description="all cells, mean over tissue")
    cell_radius_um: Value
    section_thickness_um: Value = Field(description="of a section in which cells were counted")
    nucleus_radius_um: Value
    rna_per_cell_geometric_sd: Value = Field(description="how far RNA per cell differs between cell types")
    marker_leak: Value = Field(description="level of a type's markers in all other cells, over that in its own")
    vessel_surface_per_cm: Value = Field(description="perfused vessel surface per tissue volume, section mean")
    vessel_contrast: Value = Field(description="exponent on the relative endothelial score; 0 = even, 1 = proportional")
    vessel_radius_um: Value
    perfusion_mL_per_min_per_mL: Value = Field(description="plasma flow at the mean vessel surface")
    permeability_factor: Value = Field(description="multiplies the size-based vessel permeability; one for all ligands")
    diffusivity_factor: Value = Field(description="tissue over free diffusivity (tortuosity, matrix), for all ligands")
    void_fraction_factor: Value = Field(description="multiplies the size-based accessible interstitial fraction")
    undetected_target_factor: Value = Field(
        description="multiplies the library's mean density of a target with too few counts for a map and no anchor")
    tissue_density_kg_per_L: Value
    protein_mass_fraction: Value = Field(description="protein in wet tumour tissue, for a Bmax per mass of protein")
    membrane_protein_mass_fraction: Value = Field(description="protein of a membrane preparation, in wet tissue")
    h_score_grade_factor: Value = Field(description="sites of cells stained one grade stronger over those before")
    h_score_all_or_none: Value = Field(
        description="how an H-score came about: 0, all cells stained alike; 1, a share of them fully, the others not")
    h_score_of_library_density: Value = Field(
        description="the score that the tumours would have in which the library's density of a target was found")
    oxygen_diffusivity_um2_per_s: Value
    oxygen_consumption_mmHg_per_s: Value
    oxygen_michaelis_mmHg: Value
    oxygen_vessel_mmHg: Value
    oxygen_signature_weight: Value = Field(
        description="of the hypoxia signature beside physics in the place of oxygen, when all its genes were measured")
    matrix_fibre_fraction: Value = Field(description="share of volume that fibres fill where the matrix field is 1")
    matrix_fibre_radius_nm: Value = Field(description="of the fibres that hinder diffusion")
    hydraulic_conductivity_um2_per_mmHg_s: Value = Field(
        description="of the interstitium, geometric mean over the section")
    matrix_conductivity_ratio: Value = Field(
        description="hydraulic conductivity where the matrix field is 1 over that where it is 0")
    hypoxia_half_mmHg: Value = Field(description="oxygen at which a target that follows hypoxia has changed by half")
    psma_hypoxia_loss: Value = Field(description="share of PSMA lost without oxygen, as an option of the case")
    caix_normoxic_share: Value = Field(description="CAIX with oxygen over that without, as an option of the case")
