"""The mouse as data: organs, flows, and how far its ligand parameters may lie from a patient's."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nichedose.errors import BadInput
from nichedose.library.library import used_sources
from nichedose.values import Source, Value

__all__ = ["MouseData", "MouseOrgan", "MouseTumour", "Widening", "load_mouse", "read_mouse"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MouseOrgan(_Part):
    """One organ; its volume is its mass at 1 g/mL."""

    portal: bool = Field(default=False, description="drains into the liver")
    body_share: Value = Field(description="of body weight")
    flow_mL_per_min_per_g: Value = Field(description="plasma")
    plasma_fraction: Value = Field(description="plasma in vessels, per volume of organ")
    interstitial_fraction: Value | None = Field(default=None, description="None: ligand stays in the vessels")
    permeability_as: str | None = Field(default=None, description="organ of the human set whose value per g it takes")


class MouseTumour(_Part):
    """Any subcutaneous xenograft; what an experiment does not say."""

    mass_g: Value
    plasma_flow_mL_per_min_per_mL: Value
    permeability_mL_per_min_per_mL: Value
    target_nmol_per_L: Value
    internalisation_per_h: Value
    release_per_h: Value


class Widening(_Part):
    """How much wider than in patients a ligand's parameters are taken in a mouse."""

    target_density: Value = Field(description="geometric standard deviation")
    rate: Value = Field(description="geometric standard deviation")
    clearance: Value = Field(description="factor on both ends of the range")


class MouseData(_Part):
    """A mouse per gram, and the sources that only it names."""

    central_plasma_share: Value
    haematocrit: Value
    gfr_mL_per_min_per_g: Value
    flow_factor: Value
    voiding_per_h: Value
    gut_transit_per_h: Value
    widening: Widening
    tumour: MouseTumour
    organs: dict[str, MouseOrgan]
    sources: dict[str, Source]

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        lost = set(used_sources(self)) - set(self.sources)
        if lost:
            raise ValueError(f"no [sources] {', '.join(sorted(lost))}")
        whole = sum(o.body_share.central for o in self.organs.values()) + self.central_plasma_share.central
        if not 0.9 < whole <= 1.0:
            raise ValueError(f"organs and plasma add up to {whole:.2f} of the body weight; 0.9 to 1 is allowed")
        return self


@functools.cache
def load_mouse() -> MouseData:
    """What ships with nichedose.

    >>> "kidney" in load_mouse().organs
    True
    """
    file = files("nichedose.library") / "data" / "mouse" / "mouse.toml"
    return read_mouse(tomllib.loads(file.read_text(encoding="utf-8")), "mouse/mouse.toml")


def read_mouse(raw: Mapping[str, Any], place: str) -> MouseData:
    """From the tables of a file; raises `BadInput` that names the field."""
    sources = {key: {"key": key, **value} for key, value in raw.get("sources", {}).items()}
    try:
        return MouseData.model_validate({**raw, "sources": sources})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{place}: '{where}': {str(first['msg']).removeprefix('Value error, ')}.") from error
