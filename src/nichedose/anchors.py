"""What was measured of a target's mean in this lesion: a density, a Bmax, sites per cell, or the H-score of a stain."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator, WithJsonSchema

from nichedose.errors import BadInput, near_miss
from nichedose.quantities import convert, known_dimension

__all__ = ["H_SCORE_MOST", "Anchor", "AnchorKind", "CaseAnchor", "anchor_of"]

AnchorKind = Literal["density", "bmax_tissue", "bmax_protein", "bmax_membrane", "sites_per_cell", "h_score"]

H_SCORE_MOST = 300.0  # all cells stained at the strongest of three grades
_MOST = {  # of each kind: beyond, there would be more sites than protein molecules (2e9 in a cell of 1 pL; Milo 2013)
    "density": 1e6, "bmax_tissue": 1e6, "bmax_protein": 1e7, "bmax_membrane": 1e7, "sites_per_cell": 1e9,
    "h_score": H_SCORE_MOST,
}
_UNIT = {  # canonical unit of each kind; 1 fmol/mg is 1 nmol/kg
    "density": "nmol/L", "bmax_tissue": "fmol/mg tissue", "bmax_protein": "fmol/mg protein",
    "bmax_membrane": "fmol/mg membrane protein", "sites_per_cell": "sites/cell", "h_score": "H-score",
}
_WORDS = {
    "density": "{:g} nmol/L", "bmax_tissue": "a Bmax of {:g} fmol/mg tissue",
    "bmax_protein": "a Bmax of {:g} fmol/mg protein", "bmax_membrane": "a Bmax of {:g} fmol/mg membrane protein",
    "sites_per_cell": "{:g} sites per cell", "h_score": "an H-score of {:g}",
}
_OF: dict[str, AnchorKind] = {
    "tissue": "bmax_tissue", "wet tissue": "bmax_tissue", "wet weight": "bmax_tissue", "protein": "bmax_protein",
    "total protein": "bmax_protein", "membrane protein": "bmax_membrane",
}
_PER_CELL = re.compile(r"(?:sites|receptors|1)?\s*(?:/|per )\s*cell", re.IGNORECASE)
_H_SCORE = re.compile(r"h[- ]?score", re.IGNORECASE)
_PER_MASS = re.compile(r"(?P<amount>\w+)/(?P<mass>[a-zµμ]+)(?:\s+(?P<of>[A-Za-z ]+))?")
_NUMBER = re.compile(r"\s*(?:H[- ]?score\s+(?P<h>\S+)|(?P<number>[+-]?[\d.]+(?:[eE][+-]?\d+)?)\s*(?P<unit>.*?))\s*",
                     re.IGNORECASE)
EXAMPLES = ('"60 nmol/L", "40 pmol/g tissue", "300 fmol/mg protein", "900 fmol/mg membrane protein", '
            '"1.2e5 sites/cell" or "180 H-score"')
UPTAKE = "Uptake in PET or SPECT (SUV, % per mL) goes into [[measured_uptake]]."


@dataclass(frozen=True)
class Anchor:
    """One measurement of a target's mean over the lesion.

    ``value``: sites per tissue volume (nmol/L), per mass of wet tissue, of its protein or of its membrane protein
    (fmol/mg), per cell of the target's first host, or an H-score (0 to 300). ``relative_sd`` of the measurement itself.

    >>> anchor_of("300 fmol/mg protein")
    Anchor(kind='bmax_protein', value=300.0, relative_sd=0.0)
    """

    kind: AnchorKind
    value: float
    relative_sd: float = 0.0

    def __post_init__(self) -> None:
        unit, most = _UNIT[self.kind], _MOST[self.kind]
        if not (math.isfinite(self.value) and 0.0 <= self.value <= most):
            reason = "an H-score runs from 0 to 300" if self.kind == "h_score" else f"it must be 0 to {most:g} {unit}"
            raise BadInput(f"'{self.value:g} {unit}' cannot be: {reason}.")
        if not (math.isfinite(self.relative_sd) and 0.0 <= self.relative_sd <= 2.0):
            raise BadInput(f"relative_sd = {self.relative_sd:g}; it is a share of the value, 0 to 2.")

    @property
    def log_variance(self) -> float:
        """Of the measurement's error as a lognormal law."""
        return math.log1p(self.relative_sd**2)

    @property
    def words(self) -> str:
        """As a sentence names it: 'a Bmax of 300 fmol/mg protein'."""
        error = f" (+- {100 * self.relative_sd:g} %)" if self.relative_sd else ""
        return _WORDS[self.kind].format(self.value) + error

    @property
    def is_absolute(self) -> bool:
        """Whether it counts sites; a stain's score orders, and takes its scale from the library."""
        return self.kind != "h_score"


