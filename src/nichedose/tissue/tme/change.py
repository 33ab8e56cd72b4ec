"""Two time points of one patient: what changed, beyond what sampling one piece of tissue or another explains."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.tissue.tme.infiltration import density, ratio
from nichedose.tissue.tme.raster import IntArray
from nichedose.tissue.tme.result import TMEProfile
from nichedose.tissue.tme.tiles import TileSums

__all__ = ["Change", "ChangeReport", "compare_profiles"]

LEVEL = 0.05
Z90 = 1.6448536269514722


@dataclass(frozen=True)
class Change:
    """One quantity before and after; ``fold`` = after over before with its 90 % interval.

    ``p``: two-sided, for no change, from the scatter between tiles (and sections); ``p_holm`` allows for the number of
    quantities that were tested (Holm). None where a value is zero or missing.
    """

    name: str
    before: float | None
    after: float | None
    fold: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None = None

    def as_dict(self) -> dict[str, object]:
        return dict(vars(self))


@dataclass(frozen=True)
class ChangeReport:
    """All changes, the sections they rest on, and a sentence. ``between_sections`` says whether the scatter between
    several sections of a time point is in the test; without it only that within each section is."""

    before: tuple[str, ...]
    after: tuple[str, ...]
    changes: tuple[Change, ...]
    between_sections: bool
    phenotype_before: str
    phenotype_after: str
    summary: str

    def as_dict(self) -> dict[str, object]:
        return {
            "before": list(self.before), "after": list(self.after), "summary": self.summary,
            "between_sections": self.between_sections, "immune_phenotype_before": self.phenotype_before,
            "immune_phenotype_after": self.phenotype_after, "changes": [c.as_dict() for c in self.changes],
        }


Statistic = Callable[[TileSums], Array]


def compare_profiles(
    before: TMEProfile | Sequence[TMEProfile], after: TMEProfile | Sequence[TMEProfile], *, samples: int = 2000,
    seed: int = 0,
) -> ChangeReport:
    """Compare the sections of two time points, which must have been profiled in the same way.

    Each quantity is compared on the logarithm; its error is that of resampled tiles, and of resampled sections where a
    time point has several. One section each cannot tell a change in time from a difference between two places of the
    tumour; the report says so. Raises `BadInput` when the sections are not comparable.
    """
    early = (before,) if isinstance(before, TMEProfile) else tuple(before)
    late = (after,) if isinstance(after, TMEProfile) else tuple(after)
    _comparable(early, late)
    names = [n for n in early[0].cells if all(n in p.cells for p in (*early, *late))]
    changes = []
    drawn = [_Drawn.of(group, samples, seed + i) for i, group in enumerate((early, late))]
    for name, statistic in _statistics(names).items():
        values = [d.value(statistic) for d in drawn]
        spreads = [d.spread(statistic) for d in drawn]
        changes.append(_change(name, values[0], values[1], spreads[0], spreads[1]))
    adjusted = _holm(changes)
    several = min(len(early), len(late)) > 1
    return ChangeReport(
        tuple(p.sample for p in early), tuple(p.sample for p in late), adjusted, several,
        "; ".join(dict.fromkeys(p.phenotype.summary for p in early)),
        "; ".join(dict.fromkeys(p.phenotype.summary for p in late)), _sentence(adjusted, several),
    )


def _comparable(early: tuple[TMEProfile, ...], late: tuple[TMEProfile, ...]) -> None:
    if not early or not late:
        raise BadInput("A change needs at least one section before and one after.")
    kinds = {p.kind for p in (*early, *late)}
    if len(kinds) > 1:
        raise BadInput(f"A change cannot be told between {' and '.join(sorted(kinds))}: profile the same kind of data.")
    first = early[0].options
    for p in (*early, *late):
        if (p.options.region_key is None) != (first.region_key is None):
            raise BadInput(f"{p.sample}: nests come from labels in one section and from tumour cells in another; use "
                           "the same for both.")


def _statistics(names: Sequence[str]) -> Mapping[str, Statistic]:
    def dense(population: str, zone: str) -> Statistic:
        return lambda s: density(s, population, zone)

    def contrast(population: str) -> Statistic:
        return lambda s: ratio(density(s, population, "nest"), density(s, population, "stroma"))

    found: dict[str, Statistic] = {
        "stroma share of the area": lambda s: ratio(s.area_mm2["stroma"], s.area_mm2["nest"] + s.area_mm2["stroma"])
    }
    for name in names:
        found[f"{name}: density in nests"] = dense(name, "nest")
        found[f"{name}: density in stroma"] = dense(name, "stroma")
        found[f"{name}: nests over stroma"] = contrast(name)
    return found


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Sums of each section of one time point, as they are and resampled; ``chosen`` (n_sections, n_samples) are the
    sections of each resampled time point."""

    whole: tuple[TileSums, ...]
    samples: tuple[TileSums, ...]
    chosen: IntArray

    @classmethod
    def of(cls, group: tuple[TMEProfile, ...], samples: int, seed: int) -> _Drawn:
        chosen = np.random.default_rng(seed).integers(0, len(group), size=(len(group), samples))
        return cls(
            tuple(p.tiles.resampled(np.ones((1, p.tiles.n_tiles))) for p in group),
            tuple(p.tiles.resampled(p.tiles.bootstrap_weights(samples, 1000 * seed + i)) for i, p in enumerate(group)),
            chosen,
        )

    def value(self, statistic: Statistic) -> float:
        """Mean of the sections; NaN where one has no value."""
        return float(np.mean([statistic(s)[0] for s in self.whole]))

    def spread(self, statistic: Statistic) -> float:
        """Standard deviation of the logarithm of the mean, over resampled tiles and sections."""
        drawn, n = np.stack([statistic(s) for s in self.samples]), len(self.samples)
        inflate = 1.0
        if n > 1:
            drawn = drawn[self.chosen, np.arange(drawn.shape[1])]
            inflate = math.sqrt(n / (n - 1.0))  # a bootstrap of few sections is too narrow by this
        mean = drawn.mean(axis=0)
        usable = np.isfinite(mean) & (mean > 0.0)
        if usable.mean() < 0.9:
            return math.nan
        return float(np.log(mean[usable]).std()) * inflate


