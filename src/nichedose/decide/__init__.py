"""From doses and survivals to a choice: tolerated activity, comparison modes, ranking, and why, in words."""

from nichedose.decide.inputs import deciding_inputs, noise_floor
from nichedose.decide.modes import Mode, activity_for_mode, solve_activity
from nichedose.decide.ranking import RankedCandidate, Ranking, non_dominated, probability_interval, rank
from nichedose.decide.sentences import CandidateFacts, sentence
from nichedose.decide.tolerance import (
    PriorDoses,
    Tolerance,
    max_tolerated_activity,
    organ_dose_per_activity,
    organ_doses,
)

__all__ = [
    "CandidateFacts", "Mode", "PriorDoses", "RankedCandidate", "Ranking", "Tolerance", "activity_for_mode",
    "deciding_inputs", "max_tolerated_activity", "noise_floor", "non_dominated", "organ_dose_per_activity",
    "organ_doses", "probability_interval", "rank", "sentence", "solve_activity",
]