def anchor_of(raw: object) -> Anchor:
    """An `Anchor` from text with a unit, or from ``{"value": text, "relative_sd": share}``.

    Raises `BadInput` for a bare number, a unit that measures something else, and a mass of which it is not said
    whether it is tissue, protein or membrane protein.
    """
    if isinstance(raw, Anchor):
        return raw
    if not isinstance(raw, Mapping):
        return _from_text(raw, 0.0)
    strangers = sorted(set(map(str, raw)) - {"value", "relative_sd"})
    if strangers:
        raise BadInput(f"'{strangers[0]}' is not a field of an anchor; these are value and relative_sd."
                       f"{near_miss(strangers[0], ('value', 'relative_sd'))}")
    sd = raw.get("relative_sd", 0.0)
    if "value" not in raw or isinstance(sd, bool) or not isinstance(sd, int | float):
        raise BadInput('write an anchor as text, or as { value = "300 fmol/mg protein", relative_sd = 0.2 }.')
    return _from_text(raw["value"], float(sd))


def _from_text(raw: object, relative_sd: float) -> Anchor:
    if not isinstance(raw, str):
        raise BadInput(f"{raw!r} has no unit; write for example {EXAMPLES}.")
    match = _NUMBER.fullmatch(raw)
    if match is None:
        raise BadInput(f"'{raw}' is not a number with a unit; write for example {EXAMPLES}.")
    unit = "H-score" if match["h"] else match["unit"]
    try:
        number = float(match["h"] or match["number"])
    except ValueError:
        raise BadInput(f"'{raw}' is not a number with a unit; write for example {EXAMPLES}.") from None
    if not unit:
        raise BadInput(f"'{raw}' has no unit; write for example {EXAMPLES}.")
    kind, factor = _kind(unit, raw)
    return Anchor(kind, number * factor, relative_sd)


def _kind(unit: str, raw: str) -> tuple[AnchorKind, float]:
    """What a unit measures, and the factor to the canonical unit of that kind."""
    if _H_SCORE.fullmatch(unit):
        return "h_score", 1.0
    if _PER_CELL.fullmatch(unit):
        return "sites_per_cell", 1.0
    mass = _PER_MASS.fullmatch(unit)
    if mass is not None and known_dimension(mass["amount"]) == "amount" and known_dimension(mass["mass"]) == "mass":
        of = " ".join((mass["of"] or "").lower().split())
        if of not in _OF:
            said = f"'{of}' is not known" if of else "of what is not said"
            raise BadInput(f"'{raw}' is an amount per mass, and {said}: write {unit.split()[0]} tissue (wet), "
                           f"{unit.split()[0]} protein (of the homogenate) or {unit.split()[0]} membrane protein. They "
                           "differ by factors of five to a hundred.")
        return _OF[of], convert(1.0, mass["amount"], "fmol") / convert(1.0, mass["mass"], "mg")
    if known_dimension(unit) is None:
        raise BadInput(f"'{raw}': no anchor has the unit '{unit}'; write for example {EXAMPLES}. {UPTAKE}")
    try:
        return "density", convert(1.0, unit, "nmol/L")
    except BadInput:
        raise BadInput(f"'{raw}' measures {known_dimension(unit)}, not binding sites; write for example {EXAMPLES}. "
                       f"{UPTAKE}") from None


def _validated(raw: object) -> Anchor:
    try:
        return anchor_of(raw)
    except BadInput as error:  # pydantic reports ValueError with the field's place in the file
        raise ValueError(str(error)) from error


CaseAnchor = Annotated[
    Anchor, BeforeValidator(_validated),
    WithJsonSchema({"anyOf": [
        {"type": "string", "description": f"a number with its unit, for example {EXAMPLES}"},
        {"type": "object", "additionalProperties": False, "required": ["value"], "properties": {
            "value": {"type": "string", "description": "a number with its unit"},
            "relative_sd": {"type": "number", "minimum": 0, "maximum": 2,
                            "description": "error of the measurement, as a share of it"}}}]})]
