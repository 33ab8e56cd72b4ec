"""Tables of the report: organs, surroundings, values with their sources, and whatever a mapping holds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nichedose.report.format import NOT_COMPUTED, distribution, humanise, number, percent, range_of, unit_of
from nichedose.results import CandidateSummary, OrganDose, PlanResult
from nichedose.values import Source

__all__ = [
    "DecidingInput",
    "Node",
    "OrganRow",
    "SurroundingsRow",
    "ValueRow",
    "deciding_inputs",
    "describe",
    "organ_rows",
    "sources_used",
    "surroundings_names",
    "surroundings_rows",
    "value_rows",
]

QUANTITIES = {
    "absorbed_dose": "absorbed dose",
    "bed": "BED",
    "weighted_rbe5": "dose with alpha × 5",
}


@dataclass(frozen=True)
class OrganRow:
    """One organ of one candidate; ``share`` of the limit, prior dose included, or None without a limit."""

    candidate: str
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
    """How strongly an input decides; ``width`` in per cent of the strongest."""

    name: str
    strength: str
    width: float
    negative: bool


@dataclass(frozen=True)
class Node:
    """Anything a mapping held, ready to print: a text, named parts, or a table."""

    text: str = ""
    parts: tuple[tuple[str, Node], ...] = ()
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def organ_rows(candidates: Sequence[CandidateSummary], mode: str) -> tuple[OrganRow, ...]:
    """All organs of all candidates that were evaluated in ``mode``."""
    rows: list[OrganRow] = []
    for candidate in candidates:
        outcome = candidate.modes.get(mode)
        organs = outcome.organs if outcome is not None else ()
        rows.extend(_organ_row(candidate.name, organ, i == 0, len(organs)) for i, organ in enumerate(organs))
    return tuple(rows)


def _organ_row(candidate: str, organ: OrganDose, first: bool, count: int) -> OrganRow:
    known = (
        organ.limit_Gy is not None
        and math.isfinite(organ.limit_Gy)
        and organ.limit_Gy > 0
        and math.isfinite(organ.dose_Gy)
    )
    share = organ.dose_Gy / organ.limit_Gy if known and organ.limit_Gy is not None else None
    return OrganRow(
        candidate,
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


def surroundings_rows(
    candidates: Sequence[CandidateSummary], names: Sequence[str], decide_by: str, stated: str
) -> tuple[SurroundingsRow, ...]:
    """One row for each candidate that was computed, in the order of the deciding mode."""
    rows: list[SurroundingsRow] = []
    for candidate in candidates:
        outcome = candidate.modes.get(decide_by)
        own = outcome.rank if outcome is not None else None
        ranks = {name: candidate.rank_by_surroundings.get(name) for name in names}
        if stated in ranks and ranks[stated] is None:
            ranks[stated] = own
        places = {r for r in [*ranks.values(), own] if r is not None}
        errors = "; ".join(f"{humanise(k)} {percent(v)}" for k, v in candidate.draw_grid_error.items())
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


def value_rows(result: PlanResult) -> tuple[ValueRow, ...]:
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


def sources_used(result: PlanResult) -> tuple[Source, ...]:
    """Every source that the run knows, once, by key."""
    return tuple(result.sources[key] for key in sorted(result.sources))


def deciding_inputs(result: PlanResult) -> tuple[DecidingInput, ...]:
    """Strongest first; numbers that are not finite are left out."""
    pairs = [(name, value) for name, value in result.deciding_inputs if math.isfinite(value)]
    top = max((abs(v) for _, v in pairs), default=0.0) or 1.0
    pairs.sort(key=lambda pair: -abs(pair[1]))
    return tuple(DecidingInput(name, number(v), round(100.0 * abs(v) / top, 2), v < 0) for name, v in pairs)


def describe(value: Any) -> Node:
    """A `Node` for nested mappings, sequences and scalars; a mapping of like mappings becomes a table."""
    if isinstance(value, Mapping):
        inner = list(value.values())
        heads = {tuple(v) for v in inner if isinstance(v, Mapping)}
        flat = all(isinstance(v, Mapping) and not any(isinstance(w, Mapping) for w in v.values()) for v in inner)
        if len(inner) > 1 and flat and len(heads) == 1:
            head = next(iter(heads))
            rows = tuple((str(k), *(_scalar(v[h]) for h in head)) for k, v in value.items())
            return Node(head=("", *(humanise(str(h)) for h in head)), rows=rows)
        return Node(parts=tuple((humanise(str(k)), describe(v)) for k, v in value.items()))
    if isinstance(value, (list, tuple, set, frozenset)) and any(isinstance(v, Mapping) for v in value):
        return Node(parts=tuple((str(i), describe(v)) for i, v in enumerate(value, start=1)))
    return Node(text=_scalar(value))


def _scalar(value: Any) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None:
        return "not stated"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, (list, tuple)):
        return ", ".join(_scalar(v) for v in value) or "none"
    if isinstance(value, (set, frozenset)):
        return ", ".join(sorted(_scalar(v) for v in value)) or "none"
    return str(value)
