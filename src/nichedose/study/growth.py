"""Clonogens that divide between administrations: what a case says of it, and what is told of it."""

from __future__ import annotations

from collections.abc import Mapping

from nichedose.case import EffectOptions
from nichedose.effect import Repopulation

__all__ = ["growth_of", "growth_text", "other_than_case", "outgrown"]


def growth_of(options: EffectOptions, doubling_time_h: float | None = None) -> Repopulation | None:
    """How clonogens grow between administrations: with ``doubling_time_h`` instead of the case's where it is given."""
    doubling = options.clonogen_doubling_time if doubling_time_h is None else doubling_time_h
    return None if doubling is None else Repopulation(doubling, options.regrowth_starts)


def growth_text(
    growth: Repopulation | None, counted: Mapping[str, tuple[int, int]], options: EffectOptions
) -> tuple[str, ...]:
    """What growth does to the log kills beside it, and where it is not what ``options`` of the case say; ``counted``:
    after which cycle fewest clonogens are left, of how many, by candidate."""
    if growth is None:
        return ()
    since = f" from {growth.starts_h / 24.0:g} d on" if growth.starts_h > 0.0 else ""
    since += other_than_case(growth.doubling_time_h, options)
    text = (f"Clonogens double every {growth.doubling_time_h / 24.0:g} d between administrations{since}: survival and "
            "log kill are those when fewest clonogens are left.")
    early = [f"{name}, {outgrown(*of)}" for name, of in counted.items() if of[0] < of[1]]
    if not early:
        return (text,)
    return text, f"Later cycles kill less than grows back: {'; '.join(early)} (at the medians)."


def other_than_case(doubling_time_h: float, options: EffectOptions) -> str:
    """In brackets, the case's doubling time where another was asked for."""
    stated = options.clonogen_doubling_time
    return "" if stated in (None, doubling_time_h) else f" (the case says {stated / 24.0:g} d)"


def outgrown(cycle: int, cycles: int) -> str:
    """When fewest clonogens are left.

    >>> outgrown(1, 6)
    'fewest are left after cycle 1 of 6'
    """
    return f"fewest are left after cycle {cycle} of {cycles}"
