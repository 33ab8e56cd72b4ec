"""Whole-body parameter sets (TOML) -> physiology and kinetics, checked."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from nichedose.errors import BadInput, near_miss
from nichedose.library.body_schema import BodyKinetics, CompetitorKinetics, Physiology
from nichedose.library.library import iter_values
from nichedose.values import Source, Value

__all__ = ["BodyLibrary", "load_bodies", "read_bodies"]

_Entry = TypeVar("_Entry", bound=BaseModel)
PHYSIOLOGY, SOURCES, TRACERS, COMPETITORS = "physiology.toml", "sources.toml", "tracers.toml", "competitors.toml"


@dataclass(frozen=True)
class BodyLibrary:
    """Organs of reference adults, kinetics by labelled form, competitors by name, and the sources that only they name.

    ``tracer_rate_ratio``: each rate of a diagnostic tracer over that of the form which stands in for it.
    """

    physiology: Physiology
    kinetics: Mapping[str, BodyKinetics]
    competitors: Mapping[str, CompetitorKinetics]
    tracer_rate_ratio: Value
    sources: Mapping[str, Source]

    def of_form(self, form: str) -> BodyKinetics:
        """The set of ``form``; raises `BadInput` that lists those there are."""
        if form not in self.kinetics:
            raise BadInput(f"No whole-body set for the labelled form '{form}'.{near_miss(form, self.kinetics)} "
                           f"Sets: {', '.join(self.kinetics)}.")
        return self.kinetics[form]


@functools.cache
def load_bodies() -> BodyLibrary:
    """The whole-body sets that ship with nichedose, read once.

    >>> load_bodies().of_form("PSMA-617").molecule
    'peptide'
    """
    from nichedose.library.load import load_library

    bodies = read_bodies(files("nichedose.library") / "data" / "body")
    library = load_library()
    known = {**library.sources, **bodies.sources}
    for name, entry in {PHYSIOLOGY: bodies.physiology, **bodies.kinetics, **bodies.competitors}.items():
        for key, value in iter_values(entry):
            if value.source is not None and value.source not in known:
                raise BadInput(f"body/{name}: '{key}': no source '{value.source}'.{near_miss(value.source, known)}")
    if bodies.tracer_rate_ratio.source not in known:
        raise BadInput(f"body/{TRACERS}: no source '{bodies.tracer_rate_ratio.source}'.")
    for form in bodies.kinetics:
        if form not in library.forms:
            raise BadInput(f"body: no labelled form '{form}' in the library.{near_miss(form, library.forms)}")
    for name, competitor in bodies.competitors.items():
        if competitor.target not in library.targets:
            raise BadInput(f"body/{COMPETITORS}: '{name}': no target '{competitor.target}'."
                           f"{near_miss(competitor.target, library.targets)}")
    return bodies


def read_bodies(folder: Traversable) -> BodyLibrary:
    """All sets of a folder; raises `BadInput` that names file and field, and organs that the physiology lacks."""
    sources = {key: _entry(Source, {"key": key, **raw}, SOURCES) for key, raw in _toml(folder / SOURCES).items()}
    physiology = _entry(Physiology, _toml(folder / PHYSIOLOGY), PHYSIOLOGY)
    for organ, entry in physiology.organs.items():
        if (entry.flow_share is None) == (entry.flow_mL_per_min_per_g is None):
            raise BadInput(f"body/{PHYSIOLOGY}: '{organ}': give one of flow_share and flow_mL_per_min_per_g.")
    kinetics: dict[str, BodyKinetics] = {}
    for path in sorted((p for p in folder.iterdir() if p.name.endswith(".toml")), key=lambda p: p.name):
        if path.name not in (PHYSIOLOGY, SOURCES, TRACERS, COMPETITORS):
            of_form = _entry(BodyKinetics, _toml(path), path.name)
            _check(of_form, physiology, path.name)
            kinetics[of_form.form] = of_form
    ratio = _entry(Value, _toml(folder / TRACERS)["rate_ratio"], TRACERS)
    competitors = {name: _entry(CompetitorKinetics, raw, COMPETITORS)
                   for name, raw in _toml(folder / COMPETITORS).items()}
    return BodyLibrary(physiology, kinetics, competitors, ratio, sources)


def _check(entry: BodyKinetics, physiology: Physiology, name: str) -> None:
    named = [("target_nmol_per_L", entry.target_nmol_per_L), ("internalisation_per_h", entry.internalisation_per_h),
             ("release_per_h", entry.release_per_h), *entry.comorbidity.items()]
    for field, table in named:
        for organ in table:
            if organ != "default" and organ not in physiology.organs:
                known = near_miss(organ, physiology.organs)
                raise BadInput(f"body/{name}: '{field}': '{organ}' is no organ of the physiology.{known}")
    for field, table in named[1:3]:
        if "default" not in table:
            raise BadInput(f"body/{name}: '{field}': 'default' is missing.")
    if entry.molecule == "antibody" and (entry.fcrn_recycled_fraction is None or entry.catabolism_L_per_day is None):
        raise BadInput(f"body/{name}: an antibody needs fcrn_recycled_fraction and catabolism_L_per_day.")


def _toml(path: Traversable) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"body/{path.name}: cannot be read: {error}") from error


def _entry(model: type[_Entry], raw: Mapping[str, Any], file: str) -> _Entry:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        lines = [f"'{'.'.join(map(str, e['loc']))}': {e['msg'].removeprefix('Value error, ')}" for e in error.errors()]
        raise BadInput(f"body/{file}: " + "\n".join(lines)) from error
