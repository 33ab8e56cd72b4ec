"""The case: one TOML file that says what to do. Validated, frozen, and free of defaults that belong to a model."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, field_validator, model_validator

from nichedose.anchors import CaseAnchor
from nichedose.errors import BadInput, near_miss
from nichedose.library.schema import Agent, LabelledForm
from nichedose.quantities import (
    ActivityMBq,
    AmountNmol,
    ConcentrationNmolPerL,
    DensityPerMm3,
    DoseGy,
    LengthMm,
    LengthUm,
    StartTimeH,
    TimeH,
)

__all__ = [
    "Administration", "Candidate", "Case", "Combination", "Competitor", "MeasuredActivityTable", "MeasuredUptake",
    "Patient", "PriorDose", "Section", "parse_case",
]

Surroundings = Literal["uniform", "mirror", "isolated"]
Mode = Literal["as_prescribed", "equal_activity", "equal_mean_dose", "equal_toxicity"]

BOUNDS = ("greater_than", "greater_than_equal", "less_than", "less_than_equal")
MAX_MEAN_DOSE_GY = 200.0  # far above any lesion's dose; beyond, survival models say nothing


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Section(_Part):
    """One tissue section of the lesion and how to read it."""

    path: str
    kind: Literal[
        "auto", "visium", "visium_hd", "xenium", "cosmx", "merscope", "geomx", "legacy_st", "spatialdata", "h5ad",
        "inform", "halo", "qupath", "mcmicro", "steinbock", "table", "synthetic"] = "auto"
    sample: str | None = Field(default=None, description="which sample, when the file holds several; 'all' for each")
    sample_key: str | None = Field(default=None, description="obs column that names the samples in an .h5ad")
    coordinate_unit: Literal["auto", "um", "pixel", "array"] = "auto"
    um_per_unit: float | None = Field(default=None, gt=0, description="coordinate scale, when the file cannot tell")
    layer: str | None = Field(default=None, description="layer of an .h5ad that holds raw counts; X when absent")
    composition: Literal["auto", "reported", "markers"] = Field(
        default="auto", description="cell types of spots: the file's own abundances if it has them, or marker genes")
    phenotype_key: str | None = Field(default=None, description="column that names the type of each cell")
    cell_count_key: str | None = Field(
        default=None, description="column that holds the number of cells (nuclei) counted in each spot")

    @model_validator(mode="after")
    def _one_say(self) -> Self:
        if self.phenotype_key is not None and self.composition == "markers":
            raise ValueError("phenotype_key names the cells' types, composition = 'markers' passes over them; drop one")
        return self


class Lesion(_Part):
    """Size of the lesion, what repeats along z, and what lies around the section (design, decision 5)."""

    diameter: LengthMm
    along_z: Literal["slab", "section"] = "slab"
    slab_thickness: LengthMm | None = Field(
        default=None, description="how far the section repeats along z; the diameter when absent")
    section_thickness: LengthUm = 10.0
    surroundings: Surroundings = "uniform"
    clonogen_density: DensityPerMm3 | None = Field(default=None, description="without it no TCP is printed")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.slab_thickness is not None and self.along_z == "section":
            raise ValueError("slab_thickness goes with along_z = 'slab'; with 'section' drop it")
        if self.slab_thickness is not None and self.slab_thickness > self.diameter:
            raise ValueError(f"slab_thickness ({self.slab_thickness:g} mm) exceeds the lesion's diameter "
                             f"({self.diameter:g} mm)")
        return self


class Daughters(_Part):
    """What becomes of progeny; without this part all of them decay where their parent did (design, decision 4).

    A daughter born on a carrier stays with the share of its state; the rest diffuses until it decays or is washed out
    through the walls of perfused vessels. No defaults: the numbers belong to the agent and are the user's to state.
    """

    retained_bound: float = Field(ge=0, le=1, description="share of daughters that stay where the carrier is bound")
    retained_internalised: float = Field(ge=0, le=1, description="the same inside cells")
    retained_free: float = Field(ge=0, le=1, description="the same on carriers that are not bound")
    diffusivity_um2_per_s: float = Field(gt=0, description="of a released daughter in tissue")
    permeability_um_per_s: float = Field(
        ge=0, description="of vessel walls for it; where blood flow limits, so much less that it says so")


OrganTarget = Annotated[
    Annotated[ConcentrationNmolPerL, Tag("density")] | Annotated[dict[str, ConcentrationNmolPerL], Tag("of_target")],
    Discriminator(lambda given: "of_target" if isinstance(given, dict) else "density"),
]


class Patient(_Part):
    """Who is treated. What is not given is that of the patients in whom the form's organ doses were published."""

    weight_kg: float = Field(default=70.0, ge=20, lt=400)
    height_cm: float | None = Field(default=None, ge=45, le=250)
    sex: Literal["male", "female"] | None = None
    age_years: float | None = Field(default=None, ge=18, le=115, description="of an adult")
    gfr_mL_per_min: float | None = Field(
        default=None, ge=2, le=250, description="glomerular filtration, not normalised to body surface")
    haematocrit: float | None = Field(default=None, ge=0.1, le=0.65, description="a fraction")
    tumour_volume_mL: float | None = Field(default=None, gt=0, description="of all lesions together")
    organ_volumes_mL: dict[str, float] = Field(default_factory=dict, description="measured, by organ")
    organ_targets: dict[str, OrganTarget] = Field(
        default_factory=dict, description="measured target density of organs, per organ volume; by target if there are "
                                          "several")
    comorbidities: tuple[str, ...] = Field(default=(), description="scenarios of the forms' whole-body sets")

    def organ_targets_of(self, target: str) -> dict[str, float]:
        """Measured densities of ``target`` by organ, nmol/L; those given without a target hold for any."""
        plain = {organ: given for organ, given in self.organ_targets.items() if not isinstance(given, dict)}
        named = self.organ_targets.get(target, {})
        return {**plain, **(named if isinstance(named, dict) else {})}


