"""Organ limits that a run states for itself, in the place of the library's."""

from __future__ import annotations

from collections.abc import Sequence

from nichedose.decide import OwnLimit
from nichedose.errors import BadInput, near_miss
from nichedose.library import Library
from nichedose.library.schema import OrganLimit
from nichedose.values import Value

__all__ = ["limits_with"]


def limits_with(library: Library, own: Sequence[OwnLimit]) -> tuple[OrganLimit, ...]:
    """The library's limits, with those of the same organ and quantity replaced by ``own``."""
    organs = {limit.organ for limit in library.limits}
    seen: dict[tuple[str, str], OwnLimit] = {}
    for limit in own:
        if limit.organ not in organs:
            raise BadInput(f"No limit is known for organ '{limit.organ}'.{near_miss(limit.organ, organs)}")
        key = limit.organ, limit.quantity
        if key in seen and seen[key].Gy != limit.Gy:
            raise BadInput(f"Two limits contradict each other: {limit.organ} {limit.quantity} {seen[key].Gy:g} Gy "
                           f"({seen[key].source}) and {limit.Gy:g} Gy ({limit.source}). Keep one.")
        if limit.Gy <= 0.0:
            raise BadInput(f"The limit of {limit.organ} is {limit.Gy:g} Gy; it must be above 0.")
        seen[key] = limit
    out = []
    for known in library.limits:
        mine = seen.get((known.organ, known.quantity))
        value = known.Gy if mine is None else Value(
            value=mine.Gy, evidence="assumed", note=f"set for this run: {mine.source}")
        out.append(known.model_copy(update={"Gy": value} if mine is None else {"Gy": value, "origin": mine.source}))
    lacking = [k for k in seen if k not in {(x.organ, x.quantity) for x in library.limits}]
    if lacking:
        organ, quantity = lacking[0]
        have = [x.quantity for x in library.limits if x.organ == organ]
        raise BadInput(f"No limit of {organ} is stated as {quantity}; the library's are {', '.join(have)}.")
    return tuple(out)
