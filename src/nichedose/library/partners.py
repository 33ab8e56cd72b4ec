"""Library entries of partner drugs: what each does to a tumour's microenvironment, from when to when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nichedose.errors import BadInput, near_miss
from nichedose.values import Value

if TYPE_CHECKING:
    from nichedose.library.library import Library

__all__ = ["Partner", "PartnerEffect", "PartnerField", "TumourAnswer", "find_partner"]

PartnerField = Literal["vessel_surface", "vessel_oxygen", "permeability", "matrix", "target", "sensitivity",
                       "hypoxic_protection", "immune_blockade"]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PartnerEffect(_Entry):
    """One field of the tissue, or one number of the cells, times ``factor`` from ``from_h`` to ``until_h`` after start.

    ``where_matrix_above`` keeps it to places with more matrix, ``tumours`` to tumour types; ``target`` names a target.
    """

    field: PartnerField
    factor: Value
    from_h: float = Field(ge=0)
    until_h: float | None = Field(default=None, gt=0, description="as long as the partner is given when absent")
    target: str | None = None
    tumours: tuple[str, ...] | None = None
    where_matrix_above: float | None = Field(default=None, ge=0, le=1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.field == "target") != (self.target is not None):
            raise ValueError("target goes with field = 'target', and must then be named")
        if self.until_h is not None and self.until_h <= self.from_h:
            raise ValueError(f"until_h = {self.until_h:g} must lie after from_h = {self.from_h:g}")
        lowest = self.factor.central if self.factor.is_fixed else self.factor.quantile(1e-6)
        if lowest <= 0.0:
            raise ValueError("factor must be above 0 over its whole distribution")
        return self


class Partner(_Entry):
    """A drug beside the radiopharmaceutical. ``quantified`` False: a scenario, no effect size was read.

    ``needs_stated`` names what a case must state of the tumour before the partner does anything.
    """

    name: str
    description: str
    quantified: bool
    effects: tuple[PartnerEffect, ...] = Field(min_length=1)
    also_known_as: tuple[str, ...] = ()
    needs_stated: str | None = None
    source: str | None = None
    note: str | None = None


def find_partner(library: Library, name: str) -> Partner:
    """The partner called ``name``, in any case and by any of its names; raises `BadInput` with near misses."""
    for partner in library.partners.values():
        if name.lower() in {n.lower() for n in (partner.name, *partner.also_known_as)}:
            return partner
    names = [n for p in library.partners.values() for n in (p.name, *p.also_known_as)]
    raise BadInput(f"Unknown partner drug '{name}'.{near_miss(name, names)}")


class TumourAnswer(_Entry):
    """How a tumour changes from one cycle to the next; see docs/theory/partners.md."""

    uptake_cycle_2: Value = Field(description="targets over those of cycle 1; fitted to uptake, which holds cells too")
    uptake_cycle_3: Value
    uptake_cycle_4: Value = Field(description="of the fourth cycle and all later ones")
    dead_cleared_fraction: Value
    hypoxia_target_loss: Value
    damage_target_factor: Value
    vessel_factor_per_cycle: Value
