"""How the elements of released daughters move in the body: rates between places, with their sources."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nichedose.errors import BadInput
from nichedose.values import Source, Value

__all__ = ["BLOOD", "OUT", "Element", "ElementKinetics", "load_element_kinetics", "place_of", "read_element_kinetics"]

BLOOD, OUT = "blood", "out"
_BETWEEN = " > "


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Rates(_Part):
    per_day: dict[str, Value] = Field(description="rates under 'from > to'; pools of one place end in ' #2', ' #3'")

    @model_validator(mode="after")
    def _named(self) -> Self:
        for key, rate in self.per_day.items():
            start, arrow, end = key.partition(_BETWEEN)
            if not (arrow and start and end) or start in (end, OUT):
                raise ValueError(f"'{key}': write 'from > to', two different places, not from 'out'")
            if rate.central < 0.0:
                raise ValueError(f"'{key}': a rate must not be negative")
        return self

    def transfers(self) -> tuple[tuple[str, str, Value], ...]:
        """(from, to, per day)."""
        return tuple((*key.split(_BETWEEN), rate) for key, rate in self.per_day.items())  # type: ignore[misc]


class Element(_Rates):
    """Rates of one element."""

    name: str
    note: str | None = None


class ElementKinetics(_Part):
    """All elements; ``excretion`` is the way out that they share; ``blood_share`` the blood that organs hold."""

    element: dict[str, Element]
    excretion: _Rates
    blood_share: dict[str, Value]
    source: dict[str, Source]

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        values = [v for rates in (*self.element.values(), self.excretion) for v in rates.per_day.values()]
        lost = {v.source for v in (*values, *self.blood_share.values())} - {None} - set(self.source)
        if lost:
            raise ValueError(f"no [source] {', '.join(sorted(str(key) for key in lost))}")
        if sum(share.central for share in self.blood_share.values()) > 1.0:
            raise ValueError("blood_share sums to more than 1")
        return self


def place_of(pool: str) -> str:
    """The organ of a pool: "liver #2" is in the liver, red cells are in the blood.

    >>> place_of("liver #2"), place_of("red cells")
    ('liver', 'blood')
    """
    name = pool.split(" #")[0]
    return BLOOD if name == "red cells" else name


@functools.cache
def load_element_kinetics() -> ElementKinetics:
    """What ships with nichedose."""
    file = files("nichedose.library") / "data" / "kinetics" / "elements.toml"
    return read_element_kinetics(tomllib.loads(file.read_text(encoding="utf-8")), "kinetics/elements.toml")


def read_element_kinetics(raw: Mapping[str, Any], place: str) -> ElementKinetics:
    """From the tables of a file; raises `BadInput` that names the field."""
    sources = {key: {"key": key, **value} for key, value in raw.get("source", {}).items()}
    try:
        return ElementKinetics.model_validate({**raw, "source": sources})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{place}: '{where}': {str(first['msg']).removeprefix('Value error, ')}.") from error
