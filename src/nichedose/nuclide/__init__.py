"""Radionuclides: names, half-lives, emissions by quality, and decay chains."""

from nichedose.nuclide.chains import ChainMember, chain, chain_activities
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

__all__ = [
    "BetaSpectrum", "ChainMember", "Emissions", "Lines", "beta_bins", "canonical_name", "chain", "chain_activities",
    "decay_per_h", "emissions", "half_life_h", "known_nuclides",
]
