"""Inflamed, excluded or desert: named rules side by side, each with its probability under resampling of the section."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from nichedose.fields.grid import Array, BoolArray
from nichedose.library.schema import PhenotypeRule
from nichedose.tissue.tme.infiltration import density, ratio
from nichedose.tissue.tme.raster import IntArray
from nichedose.tissue.tme.tiles import TileSums

__all__ = ["CLASSES", "ImmunePhenotype", "RuleCall", "immune_phenotype"]

CLASSES = ("inflamed", "excluded", "desert")
IMMUNE = "cd8_t"
SECURE = 0.8  # a rule whose call holds in fewer bootstrap samples is called unstable
MIN_DEEP_SHARE = 0.05  # of the nests; below, a profile has no inside

Codes = IntArray  # (n_samples,) index into CLASSES, -1 where a sample cannot be called


@dataclass(frozen=True)
class RuleCall:
    """One rule's answer. ``phenotype`` None when ``reason`` says why the rule cannot be used here.

    ``probability`` of each class: its share of the bootstrap samples of tiles, not the chance that the rule is right.
    ``measured``: the numbers that decided, ``thresholds``: what they were held against.
    """

    name: str
    description: str
    phenotype: str | None
    probability: Mapping[str, float]
    measured: Mapping[str, float | None]
    thresholds: Mapping[str, float]
    reason: str = ""

    @property
    def stable(self) -> bool:
        return self.phenotype is not None and self.probability[self.phenotype] >= SECURE

    def as_dict(self) -> dict[str, object]:
        return {
            "description": self.description, "phenotype": self.phenotype, "probability": dict(self.probability),
            "stable": self.stable, "measured": dict(self.measured), "thresholds": dict(self.thresholds),
            "not_evaluable_because": self.reason or None,
        }


@dataclass(frozen=True)
class ImmunePhenotype:
    """The calls of all rules, by name, and a sentence that says whether they agree."""

    calls: Mapping[str, RuleCall]
    summary: str

    @property
    def agreed(self) -> str | None:
        """The class on which every rule that could be used agrees, or None."""
        found = {c.phenotype for c in self.calls.values() if c.phenotype is not None}
        return found.pop() if len(found) == 1 else None

    def as_dict(self) -> dict[str, object]:
        rules = {n: c.as_dict() for n, c in self.calls.items()}
        return {"summary": self.summary, "agreed": self.agreed, "rules": rules}


@dataclass(frozen=True)
class _Evidence:
    """What a rule looks at: sums of the section (1, ...), of the bootstrap, the tiles, and their weights."""

    whole: TileSums
    samples: TileSums
    tiles: TileSums
    weights: Array


def immune_phenotype(
    rules: Mapping[str, PhenotypeRule],
    tiles: TileSums,
    samples: TileSums,
    weights: Array,
    *,
    counted: bool,
    unknown: str | None,
    pitch_um: float,
) -> ImmunePhenotype:
    """Every rule of ``rules`` on one section. ``unknown`` is the reason why CD8 T cells are not known, if they are not.

    In spots (``counted`` False) there are no densities per area: rules that need them are not evaluable, the others
    cannot tell a desert, and a profile must not be finer than the pitch.
    """
    evidence = _Evidence(tiles.resampled(np.ones((1, tiles.n_tiles))), samples, tiles, weights)
    calls = {}
    for name, rule in rules.items():
        numbers = {k: v.central for k, v in rule.numbers.items()}
        reason = f"CD8 T cells are not known: {unknown}" if unknown is not None else ""
        reason = reason or _unusable(rule, numbers, evidence, counted, pitch_um)
        if reason:
            calls[name] = RuleCall(name, rule.description, None, {}, {}, numbers, reason)
            continue
        code, samples_code, measured = METHODS[rule.method](evidence, numbers, counted)
        usable = samples_code[samples_code >= 0]
        shares = {c: float((usable == i).mean()) if usable.size else float("nan") for i, c in enumerate(CLASSES)}
        if code < 0 or not usable.size:
            reason = "a ratio has nothing to divide by"
            calls[name] = RuleCall(name, rule.description, None, {}, measured, numbers, reason)
            continue
        calls[name] = RuleCall(name, rule.description, CLASSES[code], shares, measured, numbers)
    return ImmunePhenotype(calls, _summary(calls))


def _unusable(
    rule: PhenotypeRule, numbers: Mapping[str, float], e: _Evidence, counted: bool, pitch_um: float
) -> str:
    nest, stroma = float(e.whole.area_mm2["nest"][0]), float(e.whole.area_mm2["stroma"][0])
    if nest == 0.0 or stroma == 0.0:
        return f"the section holds no {'tumour nests' if nest == 0.0 else 'stroma'}"
    if rule.method in ("contact", "tile_density") and not counted:
        return "spots hold several cells, so neither contact nor cells per mm2 can be seen"
    if rule.method == "depth_profile":
        finest = min(numbers["deep_um"], numbers["rim_um"])
        if not counted and finest < pitch_um:
            return f"the profile needs {finest:g} um, and the spots are {pitch_um:.0f} um apart"
        deep = float(e.whole.area_mm2["deep"][0])
        if deep < MIN_DEEP_SHARE * nest:
            return f"only {100 * deep / nest:.0f} % of the nests lie deeper than {numbers['deep_um']:g} um"
    return ""


def _pick(desert: BoolArray, inflamed: BoolArray, known: BoolArray) -> Codes:
    return np.where(known, np.where(desert, 2, np.where(inflamed, 0, 1)), -1)


def _overall(s: TileSums) -> Array:
    cells = s.amount[IMMUNE]["nest"] + s.amount[IMMUNE]["stroma"]
    return ratio(cells, s.area_mm2["nest"] + s.area_mm2["stroma"])


def _both(
    e: _Evidence, code: Callable[[TileSums], Codes], measure: Callable[[TileSums], Mapping[str, Array]]
) -> tuple[int, Codes, dict[str, float | None]]:
    return int(code(e.whole)[0]), code(e.samples), {k: _finite(v[0]) for k, v in measure(e.whole).items()}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _contact(e: _Evidence, n: Mapping[str, float], counted: bool) -> tuple[int, Codes, dict[str, float | None]]:
    def share(s: TileSums) -> Array:
        return ratio(s.contact[IMMUNE], s.amount[IMMUNE]["nest"] + s.amount[IMMUNE]["stroma"])

    def code(s: TileSums) -> Codes:
        overall = _overall(s)
        return _pick(overall < n["desert_per_mm2"], share(s) >= n["inflamed_share"], np.isfinite(overall))

    return _both(e, code, lambda s: {"contact_share": share(s), "overall_per_mm2": _overall(s)})


def _tile_density(e: _Evidence, n: Mapping[str, float], counted: bool) -> tuple[int, Codes, dict[str, float | None]]:
    """Shares of the tiles that hold nests; a tile without any is not judged."""
    judged = e.tiles.area_mm2["nest"] > 0.0
    inflamed = judged & (density(e.tiles, IMMUNE, "nest") >= n["nest_per_mm2"])
    excluded = judged & ~inflamed & (density(e.tiles, IMMUNE, "stroma") >= n["stroma_per_mm2"])

    def shares(weights: Array) -> tuple[Array, Array]:
        total = weights @ judged.astype(float)
        return ratio(weights @ inflamed.astype(float), total), ratio(weights @ excluded.astype(float), total)

    def code(weights: Array) -> Codes:
        a, b = shares(weights)
        return np.where(
            np.isfinite(a), np.where(a >= n["tile_share"], 0, np.where(b >= n["tile_share"], 1, 2)), -1)

    one = np.ones((1, len(judged)))
    a, b = shares(one)
    measured = {"inflamed_tiles": _finite(a[0]), "excluded_tiles": _finite(b[0]), "tile_um": e.tiles.tile_um}
    return int(code(one)[0]), code(e.weights), measured


def _ratio(e: _Evidence, n: Mapping[str, float], counted: bool) -> tuple[int, Codes, dict[str, float | None]]:
    def of(s: TileSums) -> Array:
        return ratio(density(s, IMMUNE, "nest"), density(s, IMMUNE, "stroma"))

    def code(s: TileSums) -> Codes:
        desert = (_overall(s) < n["desert_per_mm2"]) & counted
        return _pick(desert, of(s) >= n["inflamed_ratio"], np.isfinite(of(s)) | desert)

    return _both(e, code, lambda s: {
        "nest_to_stroma": of(s), "nest_per_mm2": density(s, IMMUNE, "nest"),
        "stroma_per_mm2": density(s, IMMUNE, "stroma")})


def _depth_profile(e: _Evidence, n: Mapping[str, float], counted: bool) -> tuple[int, Codes, dict[str, float | None]]:
    def of(s: TileSums) -> Array:
        return ratio(density(s, IMMUNE, "deep"), density(s, IMMUNE, "rim"))

    def code(s: TileSums) -> Codes:
        cells = s.amount[IMMUNE]["deep"] + s.amount[IMMUNE]["rim"]
        desert = (ratio(cells, s.area_mm2["deep"] + s.area_mm2["rim"]) < n["desert_per_mm2"]) & counted
        return _pick(desert, of(s) >= n["inflamed_ratio"], np.isfinite(of(s)) | desert)

    return _both(e, code, lambda s: {
        "deep_to_rim": of(s), "deep_per_mm2": density(s, IMMUNE, "deep"), "rim_per_mm2": density(s, IMMUNE, "rim")})


Method = Callable[[_Evidence, Mapping[str, float], bool], tuple[int, Codes, dict[str, float | None]]]
METHODS: Mapping[str, Method] = {
    "contact": _contact, "tile_density": _tile_density, "ratio": _ratio, "depth_profile": _depth_profile,
}


def _summary(calls: Mapping[str, RuleCall]) -> str:
    used = {n: c for n, c in calls.items() if c.phenotype is not None}
    if not used:
        reasons = dict.fromkeys(c.reason for c in calls.values())
        return f"Immune phenotype not evaluable: {'; '.join(reasons)}."
    by_class = {k: [n for n, c in used.items() if c.phenotype == k] for k in CLASSES}
    said = [f"{k} by {_and(names)}" for k, names in by_class.items() if names]
    text = "The rules disagree: " + ", ".join(said) if len(said) > 1 else said[0][0].upper() + said[0][1:]
    unstable = [n for n, c in used.items() if not c.stable]
    if unstable:
        text += f"; the call of {_and(unstable)} changes in more than a fifth of the resampled sections"
    return text + "."


def _and(names: list[str]) -> str:
    plain = [n.replace("_", " ") for n in names]
    return plain[0] if len(plain) == 1 else f"{', '.join(plain[:-1])} and {plain[-1]}"
