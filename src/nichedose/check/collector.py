"""Gather the rows of every room."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from nichedose.check.row import CheckRow

__all__ = ["ROOMS", "collect"]

# One module of this package for each; a test fails when one with `rows()` is missing here.
ROOMS: tuple[str, ...] = (
    "nuclide", "nuclide_sources", "fields", "tissue", "tissue_input", "tissue_profile", "transport", "transport_flow",
    "transport_course", "transport_course_gradient", "transport_closure", "transport_gradient", "dose", "dose_kernels",
    "dose_photons", "dose_cells", "dose_volume", "organs", "body", "mouse", "culture", "body_population", "effect",
    "effect_forms", "decide", "decide_courses", "decide_questions",
)


def collect(rooms: Sequence[str] = ROOMS) -> list[CheckRow]:
    """All rows of ``rooms``, in their order; ids are unique. Modules load here, so that importing stays cheap."""
    found: list[CheckRow] = []
    for room in rooms:
        found += importlib.import_module(f"nichedose.check.{room}").rows()
    ids = [row.id for row in found]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise AssertionError(f"check rows with the same id: {', '.join(twice)}")
    return found
