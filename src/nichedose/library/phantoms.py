"""Stylised phantoms as data: regions bounded by equations, with their reference masses."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nichedose.errors import BadInput, near_miss
from nichedose.values import Source, Value

__all__ = ["PHANTOMS", "Phantom", "Region", "Solid", "Tissue", "load_phantom", "read_phantom"]

PHANTOMS = ("adult_male", "adult_female")
Pair = tuple[float, float]
Triple = tuple[float, float, float]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Solid(_Part):
    """One body in space; lengths in cm.

    ``ellipsoid``: ``centre`` and ``semi_axes``, turned so that its axes point along ``rows`` where given. ``tube``: an
    elliptical cylinder or cone along ``axis`` between ``at``, with the centre and semi-axes in the plane across it at
    either end and linear between. ``torus``: a ``ring`` of ``radius`` around ``centre``, turning about ``axis``.
    ``mirror`` adds its image on the other side of x = 0. Of each half space (a, b, c, d) in ``keep`` the part with
    a x + b y + c z <= d is kept, and the bodies in ``remove`` are taken out.
    """

    kind: Literal["ellipsoid", "tube", "torus"]
    axis: Literal["x", "y", "z"] = "z"
    at: Pair | None = None
    centre: Triple | tuple[Pair, Pair]
    semi_axes: Triple | tuple[Pair, Pair] | None = None
    rows: tuple[Triple, Triple, Triple] | None = None
    ring: float | None = None
    radius: float | None = None
    mirror: bool = False
    keep: tuple[tuple[float, float, float, float], ...] = ()
    remove: tuple[Solid, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        needed = {"ellipsoid": ("semi_axes",), "tube": ("at", "semi_axes"), "torus": ("ring", "radius")}[self.kind]
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            raise ValueError(f"a {self.kind} needs {' and '.join(missing)}")
        if (len(self.centre) == 2) != (self.kind == "tube"):
            raise ValueError("centre is a pair of points across the axis for a tube, else one point")
        return self


class Region(_Part):
    """An organ or a part of one. ``outline`` says where its shape comes from; ``parts`` counts its pieces.

    ``mass_g`` is the reference mass, to which S values are scaled; None for bones and for what is left of the body.
    ``stated_mass_g`` is the mass that the source of the shape gives it, as remembered; only tests use it.
    """

    name: str
    medium: Literal["soft", "lung", "bone"]
    outline: Literal["published", "scaled", "simplified", "placed"]
    solid: tuple[Solid, ...] = Field(min_length=1)
    mass_g: Value | None = None
    stated_mass_g: float | None = None
    parts: int = 1
    contents_of: str | None = Field(default=None, description="the wall that holds it")
    note: str | None = None


class Tissue(_Part):
    """Fine structure that the regions do not show."""

    kidney_cortex_share: Value
    cavity_chord_um: Value = Field(description="mean chord of the marrow cavities of spongy bone")
    trabecula_chord_um: Value
    fat_cell_um: Value = Field(description="diameter of the fat cells of marrow")
    cellularity: Value = Field(description="active share of the marrow in the cavities")
    trabecular_share: Value = Field(description="of the bone")


class Phantom(_Part):
    """Regions in the order in which they claim a place, and how the active marrow is spread over the bones."""

    name: str
    total_mass_g: Value
    marrow_mass_g: Value
    skeleton_mass_g: Value
    marrow_share: dict[str, Value]
    tissue: Tissue
    region: tuple[Region, ...]
    source: dict[str, Source]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(r.name for r in self.region)

    @property
    def bones(self) -> tuple[str, ...]:
        return tuple(r.name for r in self.region if r.medium == "bone")

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if len(set(self.names)) != len(self.names):
            raise ValueError("two regions have the same name")
        if not set(self.marrow_share) <= set(self.bones):
            raise ValueError("marrow_share names a region that is not bone")
        total = sum(share.central for share in self.marrow_share.values())
        if abs(total - 1.0) > 1e-3:
            raise ValueError(f"marrow_share sums to {total:g}; it must be 1")
        walls = {r.contents_of for r in self.region} - {None}
        if not walls <= set(self.names):
            raise ValueError("contents_of names a region that does not exist")
        used = {v.source for v in (self.total_mass_g, self.marrow_mass_g, self.skeleton_mass_g)}
        used |= {v.source for v in self.marrow_share.values()} | {r.mass_g.source for r in self.region if r.mass_g}
        used |= {v.source for v in self.tissue.__dict__.values()}
        lost = sorted(key for key in used if key is not None and key not in self.source)
        if lost:
            raise ValueError(f"no [source] {', '.join(lost)}")
        return self

    def mass_g(self, name: str) -> float | None:
        """The reference mass of a region, g; None where it has none."""
        value = next(r.mass_g for r in self.region if r.name == name)
        return None if value is None else value.central


@functools.cache
def load_phantom(name: str) -> Phantom:
    """``adult_male`` or ``adult_female``. Raises `BadInput` for another name.

    >>> load_phantom("adult_male").mass_g("kidneys")
    310.0
    """
    if name not in PHANTOMS:
        raise BadInput(f"No phantom '{name}'; there are {' and '.join(PHANTOMS)}.{near_miss(name, PHANTOMS)}")
    file = files("nichedose.library") / "data" / "phantoms" / f"{name}.toml"
    return read_phantom(tomllib.loads(file.read_text(encoding="utf-8")), f"phantoms/{name}.toml")


def read_phantom(raw: Mapping[str, Any], place: str) -> Phantom:
    """A phantom from the tables of its file; raises `BadInput` that names the field."""
    sources = {key: {"key": key, **value} for key, value in raw.get("source", {}).items()}
    try:
        return Phantom.model_validate({**raw, "source": sources})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{place}: '{where}': {str(first['msg']).removeprefix('Value error, ')}.") from error
