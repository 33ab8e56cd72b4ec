"""Radionuclides: names, half-lives, emissions by quality, and decay chains."""

from nichedose.nuclide.chains import ChainMember, chain, chain_activities, progeny
from nichedose.nuclide.emissions import (
    BetaSpectrum,
    Emissions,
    Lines,
    beta_bins,
    decay_per_h,
    emissions,
    half_life_h,
)
from nichedose.nuclide.names import canonical_name, known_nuclides
from nichedose.nuclide.sources import SOURCES, Source, chosen_source

__all__ = [
    "SOURCES", "BetaSpectrum", "ChainMember", "Emissions", "Lines", "Source", "beta_bins", "canonical_name", "chain",
    "chain_activities", "chosen_source", "decay_per_h", "emissions", "half_life_h", "known_nuclides", "progeny",
]
