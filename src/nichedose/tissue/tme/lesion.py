"""Several sections of one lesion or patient: each quantity section by section, and how far sections differ beyond
what sampling within one explains."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincc

from nichedose.errors import BadInput
from nichedose.tissue.tme.result import TMEProfile
from nichedose.tissue.tme.tiles import Estimate

__all__ = ["BetweenSections", "LesionProfile", "lesion_profile"]

Z90 = 1.6448536269514722
LEVEL = 0.05


@dataclass(frozen=True)
class BetweenSections:
    """One quantity over the sections of a lesion, on the logarithm.

    ``sections``: each with its interval from resampled tiles. ``mean`` with its 90 % interval and ``between``, the
    geometric standard deviation of sections about it after the scatter within each is taken out (1: none is seen), by
    DerSimonian and Laird's moments (Control Clin Trials 1986;7:177). ``p``: for no difference between the sections
    (Cochran's Q). None where a value or an interval is missing or zero.
    """

    name: str
    sections: tuple[Estimate, ...]
    mean: float | None
    low: float | None
    high: float | None
    between: float | None
    p: float | None

    def as_dict(self) -> dict[str, object]:
        return {
            "sections": [e.as_dict() for e in self.sections], "mean": self.mean, "low": self.low, "high": self.high,
            "geometric_sd_between_sections": self.between, "p_no_difference": self.p,
        }


@dataclass(frozen=True)
class LesionProfile:
    """Sections by name, every quantity over them, the immune phenotype of each, and a sentence."""

    samples: tuple[str, ...]
    patient: str
    quantities: tuple[BetweenSections, ...]
    phenotypes: tuple[str, ...]
    summary: str

    def as_dict(self) -> dict[str, object]:
        return {
            "sections": list(self.samples), "patient": self.patient, "summary": self.summary,
            "immune_phenotypes": dict(zip(self.samples, self.phenotypes, strict=True)),
            "between_sections": {q.name: q.as_dict() for q in self.quantities},
        }


def lesion_profile(profiles: Sequence[TMEProfile], patient: str = "") -> LesionProfile:
    """Put the sections of one lesion side by side. They must hold the same kind of rows.

    Raises `BadInput` for fewer than two sections, or where cells stand beside spots.

        from nichedose.tissue import lesion_profile, profile
        found = lesion_profile([profile(a, library) for a in read_sections("lesion")])
        print(found.summary)
    """
    if len(profiles) < 2:
        raise BadInput(f"The spread between sections needs at least two; got {len(profiles)}.")
    kinds = {p.kind for p in profiles}
    if len(kinds) > 1:
        raise BadInput(f"Sections of {' and '.join(sorted(kinds))} cannot be put side by side; profile them apart.")
    quantities = tuple(_between(name, [read(p) for p in profiles]) for name, read in _readers(profiles).items())
    phenotypes = tuple(p.phenotype.summary for p in profiles)
    return LesionProfile(
        tuple(p.sample for p in profiles), patient, quantities, phenotypes, _sentence(quantities, profiles))


def _readers(profiles: Sequence[TMEProfile]) -> dict[str, Callable[[TMEProfile], Estimate]]:
    """What is put side by side: densities of the populations that all sections know, ratios and the axes.

    Densities of spots, and the share of hypoxic cells, are relative to their own section, and are left out.
    """
    found: dict[str, Callable[[TMEProfile], Estimate]] = {}
    for axis in profiles[0].composite.axes:
        if axis != "hypoxic" and all(p.composite.axes[axis].share is not None for p in profiles):
            found[f"{axis} share"] = _axis(axis)
    counted = all(p.rows.counted for p in profiles)
    for name in profiles[0].cells:
        if all(name in p.cells for p in profiles):
            if counted:
                found[f"{name}: per mm2 in nests"] = _density(name, "nest")
                found[f"{name}: per mm2 in stroma"] = _density(name, "stroma")
            found[f"{name}: nests over stroma"] = _contrast(name)
    return found


def _axis(name: str) -> Callable[[TMEProfile], Estimate]:
    return lambda p: p.composite.axes[name].share or Estimate(None, None, None)


def _density(name: str, zone: str) -> Callable[[TMEProfile], Estimate]:
    return lambda p: p.cells[name].density[zone]


def _contrast(name: str) -> Callable[[TMEProfile], Estimate]:
    return lambda p: p.cells[name].nest_to_stroma


def _between(name: str, sections: Sequence[Estimate]) -> BetweenSections:
    usable = all(e.value and e.low and e.high and e.high > e.low for e in sections)
    if not usable:
        return BetweenSections(name, tuple(sections), None, None, None, None, None)
    logs = np.log([float(e.value or math.nan) for e in sections])
    errors = np.array([math.log(float(e.high or 0.0) / float(e.low or 1.0)) / (2.0 * Z90) for e in sections])
    mean, error, between, p = random_effects(logs, errors)
    return BetweenSections(
        name, tuple(sections), math.exp(mean), math.exp(mean - Z90 * error), math.exp(mean + Z90 * error),
        math.exp(between), p)


def random_effects(values: np.ndarray, errors: np.ndarray) -> tuple[float, float, float, float]:
    """Mean, its standard error, standard deviation between, and p for none, of ``values`` (n,) with known ``errors``.

    >>> mean, error, between, p = random_effects(np.array([0.0, 2.0]), np.array([0.1, 0.1]))
    >>> round(mean, 3), round(between, 3)
    (1.0, 1.411)
    """
    n, weight = len(values), 1.0 / errors**2
    centre = float((weight * values).sum() / weight.sum())
    q = float((weight * (values - centre) ** 2).sum())
    scale = float(weight.sum() - (weight**2).sum() / weight.sum())
    between = math.sqrt(max(0.0, (q - (n - 1)) / scale))
    total = 1.0 / (errors**2 + between**2)
    mean = float((total * values).sum() / total.sum())
    p = float(gammaincc(0.5 * (n - 1), 0.5 * q))
    return mean, float(1.0 / math.sqrt(total.sum())), between, p


def _sentence(quantities: Sequence[BetweenSections], profiles: Sequence[TMEProfile]) -> str:
    tested = [q for q in quantities if q.p is not None]
    apart = [q for q in tested if float(q.p or 0.0) * len(tested) < LEVEL]
    split = [rule for rule in profiles[0].phenotype.calls
             if len({p.phenotype.calls[rule].phenotype for p in profiles if rule in p.phenotype.calls}) > 1]
    called = any(call.phenotype is not None for p in profiles for call in p.phenotype.calls.values())
    text = f"{len(profiles)} sections: " + (
        "their immune phenotype cannot be told." if not called
        else f"their immune phenotype differs by {', '.join(r.replace('_', ' ') for r in split)}." if split
        else "no rule gives them different immune phenotypes.")
    if not tested:
        return f"{text} Nothing could be compared in numbers."
    if not apart:
        return f"{text} No difference between them beyond what sampling within each explains."
    widest = sorted(apart, key=lambda q: -float(q.between or 1.0))[:4]
    said = ", ".join(f"{q.name} (geometric standard deviation {q.between:.2g})" for q in widest)
    return (f"{text} Beyond sampling within each they differ in {len(apart)} of {len(tested)} quantities, most in "
            f"{said}.")