def _change(name: str, before: float, after: float, sd_before: float, sd_after: float) -> Change:
    plain = [v if math.isfinite(v) else None for v in (before, after)]
    error = math.hypot(sd_before, sd_after)
    if not (before > 0.0 and after > 0.0 and math.isfinite(error) and error > 0.0):
        return Change(name, plain[0], plain[1], None, None, None, None)
    log = math.log(after / before)
    half = Z90 * error
    p = 2.0 * float(ndtr(-abs(log) / error))
    return Change(name, plain[0], plain[1], math.exp(log), math.exp(log - half), math.exp(log + half), p)


def _holm(changes: Sequence[Change]) -> tuple[Change, ...]:
    tested = sorted((c for c in changes if c.p is not None), key=lambda c: float(c.p or 0.0))
    adjusted: dict[str, float] = {}
    running = 0.0
    for i, c in enumerate(tested):
        running = max(running, min(1.0, float(c.p or 0.0) * (len(tested) - i)))
        adjusted[c.name] = running
    return tuple(
        Change(c.name, c.before, c.after, c.fold, c.low, c.high, c.p, adjusted.get(c.name)) for c in changes
    )


def _sentence(changes: Sequence[Change], several: bool) -> str:
    found = [c for c in changes if c.p_holm is not None and c.p_holm < LEVEL]
    if found:
        said = ", ".join(f"{c.name} {c.fold:.2g} times" for c in found[:6])
        text = f"Beyond sampling: {said}{' and more' if len(found) > 6 else ''}."
    else:
        text = "No change beyond what sampling explains."
    if not several:
        text += (
            " With one section at a time point, a difference between two places of the tumour cannot be told from a "
            "change in time."
        )
    return text
