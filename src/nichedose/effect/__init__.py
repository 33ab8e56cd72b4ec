"""What dose does to cells: protraction, oxygen, mixed radiation, survival, BED and tumour control."""

from nichedose.effect.bed import bed, bed_from_log_survival, dose_from_bed, eqd2, organ_bed, organ_g, rbe2
from nichedose.effect.oxygen import oxygen_enhancement_ratio
from nichedose.effect.parameters import HIGH_LET, EffectParameters
from nichedose.effect.protraction import g_exponentials, lea_catcheside
from nichedose.effect.region import (
    RegionEffect,
    dose_volume_histogram,
    equivalent_uniform_bed,
    region_effect,
    survival_histogram,
    tcp,
)
from nichedose.effect.survival import log_survival

__all__ = [
    "HIGH_LET", "EffectParameters", "RegionEffect", "bed", "bed_from_log_survival", "dose_from_bed",
    "dose_volume_histogram", "eqd2", "equivalent_uniform_bed", "g_exponentials", "lea_catcheside", "log_survival",
    "organ_bed", "organ_g", "oxygen_enhancement_ratio", "rbe2", "region_effect", "survival_histogram", "tcp",
]
