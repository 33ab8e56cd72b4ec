"""Tables of the report: organs, surroundings, what decides, values with their sources."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nichedose.findings import Findings
from nichedose.report.courses import course_at
from nichedose.report.format import NOT_COMPUTED, bare_name, distribution, number, percent, range_of, unit_of
from nichedose.results import CandidateSummary, OrganDose, PlanResult
from nichedose.values import Source

__all__ = [
    "DecidingInput",
    "OrganRow",
    "SurroundingsRow",
    "ValueRow",
    "deciding_inputs",
    "organ_rows",
    "sources_used",
    "surroundings_names",
    "surroundings_rows",
    "value_rows",
]

QUANTITIES = {
    "absorbed_dose": "absorbed dose",
    "bed": "BED",
    "weighted_rbe5": "dose with alpha\u00a0×\u00a05",
}


@dataclass(frozen=True)
class OrganRow:
    """One organ of one candidate; ``share`` of the limit that course and prior dose take together, in per cent.

    ``course`` is the activity of the central run, at which the doses hold.
    """

    candidate: str
    course: str
    first: bool
    count: int
    organ: str
    quantity: str
    dose: str
    prior: str
    limit: str
    share: float | None
    share_text: str
    origin: str
    derived_from: str
    is_limiting: bool


@dataclass(frozen=True)
class SurroundingsRow:
    """Rank of one candidate under each assumption, and what its numbers rest on."""

    candidate: str
    ranks: tuple[str, ...]
    moves: bool
    escaped: str
    entered: str
    ledger: str
    grid_error: str


@dataclass(frozen=True)
class ValueRow:
    """One library value as used."""

    key: str
    central: str
    unit: str
    range: str
    distribution: str
    spread: str
    evidence: str
    read: str
    source: Source | None
    source_key: str
    locator: str
    note: str

    @property
    def is_assumed(self) -> bool:
        return self.evidence == "assumed"

    @property
    def text(self) -> str:
        """What the page's filter looks through, in lower case."""
        citation = self.source.citation if self.source else ""
        return " ".join((self.key, self.evidence, self.read, self.source_key, citation, self.note)).lower()


@dataclass(frozen=True)
class DecidingInput:
    """Share of the variance between the first two candidates that goes with an input; ``width`` in per cent."""

    name: str
    share: str
    width: float


def organ_rows(candidates: Sequence[CandidateSummary], mode: str) -> tuple[OrganRow, ...]:
    """All organs of all candidates that were evaluated in ``mode``."""
    rows: list[OrganRow] = []
    for candidate in candidates:
        outcome = candidate.modes.get(mode)
        if outcome is None:
            continue
        organs, given = outcome.organs, outcome.activity_MBq
        course = "" if given is None or not math.isfinite(given.central) else course_at(given.central, candidate.cycles)
        rows.extend(_organ_row(candidate.name, course, organ, i == 0, len(organs)) for i, organ in enumerate(organs))
    return tuple(rows)


def _organ_row(candidate: str, course: str, organ: OrganDose, first: bool, count: int) -> OrganRow:
    total = organ.dose_Gy + organ.prior_Gy
    limit = organ.limit_Gy
    share = total / limit if limit is not None and limit > 0.0 and math.isfinite(total / limit) else None
    return OrganRow(
        candidate,
        course,
        first,
        count,
        organ.organ,
        QUANTITIES.get(organ.quantity, organ.quantity.replace("_", " ")),
        _Gy(organ.dose_Gy),
        _Gy(organ.prior_Gy) if organ.prior_Gy else "none",
        _Gy(organ.limit_Gy, "no limit known"),
        None if share is None else round(100.0 * share, 2),
        percent(share) if share is not None else "",
        organ.origin,
        organ.derived_from or "",
        organ.is_limiting,
    )


def _Gy(value: float | None, without: str = NOT_COMPUTED) -> str:
    return without if value is None else NOT_COMPUTED if not math.isfinite(value) else f"{number(value)} Gy"


def surroundings_names(candidates: Sequence[CandidateSummary], stated: str) -> tuple[str, ...]:
    """The assumptions under which there are ranks, the case's own first."""
    names = dict.fromkeys(name for c in candidates for name in c.rank_by_surroundings)
    return tuple(sorted(names, key=lambda name: name != stated))


def surroundings_rows(candidates: Sequence[CandidateSummary], names: Sequence[str]) -> tuple[SurroundingsRow, ...]:
    """One row for each of ``candidates``; ranks are those of the central run in the deciding mode."""
    rows: list[SurroundingsRow] = []
    for candidate in candidates:
        ranks = {name: candidate.rank_by_surroundings.get(name) for name in names}
        places = {r for r in ranks.values() if r is not None}
        errors = "; ".join(f"{bare_name(k)} {percent(v)}" for k, v in candidate.draw_grid_error.items())
        closure = candidate.ledger_closure
        rows.append(
            SurroundingsRow(
                candidate.name,
                tuple("not ranked" if r is None else str(r) for r in ranks.values()),
                len(places) > 1,
                percent(candidate.escaped_fraction),
                percent(candidate.entered_fraction),
                NOT_COMPUTED if closure is None else number(closure),
                errors or NOT_COMPUTED,
            )
        )
    return tuple(rows)


def value_rows(result: PlanResult | Findings) -> tuple[ValueRow, ...]:
    """Every value that the run used, by key."""
    rows: list[ValueRow] = []
    for use in sorted(result.values_used, key=lambda u: u.key):
        value = use.value
        source = result.sources.get(value.source) if value.source else None
        rows.append(
            ValueRow(
                use.key,
                number(value.central),
                unit_of(use.key),
                range_of(value),
                distribution(value),
                {"uncertainty": "doubt about the value", "patients": "between patients", "both": "doubt and patients"}[
                    value.spread
                ],
                value.evidence,
                "" if value.read == "none" else value.read,
                source,
                value.source or "",
                value.locator or "",
                value.note or "",
            )
        )
    return tuple(rows)


def sources_used(result: PlanResult | Findings) -> tuple[Source, ...]:
    """Every source that the run knows, once, by key."""
    return tuple(result.sources[key] for key in sorted(result.sources))


def deciding_inputs(result: PlanResult) -> tuple[DecidingInput, ...]:
    """Strongest first; numbers that are not finite are left out."""
    pairs = [(name, share) for name, share in result.deciding_inputs if math.isfinite(share)]
    pairs.sort(key=lambda pair: -pair[1])
    return tuple(DecidingInput(name, percent(share), round(100.0 * share, 2)) for name, share in pairs)
