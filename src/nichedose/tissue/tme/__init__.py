"""The tumour microenvironment of a section: what is where, what keeps whom out, which targets stand out."""

from nichedose.tissue.tme.options import ProfileOptions
from nichedose.tissue.tme.profile import TMEProfile, profile

__all__ = ["ProfileOptions", "TMEProfile", "profile"]
