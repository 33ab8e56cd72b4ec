"""Values of the blood-count model, with their sources."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nichedose.errors import BadInput
from nichedose.values import Source, Value

__all__ = ["Haematology", "Lymphocytes", "Platelets", "load_haematology", "read_haematology"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Platelets(_Part):
    """Progenitors that radiation kills, maturation in steps, platelets, and their feedback."""

    transit_steps: int = Field(ge=1, le=20)
    progenitor_alpha_per_Gy: Value
    progenitor_alpha_beta_Gy: Value
    repair_half_time_h: Value
    progenitor_turnover_per_d: Value
    maturation_d: Value
    life_d: Value
    feedback: Value


class Lymphocytes(_Part):
    """Circulating cells that blood dose kills; those hit disappear in two phases; slow recovery."""

    lethal_dose_Gy: Value = Field(description="D0 of exponential survival")
    fast_share: Value
    fast_half_life_h: Value
    slow_half_life_h: Value
    recovery_d: Value


class Haematology(_Part):
    """Both cell lines with their sources."""

    platelets: Platelets
    lymphocytes: Lymphocytes
    source: dict[str, Source]

    @model_validator(mode="after")
    def _sourced(self) -> Self:
        values = [v for part in (self.platelets, self.lymphocytes) for v in part.__dict__.values()
                  if isinstance(v, Value)]
        lost = sorted(v.source for v in values if v.source is not None and v.source not in self.source)
        if lost:
            raise ValueError(f"no [source] {', '.join(lost)}")
        return self


@functools.cache
def load_haematology() -> Haematology:
    """What ships with nichedose."""
    file = files("nichedose.library") / "data" / "kinetics" / "haematology.toml"
    return read_haematology(tomllib.loads(file.read_text(encoding="utf-8")), "kinetics/haematology.toml")


def read_haematology(raw: Mapping[str, Any], place: str) -> Haematology:
    """From the tables of a file; raises `BadInput` that names the field."""
    sources = {key: {"key": key, **value} for key, value in raw.get("source", {}).items()}
    try:
        return Haematology.model_validate({**raw, "source": sources})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{place}: '{where}': {str(first['msg']).removeprefix('Value error, ')}.") from error
