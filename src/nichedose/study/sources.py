"""Every work that a value of a run may name."""

from __future__ import annotations

from nichedose.library.bodies import load_bodies
from nichedose.study.setup import Setup
from nichedose.values import Source

__all__ = ["sources_of"]


def sources_of(setup: Setup) -> dict[str, Source]:
    """The library's sources, those of the body's values, and what the case itself states."""
    found = {**setup.library.sources, **load_bodies().sources}
    if getattr(setup.case, "measured_uptake", None) or getattr(setup.case, "measured_activity", None):
        found["case"] = Source(key="case", citation="Measured uptake, as given in the case")
    return found