class Competitor(_Part):
    """Another, unlabelled molecule for the same sites, given with each part of an administration."""

    name: str = Field(description="a competitor of the library, or a labelled form with a whole-body set")
    amount: AmountNmol
    lead: StartTimeH = Field(default=0.0, description="how long before the labelled ligand")
    delay: StartTimeH = Field(default=0.0, description="how long after it")
    infusion: TimeH | None = Field(default=None, description="length; at once when absent")
    dissociation_constant: ConcentrationNmolPerL | None = Field(
        default=None, description="replaces the library's; required for a molecule that the library lacks")

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if self.lead > 0.0 and self.delay > 0.0:
            raise ValueError("a competitor starts before the labelled ligand (lead) or after it (delay), not both")
        return self


class Administration(_Part):
    """How each administration of a candidate is given."""

    ligand: AmountNmol | None = Field(
        default=None, description="labelled and not, per administration; as is usual with the form when absent")
    infusion: TimeH | None = Field(default=None, description="length; 15 min when absent")
    split: int = Field(default=1, ge=1, le=10, description="equal parts of one administration")
    split_interval: TimeH = Field(default=24.0, description="between the parts")
    predose: AmountNmol | None = Field(default=None, description="unlabelled ligand given before")
    predose_lead: TimeH = Field(default=1.0, description="how long before")
    competitor: Competitor | None = None
    amino_acids: bool | None = Field(default=None, description="as is usual with the form when absent")
    target_by_cycle: tuple[float, ...] = Field(
        default=(), description="tumour target in each cycle over that in the first; absent: the measured fall for "
        "PSMA, else constant")

    @field_validator("target_by_cycle")
    @classmethod
    def _over_the_first(cls, factors: tuple[float, ...]) -> tuple[float, ...]:
        if factors and not (factors[0] == 1.0 and all(0.0 <= f < math.inf for f in factors)):
            raise ValueError("numbers are the target of each cycle over that in the first, so the first is 1, and none "
                             f"is negative; got {', '.join(f'{f:g}' for f in factors)}")
        return factors


class MeasuredUptake(_Part):
    """Measured uptake of the lesion, decay-corrected: it sets the absolute uptake of every candidate on that form."""

    form: str
    time: TimeH = Field(description="after injection")
    percent_per_mL: float | None = Field(default=None, gt=0, description="of the injected activity per mL of lesion")
    suv: float | None = Field(default=None, gt=0, description="g/mL, by body weight")
    decay_corrected: bool = Field(description="to the time of injection; must be true")
    relative_sd: float = Field(default=0.15, ge=0, le=1)

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if (self.percent_per_mL is None) == (self.suv is None):
            raise ValueError("give one of percent_per_mL (% of injected activity per mL) and suv")
        if not self.decay_corrected:
            raise ValueError("decay_corrected = false: correct the value to the time of injection (multiply it by "
                             "exp(ln2 time / half-life)), then say true")
        return self

    def in_percent_per_mL(self, weight_kg: float) -> float:
        """Percent of the injected activity per mL of lesion, in a body of ``weight_kg``."""
        return self.percent_per_mL if self.percent_per_mL is not None else (self.suv or 0.0) * 0.1 / weight_kg


