"""What stands between a drug or a T cell and the tumour cells, in words that carry their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from nichedose.tissue.tme.composite import Composite
from nichedose.tissue.tme.infiltration import Infiltration
from nichedose.tissue.tme.neighbours import NeighbourStatistics
from nichedose.tissue.tme.vessels import VesselDensity

__all__ = ["Barrier", "barriers"]

Level = Literal["low", "moderate", "high", "unknown"]

# Steps between low, moderate and high: assumed, for orientation; the sentence gives the number itself.
EXCLUSION = (0.5, 0.2)  # CD8 density in nests over stroma; falls with the barrier
VESSEL_UM = (50.0, 100.0)  # tumour cell to the nearest endothelial cell; oxygen reaches about 100 um
NEST_UM = (100.0, 200.0)  # depth that a tenth of the nests' area exceeds
STROMA_SHARE = (0.3, 0.6)  # of the tissue's area
HYPOXIC_SHARE = (0.1, 0.3)  # of the tumour cells
TREG_RATIO = (0.25, 0.5)  # regulatory over CD8 T cells


@dataclass(frozen=True)
class Barrier:
    """One barrier: its level, the sentence, and the numbers in it."""

    name: str
    level: Level
    sentence: str
    numbers: Mapping[str, float]

    def as_dict(self) -> dict[str, object]:
        return {"level": self.level, "sentence": self.sentence, "numbers": dict(self.numbers)}


def barriers(
    cells: Mapping[str, Infiltration],
    unknown: Mapping[str, str],
    neighbours: Mapping[str, NeighbourStatistics],
    composite: Composite,
    areas_mm2: Mapping[str, float],
    deep_um: float | None,
    vessels: VesselDensity | None = None,
) -> tuple[Barrier, ...]:
    """The barriers of one section. ``neighbours`` by 'source > target'; ``deep_um`` is the 90 % quantile of depth."""
    return (
        _exclusion(cells, unknown),
        _vessels(neighbours, unknown, vessels),
        _nests(deep_um),
        _stroma(areas_mm2),
        _hypoxia(composite),
        _regulatory(cells, unknown),
    )


def _graded(value: float, steps: tuple[float, float], *, falls: bool = False) -> Level:
    if falls:
        return "low" if value >= steps[0] else "moderate" if value >= steps[1] else "high"
    return "low" if value < steps[0] else "moderate" if value < steps[1] else "high"


def _missing(name: str, reason: str) -> Barrier:
    return Barrier(name, "unknown", f"Unknown: {reason}.", {})


def _exclusion(cells: Mapping[str, Infiltration], unknown: Mapping[str, str]) -> Barrier:
    name = "Exclusion of T cells"
    found = cells.get("cd8_t")
    if found is None:
        return _missing(name, unknown.get("cd8_t", "CD8 T cells were not found"))
    r = found.nest_to_stroma.value
    if r is None:
        return _missing(name, "there are no nests, no stroma, or no CD8 T cells in stroma")
    interval = ""
    if found.nest_to_stroma.low is not None and found.nest_to_stroma.high is not None:
        interval = f" (90 % interval {found.nest_to_stroma.low:.2g} to {found.nest_to_stroma.high:.2g})"
    text = f"CD8 T cells are {r:.2g} times as dense in nests as in stroma{interval}."
    return Barrier(name, _graded(r, EXCLUSION, falls=True), text, {"nest_to_stroma": r})


def _vessels(
    neighbours: Mapping[str, NeighbourStatistics], unknown: Mapping[str, str], vessels: VesselDensity | None
) -> Barrier:
    name = "Distance to vessels"
    found = neighbours.get("tumour > endothelial")
    if found is None:
        reason = unknown.get("endothelial", "single cells are needed, and at least 20 endothelial cells")
        return _missing(name, reason)
    beyond = 1.0 - found.g[found.radii_um.index(100.0)]
    text = (
        f"Half of the tumour cells lie within {found.median_um:.0f} um of an endothelial cell, {100 * beyond:.0f} % "
        "farther than 100 um. Endothelial cells in a plane are not all the vessels that supply it."
    )
    numbers = {"median_um": found.median_um, "share_beyond_100um": beyond}
    if vessels is not None and vessels.per_mm2.value is not None:
        text += f" {vessels.sentence}"
        numbers["vessel_profiles_per_mm2"] = vessels.per_mm2.value
    return Barrier(name, _graded(found.median_um, VESSEL_UM), text, numbers)


def _nests(deep_um: float | None) -> Barrier:
    name = "Depth of nests"
    if deep_um is None:
        return _missing(name, "the section has no border between nests and stroma")
    text = f"A tenth of the nests' area lies deeper than {deep_um:.0f} um below their border."
    return Barrier(name, _graded(deep_um, NEST_UM), text, {"depth_q90_um": deep_um})


def _stroma(areas_mm2: Mapping[str, float]) -> Barrier:
    nest, stroma = areas_mm2["nest"], areas_mm2["stroma"]
    share = stroma / (nest + stroma) if nest + stroma > 0.0 else 0.0
    text = f"Stroma takes up {100 * share:.0f} % of the tissue ({stroma:.2f} of {nest + stroma:.2f} mm2)."
    return Barrier("Stroma", _graded(share, STROMA_SHARE), text, {"stroma_share": share})


def _hypoxia(composite: Composite) -> Barrier:
    name = "Hypoxia"
    axis = composite.axes["hypoxic"]
    if axis.share is None or axis.share.value is None:
        return _missing(name, axis.unknown or "the score abstains")
    share = axis.share.value
    text = (
        f"{100 * share:.0f} % of the tumour cells lie where the hypoxia score is at least twice the section's mean. "
        "The score is relative to this section: it finds places, not a pressure."
    )
    return Barrier(name, _graded(share, HYPOXIC_SHARE), text, {"share": share})


def _regulatory(cells: Mapping[str, Infiltration], unknown: Mapping[str, str]) -> Barrier:
    name = "Regulatory T cells"
    treg, cd8 = cells.get("treg"), cells.get("cd8_t")
    if treg is None or cd8 is None or cd8.contact_share is None:
        reason = unknown.get("treg") or unknown.get("cd8_t") or "spots do not count cells"
        return _missing(name, reason)
    if not cd8.cells:
        return _missing(name, "there are no CD8 T cells to compare with")
    r = treg.cells / cd8.cells
    text = f"{treg.cells:.0f} regulatory and {cd8.cells:.0f} CD8 T cells were counted: {r:.2g} to 1."
    return Barrier(name, _graded(r, TREG_RATIO), text, {"treg_to_cd8": r})
