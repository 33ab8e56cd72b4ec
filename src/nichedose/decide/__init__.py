"""From doses and survivals to a choice: tolerated activity, courses, comparison modes, ranking, and why, in words."""

from nichedose.decide.ascent import Ascent, ascend
from nichedose.decide.burden import Burden, course_burdens, scale_to_limits, worst_burden
from nichedose.decide.calibration import ReliabilityBin, brier_score, reliability
from nichedose.decide.candidate_course import CandidateCourse, course_in_mode
from nichedose.decide.constraints import Condition, OwnLimit, check_conditions, parse_condition, parse_limit
from nichedose.decide.course import (
    Administration,
    CourseEffect,
    course_effect,
    regular_course,
)
from nichedose.decide.decision import Decision, DecisionTable, make_decision
from nichedose.decide.information import InputValue, perfect_information, value_of_inputs
from nichedose.decide.inputs import deciding_inputs, noise_floor
from nichedose.decide.modes import Mode, activity_for_mode, solve_activity
from nichedose.decide.optimise import CourseSpace, OptimisedCourse, optimise_course, random_search
from nichedose.decide.outcome import OBJECTIVES, CourseOutcome, Objective, course_outcome, objective_named
from nichedose.decide.overlap import Overlap, overlap
from nichedose.decide.ranking import RankedCandidate, Ranking, non_dominated, probability_interval, rank
from nichedose.decide.response import AgentResponse, LesionResponse, OrganTerm
from nichedose.decide.sentences import CandidateFacts, sentence
from nichedose.decide.tolerance import (
    PriorDoses,
    Tolerance,
    max_tolerated_activity,
    organ_dose_per_activity,
    organ_doses,
)

__all__ = [
    "OBJECTIVES",
    "Administration",
    "AgentResponse",
    "Ascent",
    "Burden",
    "CandidateCourse",
    "CandidateFacts",
    "Condition",
    "CourseEffect",
    "CourseOutcome",
    "CourseSpace",
    "Decision",
    "DecisionTable",
    "InputValue",
    "LesionResponse",
    "Mode",
    "Objective",
    "OptimisedCourse",
    "OrganTerm",
    "Overlap",
    "OwnLimit",
    "PriorDoses",
    "RankedCandidate",
    "Ranking",
    "ReliabilityBin",
    "Tolerance",
    "activity_for_mode",
    "ascend",
    "brier_score",
    "check_conditions",
    "course_burdens",
    "course_effect",
    "course_in_mode",
    "course_outcome",
    "deciding_inputs",
    "make_decision",
    "max_tolerated_activity",
    "noise_floor",
    "non_dominated",
    "objective_named",
    "optimise_course",
    "organ_dose_per_activity",
    "organ_doses",
    "overlap",
    "parse_condition",
    "parse_limit",
    "perfect_information",
    "probability_interval",
    "random_search",
    "rank",
    "regular_course",
    "reliability",
    "scale_to_limits",
    "sentence",
    "solve_activity",
    "value_of_inputs",
    "worst_burden",
]