class MeasuredActivityTable(_Part):
    """Activity of this patient's organs, lesion or blood over time after one injection, in a table of its own.

    Columns and what is done with them: docs/how-to/measured_activity.md.
    """

    path: str
    form: str = Field(description="labelled form whose whole-body set describes what was injected")
    radionuclide: str = Field(description="its label, such as 177Lu or 68Ga")
    injected: ActivityMBq
    ligand: AmountNmol | None = Field(default=None, description="labelled and not; as is usual with the form")
    infusion: TimeH | None = Field(default=None, description="length; at once when absent")
    amino_acids: bool | None = Field(
        default=None, description="as is usual with the form when absent; none with another molecule")
    tracer: str | None = Field(
        default=None, description="name of another molecule that the form only stands in for, such as 68Ga-PSMA-11")
    calibration_sd: float = Field(
        default=0.05, ge=0, le=1, description="relative error that all points of a place share")


class CandidatePartner(_Part):
    """A partner drug of the library beside a candidate."""

    name: str
    lead: StartTimeH = Field(default=0.0, description="how long before the first administration it starts")
    delay: StartTimeH = Field(default=0.0, description="how long after the first administration it starts")
    stated: tuple[str, ...] = Field(default=(), description="what is known of the tumour, such as 'hyaluronan_high'")

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if self.lead > 0.0 and self.delay > 0.0:
            raise ValueError("a partner starts before the first administration (lead) or after it (delay), not both")
        return self


class Candidate(_Part):
    """An agent by its library name, or one defined in ``[[agents]]``; what is set here overrides its regimen."""

    agent: str
    activity: ActivityMBq | None = None
    cycles: int | None = Field(default=None, ge=1, le=20)
    interval: TimeH | None = None
    label: str | None = None
    partners: tuple[CandidatePartner, ...] = ()
    administration: Administration = Administration()


class Combination(_Part):
    """Two or more agents in one course, compared by `nichedose rank` beside single ones."""

    agents: tuple[str, ...] = Field(min_length=2)
    split: tuple[float, ...] | None = Field(
        default=None, description="share of each agent, sum 1; equal shares when absent")
    cycles: int = Field(ge=1, le=20)
    interval: TimeH
    offsets: tuple[StartTimeH, ...] | None = Field(
        default=None, description="delay of each agent within a cycle; none when absent")
    label: str | None = None
    partners: tuple[CandidatePartner, ...] = Field(default=(), description="beside all of the agents")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(set(self.agents)) != len(self.agents):
            raise ValueError("an agent stands twice in a combination; name each once")
        for name in ("split", "offsets"):
            given = getattr(self, name)
            if given is not None and len(given) != len(self.agents):
                raise ValueError(f"{name} has {len(given)} numbers for {len(self.agents)} agents")
        if self.split is not None and not (min(self.split) > 0.0 and abs(sum(self.split) - 1.0) <= 1e-6):
            raise ValueError(f"split {list(self.split)} must hold shares above 0 that sum to 1")
        if self.offsets is not None and self.cycles > 1 and max(self.offsets) >= self.interval:
            raise ValueError("cycles overlap impossibly: an offset reaches the next cycle; make the interval longer")
        return self

    @property
    def name(self) -> str:
        return self.label or " + ".join(self.agents)


Answer = Literal["targets_decline", "dead_cells_clear", "hypoxia_loses_target", "damage_changes_target",
                 "vessels_change"]


class TissueOptions(_Part):
    """What the tissue map takes into account beyond its plain form; see docs/theory/tissue_options.md."""

    hypoxia_couplings: tuple[Literal["PSMA", "CAIX"], ...] = Field(
        default=(), description="targets whose density follows oxygen; sizes assumed, wide")
    oxygen: Literal["physics", "combined"] = Field(
        default="physics", description="'combined': the hypoxia signature has a say in where oxygen is low")
    matrix_hindrance: bool = Field(
        default=False, description="dense matrix slows diffusion, large molecules more; sizes assumed")
    vessel_gradients: bool = Field(
        default=False, description="what is trapped around a voxel's own vessels before it has mixed; empty sites")


