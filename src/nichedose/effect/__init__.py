"""What dose does to cells: protraction, oxygen, mixed radiation, survival, BED, control, harm, immune course."""

from nichedose.effect.alpha_rbe import chain_rbe, hits_alpha_per_Gy, nucleus_per_Gy, rbe_by_energy, rbe_by_let
from nichedose.effect.bed import bed, bed_from_log_survival, dose_from_bed, eqd2, organ_bed, organ_g, rbe2
from nichedose.effect.bystander import Bystander, bystander_log_survival
from nichedose.effect.control import log_kill_for_control, scale_for_log_kill, tcp_birth_death, tcp_population
from nichedose.effect.eud import equivalent_uniform_dose, generalised_eud
from nichedose.effect.haematology import CTCAE, BloodCounts, blood_counts, toxicity_grade
from nichedose.effect.harm import HarmEstimate, organ_harm
from nichedose.effect.immune import Blockade, DoseRate, ImmuneCourse, ImmuneParameters, immune_course, time_to_size
from nichedose.effect.immune_calibration import ImmuneCalibration, calibrate_immune, combination_times
from nichedose.effect.mixed_field import Exposure, cycles_g, log_survival_mixed, pair_g
from nichedose.effect.ntcp import LymanCurve, dose_for_ntcp, ntcp
from nichedose.effect.oer_forms import OER_FORMS, OerForm, oer_form, track_oer_max
from nichedose.effect.organ_course import OrganBed, OrganCycle, organ_bed_course
from nichedose.effect.oxygen import oxygen_enhancement_ratio
from nichedose.effect.parameters import HIGH_LET, EffectParameters
from nichedose.effect.protraction import g_exponentials, lea_catcheside
from nichedose.effect.protraction_form import DoseToCome, dose_to_come, label_offsets, protraction_form
from nichedose.effect.region import (
    RegionEffect,
    dose_volume_histogram,
    equivalent_uniform_bed,
    region_effect,
    survival_histogram,
    tcp,
)
from nichedose.effect.repopulation import Repopulation, effective_time_h, fewest_left, repopulation_loss_Gy
from nichedose.effect.shifts import sensitivity_factor
from nichedose.effect.survival import log_survival, survival_terms
from nichedose.effect.within_voxel import DoseSpread, dose_spread, log_mean_course

__all__ = [
    "CTCAE", "HIGH_LET", "OER_FORMS", "Blockade", "BloodCounts", "Bystander", "DoseRate", "DoseSpread", "DoseToCome",
    "EffectParameters", "Exposure", "HarmEstimate", "ImmuneCalibration", "ImmuneCourse", "ImmuneParameters",
    "LymanCurve", "OerForm", "OrganBed", "OrganCycle", "RegionEffect", "Repopulation", "bed", "bed_from_log_survival",
    "blood_counts", "bystander_log_survival", "calibrate_immune", "chain_rbe", "combination_times", "cycles_g",
    "dose_for_ntcp", "dose_from_bed", "dose_spread", "dose_to_come", "dose_volume_histogram", "effective_time_h",
    "eqd2", "equivalent_uniform_bed", "equivalent_uniform_dose", "fewest_left", "g_exponentials", "generalised_eud",
    "hits_alpha_per_Gy", "immune_course", "label_offsets", "lea_catcheside", "log_kill_for_control", "log_mean_course",
    "log_survival", "log_survival_mixed", "ntcp", "nucleus_per_Gy", "oer_form", "organ_bed", "organ_bed_course",
    "organ_g", "organ_harm", "oxygen_enhancement_ratio", "pair_g", "protraction_form", "rbe2", "rbe_by_energy",
    "rbe_by_let", "region_effect", "repopulation_loss_Gy", "scale_for_log_kill", "sensitivity_factor",
    "survival_histogram", "survival_terms", "tcp", "tcp_birth_death", "tcp_population", "time_to_size",
    "toxicity_grade", "track_oer_max",
]
