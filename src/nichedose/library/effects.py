"""Library entries behind optional parts of the effect model: immune course, harm to organs, bystanders, shifts."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from nichedose.values import Value

__all__ = ["EffectValues", "ImmuneData", "ImmuneExperiment", "ImmunePhenotype", "ImmunePriors", "OrganHarm"]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ImmunePriors(_Entry):
    """What the immune course takes from elsewhere; see docs/theory/immune.md for each."""

    growth_fold: Value
    baseline_signal: Value
    suppression: Value
    regulation: Value
    half_antigen: Value
    clearance_per_d: Value
    turnover_per_d: Value
    lymphocyte_alpha_per_Gy: Value
    lymphocyte_share: Value
    blockade_days: Value
    median_error: Value


class ImmuneExperiment(_Entry):
    """A mouse series with four arms; the times are medians in days. The combination is never fitted."""

    radionuclide: str
    model: str
    source: str
    control_d: float = Field(gt=0)
    radiation_d: float = Field(gt=0)
    checkpoint_d: float = Field(gt=0)
    combination_d: float = Field(gt=0)
    combination_at_least: bool = Field(description="the median was not reached by then")
    dose_Gy: Value
    half_life_d: Value


class ImmunePhenotype(_Entry):
    """How much of the effectors' kill reaches tumour cells, relative to an inflamed tumour."""

    infiltration: Value


class ImmuneData(_Entry):
    """All that `nichedose.effect.calibrate_immune` and the timing of partners need."""

    prior: ImmunePriors
    experiment: dict[str, ImmuneExperiment]
    phenotype: dict[str, ImmunePhenotype]


class OrganHarm(_Entry):
    """A Lyman curve of harm to an organ, in the quantity in which it was found; shown, never a limit."""

    organ: str
    harm: str
    quantity: str = Field(description="what dose_Gy is: mean absorbed dose, BED, in fractions or protracted")
    half_Gy: Value
    slope: Value
    origin: str


class EffectValues(_Entry):
    """Numbers of options that are off unless a case turns them on."""

    bystander_most_killed: Value
    bystander_scale_Gy: Value
    dna_repair_log_change_per_sd: Value
    proliferation_log_change_per_sd: Value
