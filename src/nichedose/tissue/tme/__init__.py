"""The tumour microenvironment of a section: what is where, what keeps whom out, which targets stand out."""

from nichedose.tissue.tme.change import ChangeReport, compare_profiles
from nichedose.tissue.tme.discover import discover_in_section, discover_targets
from nichedose.tissue.tme.lesion import BetweenSections, LesionProfile, lesion_profile
from nichedose.tissue.tme.options import ProfileOptions
from nichedose.tissue.tme.profile import profile
from nichedose.tissue.tme.ranked import Discovery
from nichedose.tissue.tme.result import TMEProfile

__all__ = [
    "BetweenSections", "ChangeReport", "Discovery", "LesionProfile", "ProfileOptions", "TMEProfile", "compare_profiles",
    "discover_in_section", "discover_targets", "lesion_profile", "profile",
]