class EffectOptions(_Part):
    """What the survival model takes into account beyond its plain form; see docs/theory/effect_options.md."""

    oer: Literal["library", "low_let", "antonovic", "tinganelli", "furusawa", "barendsen"] = Field(
        default="library", description="form whose low-LET limit and K hold for electrons and photons")
    oer_alpha: Literal["library", "barendsen"] = Field(
        default="library", description="'barendsen': along the tracks of each radionuclide's own alphas")
    rbe_alpha: Literal["library", "howell"] = Field(
        default="library", description="'howell': by the energies of each radionuclide's own alphas")
    synergy: float = Field(
        default=0.0, ge=0, le=1, description="sqrt(beta) of alpha particles over that of electrons")
    slow_repair_half_time: TimeH | None = Field(default=None, description="of a second, slower component of repair")
    slow_repair_share: float = Field(default=0.5, gt=0, lt=1, description="of the damage that is repaired slowly")
    oxygen_within_voxels: bool = Field(default=False, description="cells near and far from vessels, in six classes")
    reoxygenation: bool = Field(default=False, description="cells of a voxel change places between cycles")
    alpha_dose_spread: float = Field(
        default=0.0, ge=0, le=1.5, description="coefficient of variation of alpha dose among a voxel's nuclei")
    clonogen_doubling_time: TimeH | None = Field(default=None, description="regrowth between cycles; none when absent")
    regrowth_starts: StartTimeH = Field(default=0.0, description="after the first administration")
    dna_repair: bool = Field(default=False, description="the section's repair score shifts sensitivity; size assumed")
    proliferation: bool = Field(
        default=False, description="the section's proliferation score shifts sensitivity; sign and size assumed")
    bystander: bool = Field(default=False, description="neighbours' signals kill; size assumed, wide")
    answer: tuple[Answer, ...] = Field(default=(), description="how the tumour changes from cycle to cycle")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.reoxygenation and not self.oxygen_within_voxels and self.alpha_dose_spread == 0.0:
            raise ValueError("reoxygenation deals a voxel's cells anew, so it needs oxygen_within_voxels = true (or an "
                             "alpha_dose_spread)")
        if self.regrowth_starts > 0.0 and self.clonogen_doubling_time is None:
            raise ValueError("regrowth_starts says from when clonogens double, so it needs clonogen_doubling_time")
        return self


class PriorDose(_Part):
    """Dose that an organ had before this course, in the quantity of the limit that it counts against."""

    organ: str
    dose: DoseGy
    quantity: Literal["absorbed_dose", "bed", "weighted_rbe5"] = "absorbed_dose"


class Comparison(_Part):
    modes: tuple[Mode, ...] = ("as_prescribed", "equal_mean_dose", "equal_toxicity")
    decide_by: Mode = "equal_toxicity"
    equal_activity: ActivityMBq = Field(default=1000.0, description="of the whole course, for the mode of that name")
    equal_mean_dose: DoseGy = Field(default=10.0, description="section mean over the whole course")
    scaling: Literal["fixed_ligand_mass", "fixed_molar_activity"] = "fixed_ligand_mass"

    @model_validator(mode="after")
    def _decide_by_a_mode(self) -> Self:
        if self.decide_by not in self.modes:
            raise ValueError(f"decide_by = '{self.decide_by}' is not among modes {list(self.modes)}; add it there")
        if not 0.0 < self.equal_mean_dose <= MAX_MEAN_DOSE_GY:
            raise ValueError(f"equal_mean_dose must be above 0 and at most {MAX_MEAN_DOSE_GY:g} Gy")
        return self


class Sampling(_Part):
    draws: int = Field(default=32, ge=0, le=4096)
    seed: int = Field(default=1, ge=0)
    workers: int | None = Field(
        default=None, ge=1, description="processes; all cores when absent; results do not depend on it")
    grid_spacing: LengthUm = 20.0
    draw_grid_spacing: LengthUm | None = Field(
        default=None, description="coarser grid for the draws; chosen when absent")
    full_draws: int | None = Field(
        default=None, ge=2, le=4096,
        description="draws repeated on the fine grid to measure the coarse grid's error; 16 from 128 draws on, when "
        "absent")
    body_posterior: Literal["weighted", "nuts"] = Field(
        default="weighted", description="how the posterior of measured activity is drawn: weighted draws around the "
        "most probable body, or Hamiltonian Monte Carlo (minutes; needs the extra bayes)")


class Output(_Part):
    folder: str
    overwrite: bool = False


