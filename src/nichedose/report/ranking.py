"""The answer: candidates in order, in each comparison mode, with dose beside survival."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nichedose.report.format import (
    LARGEST_LOG_KILL,
    NOT_COMPUTED,
    Shown,
    activity,
    chance,
    duration,
    log_kill,
    number,
    quantiles,
    survival,
)
from nichedose.report.svg import Axis, linear_axis
from nichedose.results import CandidateSummary, ModeResult, OrganDose, PlanResult, Quantiles

__all__ = ["MODE_TITLES", "ModePanel", "NotRanked", "RankRow", "Track", "course", "mode_panels"]

MODE_TITLES = {
    "equal_toxicity": ("Equal toxicity", "Each agent at the activity that its organ limits leave."),
    "equal_mean_dose": (
        "Equal mean dose",
        "Each agent at the activity that gives the tumour the same mean absorbed dose.",
    ),
    "equal_activity": ("Equal activity", "Each agent at the same activity over the whole course."),
    "as_prescribed": ("As prescribed", "Each agent at the activity of its own regimen."),
}
_REACH = 2.0  # the axis ends at this multiple of the largest log kill, or earlier
_TELLING = 2  # places between two ranks that are worth a word: one place is often a near tie
_NAMED = 3  # candidates named in that word
_TIE = 0.005  # doses closer than this (relative) are one dose
_TCP_WHY = "needs a clonogen density and a lesion volume in the case"


@dataclass(frozen=True)
class Track:
    """Dot, interval and ring of the central run in per cent of the axis; ``width`` and ``central`` None without draws,
    ``central`` also beyond the axis; ``cut`` where the interval goes on."""

    dot: float
    left: float | None
    width: float | None
    cut: bool
    central: float | None = None


@dataclass(frozen=True)
class RankRow:
    """One ranked candidate in one mode."""

    candidate: CandidateSummary
    course: str
    rank: int | None
    dose_rank: int | None
    track: Track | None
    log_kill: Shown
    mean_dose: Shown
    probability_best: Shown
    activity: Shown
    limiting: Shown
    more: tuple[tuple[str, Shown], ...]

    @property
    def ranks_differ(self) -> bool:
        return self.rank is not None and self.dose_rank is not None and abs(self.rank - self.dose_rank) >= _TELLING


@dataclass(frozen=True)
class NotRanked:
    """A candidate that could be computed, but has no place in this mode, and why."""

    candidate: CandidateSummary
    reason: str


@dataclass(frozen=True)
class ModePanel:
    """Everything that one mode shows."""

    mode: str
    title: str
    meaning: str
    is_deciding: bool
    axis: Axis
    rows: tuple[RankRow, ...]
    not_ranked: tuple[NotRanked, ...]
    dose_note: str
    beyond: bool  # some log kill or survival is not told apart


def mode_panels(result: PlanResult) -> tuple[ModePanel, ...]:
    """One panel for each mode that any candidate names; the deciding mode first."""
    modes = [result.decide_by] + [m for c in result.candidates for m in c.modes]
    return tuple(_panel(result, mode) for mode in dict.fromkeys(modes))


def course(candidate: CandidateSummary) -> str:
    """Number of administrations and their interval."""
    if candidate.cycles == 1:
        return "1 administration"
    return f"{candidate.cycles} × every {duration(candidate.interval_h)}"


def _panel(result: PlanResult, mode: str) -> ModePanel:
    ranked, left_out = [], []
    for candidate in result.candidates:
        outcome = candidate.modes.get(mode)
        if candidate.status == "not evaluable":
            continue
        if outcome is None or not outcome.evaluable:
            reason = outcome.reason if outcome is not None else ""
            left_out.append(NotRanked(candidate, reason or "not computed in this mode"))
        else:
            ranked.append((candidate, outcome))
    ranked.sort(key=lambda pair: (pair[1].rank is None, pair[1].rank or 0, pair[0].name))
    axis = _axis([outcome.log_kill for _, outcome in ranked])
    dose_ranks = _dose_ranks(ranked)
    draws = int(result.draws.sizes.get("draw", 0))
    rows = tuple(_row(c, m, axis, dose_ranks.get(c.name), draws) for c, m in ranked)
    title, meaning = MODE_TITLES.get(mode, (mode.replace("_", " ").capitalize(), ""))
    note, beyond = _dose_note(rows, ranked), any(_reaches_beyond(outcome) for _, outcome in ranked)
    return ModePanel(mode, title, meaning, mode == result.decide_by, axis, rows, tuple(left_out), note, beyond)


def _reaches_beyond(outcome: ModeResult) -> bool:
    kills = (outcome.log_kill, outcome.log_kill_positive, outcome.log_kill_negative)
    found = [x for q in kills if q is not None for x in (q.central, q.typical, q.q05, q.q95)]
    worst = outcome.worst_decile_survival
    least = () if worst is None else (worst.typical, worst.q05, worst.q95)
    return any(x is not None and x > LARGEST_LOG_KILL for x in found) or any(
        x is not None and x < 10.0**-LARGEST_LOG_KILL for x in least
    )


def _row(candidate: CandidateSummary, outcome: ModeResult, axis: Axis, dose_rank: int | None, draws: int) -> RankRow:
    why = outcome.reason or "no reason was recorded"
    more = (
        ("Log kill, central run (as in maps and histograms)", log_kill(_central(outcome.log_kill), why=why)),
        (
            "Log kill, target-positive cells",
            log_kill(outcome.log_kill_positive, why="no target-positive tumour cells were told apart"),
        ),
        (
            "Log kill, target-negative cells",
            log_kill(outcome.log_kill_negative, why="no target-negative tumour cells were told apart"),
        ),
        ("Survival in the worst decile", survival(outcome.worst_decile_survival, why=why)),
        ("BED", quantiles(outcome.bed_Gy, "Gy", why=why)),
        ("Tumour control probability", _chances(outcome.tcp, _TCP_WHY)),
    )
    return RankRow(
        candidate,
        course(candidate),
        outcome.rank,
        dose_rank,
        _track(outcome.log_kill, axis),
        log_kill(outcome.log_kill, why=why),
        quantiles(outcome.mean_dose_Gy, "Gy", why=why),
        _probability(outcome, draws),
        activity(outcome.activity_MBq, why=why),
        _limiting(outcome, draws),
        more,
    )


def _axis(values: Sequence[Quantiles | None]) -> Axis:
    """From zero past every dot, but not past `LARGEST_LOG_KILL`.

    An interval that reaches far beyond all dots is cut: it must not squeeze the others.
    """
    found = [q for q in values if q is not None and math.isfinite(q.typical)]
    dots = [q.typical for q in found]
    ends = [x for q in found for x in (q.q05, q.q95) if x is not None and math.isfinite(x)]
    top = min(max([*dots, 0.1]), LARGEST_LOG_KILL)
    high = min(max([*ends, top]), _REACH * top, LARGEST_LOG_KILL)
    return linear_axis(min([0.0, *dots]), max(top, high), label="log kill")


def _track(value: Quantiles | None, axis: Axis) -> Track | None:
    if value is None or not math.isfinite(value.typical):
        return None
    low, high = value.q05, value.q95
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return Track(axis.place(value.typical), None, None, False)
    left = axis.place(low)
    central = axis.place(value.central) if axis.low <= value.central <= axis.high else None
    return Track(axis.place(value.typical), left, round(axis.place(high) - left, 3), high > axis.high, central)


def _dose_ranks(ranked: Sequence[tuple[CandidateSummary, ModeResult]]) -> dict[str, int]:
    """Places by mean absorbed dose; doses within half a per cent share a place; empty where all doses are one."""
    doses = {
        c.name: m.mean_dose_Gy.typical
        for c, m in ranked
        if m.mean_dose_Gy is not None and math.isfinite(m.mean_dose_Gy.typical)
    }
    places = {name: 1 + sum(other > dose * (1.0 + _TIE) for other in doses.values()) for name, dose in doses.items()}
    return {} if set(places.values()) <= {1} else places


def _dose_note(rows: Sequence[RankRow], ranked: Sequence[tuple[CandidateSummary, ModeResult]]) -> str:
    if len(ranked) < 2 or any(not row.mean_dose.computed for row in rows):
        return ""
    if all(row.dose_rank is None for row in rows):
        return "All have the same mean dose here; what differs is where the dose goes, how fast, and its quality."
    differing = [row for row in rows if row.ranks_differ]
    differing.sort(key=lambda r: -abs((r.rank or 0) - (r.dose_rank or 0)))
    if not differing:
        return ""
    named = "; ".join(
        f"{r.candidate.name} is number {r.rank} by log kill and number {r.dose_rank} by dose"
        for r in differing[:_NAMED]
    )
    return f"Mean dose and survival rank differently: {named}."


def _central(value: Quantiles | None) -> Quantiles | None:
    return None if value is None else Quantiles(value.central)


def _probability(outcome: ModeResult, draws: int) -> Shown:
    p, error = outcome.probability_best, outcome.probability_best_se
    if p is None or not math.isfinite(p):
        return Shown(NOT_COMPUTED, why="has no rival here" if draws else "needs draws", computed=False)
    if draws and p in (0.0, 1.0):
        return Shown(chance(p), f"{'none' if p == 0.0 else 'all'} of {draws} draws")
    known = error is not None and math.isfinite(error)
    return Shown(chance(p), f"± {100.0 * error:.2g} points" if known and error is not None else "")


def _chances(value: Quantiles | None, why: str) -> Shown:
    if value is None or not math.isfinite(value.typical):
        return Shown(NOT_COMPUTED, why=why, computed=False)
    low, high = value.q05, value.q95
    known = low is not None and high is not None and math.isfinite(low) and math.isfinite(high)
    return Shown(chance(value.typical), f"{chance(low)} to {chance(high)}" if known else "")


def _limiting(outcome: ModeResult, draws: int) -> Shown:
    organs = outcome.organs
    for organ in organs:
        if organ.is_limiting:
            if outcome.mode == "equal_toxicity":
                return Shown(organ.organ, _at_limit(organs, draws))
            total = number(organ.dose_Gy + organ.prior_Gy)
            dose = f"{total} Gy" if organ.limit_Gy is None else f"{total} of {number(organ.limit_Gy)} Gy"
            return Shown(organ.organ, f"{dose} in the central run" if draws else dose)
    return Shown(
        "none named",
        why="no organ dose reaches a limit in this mode" if organs else "no organ doses for this agent",
        computed=False,
    )


def _at_limit(organs: Sequence[OrganDose], draws: int) -> str:
    """The activity of this mode is solved in each draw; with several limited organs another may come first there."""
    if not draws:
        return "at its limit"
    if len({o.organ for o in organs if o.limit_Gy is not None}) == 1:
        return "at its limit in every draw"
    return "first in the central run; every draw is at a limit"
