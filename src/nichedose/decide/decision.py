"""A decision: who is best by an objective, how surely, at what price for the organs, and what would change it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from nichedose.decide.constraints import Condition, admissible, check_conditions
from nichedose.decide.information import FEWEST_DRAWS, InputValue, perfect_information, value_of_inputs
from nichedose.decide.modes import Mode
from nichedose.decide.outcome import BURDENS, Objective
from nichedose.decide.ranking import Ranking, non_dominated, rank
from nichedose.errors import BadInput, NotComputed
from nichedose.fields.grid import Array

__all__ = ["LARGEST_LOG_KILL", "Decision", "DecisionTable", "check_objective", "make_decision"]

_HELD_EQUAL: Mapping[Mode, Objective] = {"equal_mean_dose": "mean_dose", "equal_toxicity": "organ_burden"}
LARGEST_LOG_KILL = 10.0  # log kill above it is not told apart: few lesions hold more cells


@dataclass(frozen=True)
class DecisionTable:
    """Everything known of the candidates in one mode: ``values[candidate][objective]`` (n_draws,), NaN where not known.

    ``activities`` (n_agents, n_draws) by candidate, MBq per cycle; ``inputs`` (n_draws,) by key.
    ``not_evaluable`` says why a candidate is missing.
    """

    mode: Mode
    values: Mapping[str, Mapping[Objective, Array]]
    inputs: Mapping[str, Array] = field(default_factory=dict)
    activities: Mapping[str, Array] = field(default_factory=dict)
    not_evaluable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """``ranking`` of the admissible candidates; ``excluded`` says which condition the others fail, and how often.

    ``frontier``: candidates that no other beats in the objective without burdening the organs more (medians).
    ``dose_order``: the same candidates by mean dose, empty where the mode holds it equal. ``information`` is the
    expected gain of knowing everything first (EVPI), ``inputs`` what each input alone is worth; both None or empty
    with fewer than 32 draws, and for objectives of which less is better.
    """

    mode: Mode
    objective: Objective
    conditions: tuple[Condition, ...]
    ranking: Ranking
    excluded: Mapping[str, str]
    not_evaluable: Mapping[str, str]
    frontier: tuple[str, ...]
    dose_order: tuple[str, ...]
    information: float | None
    inputs: tuple[InputValue, ...]

    @property
    def best(self) -> str:
        return self.ranking.order[0]


def make_decision(
    table: DecisionTable, objective: Objective, conditions: Sequence[Condition] = (), *, confidence: float = 0.5
) -> Decision:
    """Rank the candidates of ``table`` by ``objective`` among those that meet all ``conditions`` in at least
    ``confidence`` of the draws. Log kill above 10 is not told apart.

    Raises `BadInput` for contradictory conditions, a confidence outside 0 to 1 or an objective that the mode holds
    equal, `NotComputed` where the objective or that of a condition is known for no candidate, or none is admissible.
    """
    check_conditions(conditions)
    check_objective(objective, table.mode)
    if not 0.0 < confidence <= 1.0:
        raise BadInput(f"confidence = {confidence:g}; it must be above 0 and at most 1.")
    known = {name: v for name, v in table.values.items() if np.isfinite(v[objective]).any()}
    missing = {name: f"{objective} is not known for it" for name in table.values if name not in known}
    for wanted in (objective, *(c.objective for c in conditions)):
        if not any(np.isfinite(v[wanted]).any() for v in table.values.values()):
            raise NotComputed(f"The objective {wanted} is known for no candidate in mode {table.mode}"
                              + (": state the lesion's clonogen_density." if wanted == "tcp" else "."))
    shares = {name: float(admissible(v, conditions).mean()) for name, v in known.items()}
    allowed = [name for name, share in shares.items() if share >= confidence]
    words = " and ".join(str(c) for c in conditions)
    excluded = {name: f"meets '{words}' in {100.0 * s:.0f} % of draws" for name, s in shares.items()
                if name not in allowed}
    if not allowed:
        best = max(shares, key=lambda name: shares[name])
        raise NotComputed(f"No candidate meets '{words}' in {100.0 * confidence:.0f} % of draws; {best} comes nearest "
                          f"({100.0 * shares[best]:.0f} %). Ask for less, or of fewer draws.")
    sign = -1.0 if objective in BURDENS else 1.0
    top = LARGEST_LOG_KILL if objective in ("log_kill", "worst_decile") else np.inf
    gains = {name: np.minimum(sign * known[name][objective], top) for name in allowed}
    median = {name: {o: _median(v) for o, v in known[name].items()} for name in allowed}
    information: float | None = None
    inputs: tuple[InputValue, ...] = ()
    draws = next(iter(gains.values())).size
    if draws >= FEWEST_DRAWS and len(allowed) > 1 and sign > 0.0:
        information = perfect_information(gains)
        inputs = value_of_inputs(gains, table.inputs)
    return Decision(
        mode=table.mode,
        objective=objective,
        conditions=tuple(conditions),
        ranking=rank(gains),
        excluded=excluded,
        not_evaluable={**table.not_evaluable, **missing},
        frontier=non_dominated({n: sign * m[objective] for n, m in median.items()},
                               {n: round(m["organ_burden"], 6) for n, m in median.items()}),
        dose_order=() if _HELD_EQUAL.get(table.mode) == "mean_dose" else tuple(
            sorted(allowed, key=lambda n: -median[n]["mean_dose"])),
        information=information,
        inputs=inputs,
    )


def check_objective(objective: Objective, mode: Mode) -> None:
    """Raise `BadInput` for an objective that ``mode`` holds equal: nothing but rounding would order the candidates."""
    if _HELD_EQUAL.get(mode) == objective:
        raise BadInput(f"In mode {mode} all candidates have the same {objective}, and nothing but rounding would order "
                       "them. Ask in another mode, for example as_prescribed, or by another objective.")


def _median(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")