class Case(_Part):
    """Everything that `nichedose plan` needs to know."""

    title: str
    tumour: str = Field(description="radiobiology entry of the library, for example 'prostate'")
    sections: tuple[Section, ...] = Field(min_length=1)
    lesion: Lesion
    daughters: Daughters | None = None
    patient: Patient = Patient()
    anchors: dict[str, CaseAnchor] = Field(
        default_factory=dict, description="what was measured of a target's mean in this lesion: a density per tissue "
        "volume, a Bmax per mass of tissue, protein or membrane protein, sites per cell, or an H-score")
    measured_uptake: tuple[MeasuredUptake, ...] = ()
    measured_activity: tuple[MeasuredActivityTable, ...] = ()
    candidates: tuple[Candidate, ...] = Field(min_length=1)
    combinations: tuple[Combination, ...] = ()
    forms: tuple[LabelledForm, ...] = ()
    agents: tuple[Agent, ...] = ()
    prior_doses: tuple[PriorDose, ...] = ()
    tissue: TissueOptions = TissueOptions()
    effect: EffectOptions = EffectOptions()
    comparison: Comparison = Comparison()
    sampling: Sampling = Sampling()
    output: Output

    @model_validator(mode="after")
    def _uptake_below_injection(self) -> Self:
        volume_mL = math.pi / 6.0 * self.lesion.diameter**3 * 1e-3
        for m in self.measured_uptake:
            per_mL = m.in_percent_per_mL(self.patient.weight_kg)
            if per_mL * volume_mL > 100.0:
                raise ValueError(f"measured_uptake of {m.form}: {per_mL:.3g} % per mL in a lesion of {volume_mL:.3g} "
                                 "mL is more than was injected; check the unit (percent per mL, not kBq/mL)")
        return self

    @model_validator(mode="after")
    def _unique_candidates(self) -> Self:
        labels = [c.label or c.agent for c in self.candidates] + [c.name for c in self.combinations]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f"candidates named twice: {', '.join(twice)}; give each its own label")
        return self


def parse_case(text: str, *, origin: str = "case") -> Case:
    """A `Case` from TOML text; raises `BadInput` that names the field, the value and the rule."""
    try:
        raw: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{origin}: not valid TOML: {error}") from error
    try:
        return Case.model_validate(raw)
    except ValidationError as error:
        found = error.errors()
        # an item that is wrong makes its list look empty: that second complaint is noise
        causes = [e for e in found if e["type"] != "too_short" or len(found) == 1]
        raise BadInput(f"{origin}: " + "\n".join(_explain(e, raw) for e in causes)) from error


def _explain(error: Any, raw: dict[str, Any]) -> str:
    place = _place(error["loc"], raw)
    if error["type"] == "extra_forbidden":
        return f"{place} is not a field of the case.{near_miss(str(error['loc'][-1]), _siblings(error['loc']))}"
    if error["type"] == "missing":
        return f"{place} is missing."
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] in BOUNDS:
        message = f"{message}; got {error['input']:g}.{_unit_hint(str(error['loc'][-1]), float(error['input']))}"
    return f"{place}: {message}" if place else message


def _place(location: tuple[Any, ...], raw: Any) -> str:
    """Where in the case, in words: ``'candidates.activity' of 90Y-FAPI-46 (number 2)``; empty for the whole case."""
    which = ""
    for part in location:
        many = isinstance(raw, list) and len(raw) > 1
        try:
            raw = raw[part]
        except (LookupError, TypeError):
            raw = None
        if isinstance(part, int):
            named = next((f" of {raw[k]}" for k in ("label", "name", "agent", "path", "organ", "form") if k in raw), ""
                         ) if isinstance(raw, Mapping) else ""
            which += named + (f" (number {part + 1})" if many else "")
    path = ".".join(str(p) for p in location if not isinstance(p, int))
    return f"'{path}'{which}" if path else ""


def _unit_hint(name: str, value: float) -> str:
    """What a number outside life was perhaps meant to be."""
    if name == "haematocrit" and 1.0 < value <= 65.0:
        return f" It is a fraction: {value / 100.0:g}, not {value:g} %."
    if name == "height_cm" and 0.45 <= value <= 2.5:
        return f" It is in cm: {value * 100.0:g}."
    if name == "gfr_mL_per_min" and 0.0 < value < 2.0:
        return " It is in mL/min, as measured."
    return ""


def _siblings(location: tuple[Any, ...]) -> list[str]:
    """Names that were allowed where an unknown one was found."""
    model: Any = Case
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        inner = [a for a in getattr(annotation, "__args__", ()) if isinstance(a, type) and issubclass(a, BaseModel)]
        model = inner[0] if inner else annotation
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return []
    return list(model.model_fields)


def resolve_path(case_path: Path, text: str) -> Path:
    """Paths in a case are relative to the case file."""
    path = Path(text).expanduser()
    return path if path.is_absolute() else case_path.parent / path
