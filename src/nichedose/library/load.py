"""Library files (TOML) -> `Library`, with errors that name the file and the field."""

from __future__ import annotations

import functools
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from nichedose.errors import BadInput, near_miss
from nichedose.library.effects import EffectValues, ImmuneData, OrganHarm
from nichedose.library.library import Library, iter_values, used_sources
from nichedose.library.partners import Partner, TumourAnswer
from nichedose.library.schema import (
    Agent,
    CellType,
    FluidValues,
    LabelledForm,
    OrganLimit,
    PhenotypeRule,
    Population,
    Radiobiology,
    RadionuclideClass,
    Signature,
    SurfaceGenes,
    Target,
    TissueParameters,
)
from nichedose.values import Source

__all__ = ["load_library", "read_library"]

_Entry = TypeVar("_Entry", bound=BaseModel)
_Named = TypeVar("_Named", Target, LabelledForm, Partner)


@functools.cache
def load_library() -> Library:
    """The library that ships with nichedose, read once."""
    return read_library(files("nichedose.library") / "data")


def read_library(folder: Traversable) -> Library:
    """A library from a folder of TOML files laid out like the one that ships (see docs/reference/library.md).

    Raises `BadInput` that names the file and the field: bad TOML, an unknown or missing field, a value without a
    source, a reference to nothing, or a source that nothing refers to.
    """
    limits_file = "limits.toml"
    raw_limits = _read(folder / limits_file, limits_file).get("limit", [])
    targets, forms = _folder(folder, "targets", Target), _folder(folder, "forms", LabelledForm)
    partners = _folder(folder, "partners", Partner)
    library = Library(
        sources=_table(folder, "sources.toml", Source, name_field="key"),
        radionuclides=_table(folder, "radionuclides.toml", RadionuclideClass),
        cell_types=_table(folder, "cell_types.toml", CellType),
        targets={entry.name: entry for entry in targets.values()},
        forms={entry.name: entry for entry in forms.values()},
        agents=_table(folder, "agents.toml", Agent),
        limits=tuple(_entry(OrganLimit, raw, limits_file, f"limit[{i}]") for i, raw in enumerate(raw_limits)),
        radiobiology=_table(folder, "radiobiology.toml", Radiobiology),
        tissue=_entry(TissueParameters, _read(folder / "tissue.toml", "tissue.toml"), "tissue.toml"),
        fluid=_entry(FluidValues, _read(folder / "fluid.toml", "fluid.toml"), "fluid.toml"),
        signatures=_table(folder, "signatures.toml", Signature),
        aliases=_aliases(folder),
        populations=_table(folder, "populations.toml", Population),
        phenotype_rules=_table(folder, "phenotype_rules.toml", PhenotypeRule),
        surface_genes=_table(folder, "surface_genes.toml", SurfaceGenes),
        partners={entry.name: entry for entry in partners.values()},
        immune=_entry(ImmuneData, _read(folder / "immune.toml", "immune.toml"), "immune.toml"),
        answer=_entry(TumourAnswer, _read(folder / "answer.toml", "answer.toml"), "answer.toml"),
        effects=_entry(EffectValues, _read(folder / "effects.toml", "effects.toml"), "effects.toml"),
        harm=tuple(_entry(OrganHarm, raw, "harm.toml", f"harm[{i}]")
                   for i, raw in enumerate(_read(folder / "harm.toml", "harm.toml").get("harm", []))),
    )
    for place, target in targets.items():
        library.check_target(target, place)
        _check_genes(library, target, place)
    for place, form in forms.items():
        library.check_form(form, place)
    for agent in library.agents.values():
        library.check_agent(agent, f"agents.toml: '{agent.name}'")
    _check_limits(library)
    for place, partner in partners.items():
        library.check_partner(partner, place)
    _check_sources(library, {**targets, **forms, **partners})
    return library


def _check_genes(library: Library, target: Target, place: str) -> None:
    on_cells = any(host in library.cell_types for host in target.hosts)  # collagen is matrix and its marker at once
    shared = {gene for c in library.cell_types.values() for gene in c.markers} & set(target.genes)
    if shared and on_cells:
        raise BadInput(f"{place}: 'genes': {shared.pop()} is also a cell-type marker; the target would then be present "
                       "wherever its host is. Take it out of cell_types.toml.")


def _check_limits(library: Library) -> None:
    twice = [key for key, n in Counter((x.organ, x.quantity, x.applies_to) for x in library.limits).items() if n > 1]
    if twice:
        raise BadInput(f"limits.toml: {' / '.join(twice[0])} has two limits; keep one and note the other.")
    for limit in library.limits:
        needed = (limit.alpha_beta_Gy, limit.repair_half_time_h, limit.effective_half_life_h)
        if limit.quantity == "bed" and None in needed:
            raise BadInput(f"limits.toml: {limit.organ}: a limit in BED needs alpha_beta_Gy, repair_half_time_h and "
                           "effective_half_life_h.")


def _check_sources(library: Library, by_file: Mapping[str, BaseModel]) -> None:
    used: set[str] = set()
    for origin, entry in (*by_file.items(), *_other_entries(library)):
        for key in used_sources(entry):
            if key not in library.sources:
                where = next((k for k, v in iter_values(entry) if v.source == key), "source")
                hint = near_miss(key, library.sources)
                raise BadInput(f"{origin}: '{where}': no source '{key}' in sources.toml.{hint}")
            used.add(key)
    idle = sorted(set(library.sources) - used)
    if idle:
        raise BadInput(f"sources.toml: nothing refers to {', '.join(idle)}; remove it.")


def _other_entries(library: Library) -> Iterable[tuple[str, object]]:
    """Entries that share a file with others, with the file and their name."""
    groups: Mapping[str, Mapping[str, object]] = {
        "cell_types.toml": library.cell_types, "agents.toml": library.agents, "radiobiology.toml": library.radiobiology,
        "signatures.toml": library.signatures, "populations.toml": library.populations,
        "phenotype_rules.toml": library.phenotype_rules, "surface_genes.toml": library.surface_genes,
    }
    for file, group in groups.items():
        for name, entry in group.items():
            yield f"{file}: '{name}'", entry
    for limit in library.limits:
        yield f"limits.toml: {limit.organ}", limit
    yield "tissue.toml", library.tissue
    yield "fluid.toml", library.fluid
    yield "immune.toml", library.immune
    yield from (("immune.toml", experiment) for experiment in library.immune.experiment.values())
    yield "effects.toml", library.effects
    yield "answer.toml", library.answer
    yield from (("harm.toml", harm) for harm in library.harm)


def _read(path: Traversable, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInput(f"{name}: the library folder has no such file.") from error
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{name}: not valid TOML: {error}") from error


def _table(folder: Traversable, name: str, model: type[_Entry], *, name_field: str = "name") -> dict[str, _Entry]:
    """Entries of one file, one table each; the table's name is the entry's name."""
    raw = _read(folder / name, name)
    return {key: _entry(model, {name_field: key, **value}, name, key) for key, value in raw.items()}


def _folder(folder: Traversable, sub: str, model: type[_Named]) -> dict[str, _Named]:
    """Entries of a folder, one file each, keyed by file."""
    entries: dict[str, _Named] = {}
    paths = sorted((p for p in (folder / sub).iterdir() if p.name.endswith(".toml")), key=lambda p: p.name)
    for path in paths:
        place = f"{sub}/{path.name}"
        entry = _entry(model, _read(path, place), place)
        taken = next((other for other, e in entries.items() if e.name == entry.name), None)
        if taken is not None:
            raise BadInput(f"{place}: 'name': '{entry.name}' is already taken by {taken}.")
        entries[place] = entry
    return entries


def _aliases(folder: Traversable) -> dict[str, str]:
    name = "symbol_aliases.toml"
    raw = _read(folder / name, name).get("aliases", {})
    for old, new in raw.items():
        if not isinstance(new, str) or new in raw:
            raise BadInput(f"{name}: 'aliases.{old}': must lead to a current symbol, not to '{new}'.")
    return dict(raw)


def _entry(model: type[_Entry], raw: Mapping[str, Any], file: str, place: str = "") -> _Entry:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        lines = [_explain(model, e, place) for e in error.errors()]
        raise BadInput(f"{file}: " + "\n".join(lines)) from error


def _explain(model: type[BaseModel], error: Any, place: str) -> str:
    location = tuple(error["loc"])
    field = place
    for part in location:
        field += f"[{part}]" if isinstance(part, int) else f".{part}" if field else str(part)
    if error["type"] == "extra_forbidden":
        return f"'{field}' is not a field here.{near_miss(str(location[-1]), _siblings(model, location[:-1]))}"
    if error["type"] == "missing":
        return f"'{field}' is missing."
    return f"'{field}': {str(error['msg']).removeprefix('Value error, ')}"


def _siblings(model: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    """Names of the fields that were allowed at ``location``."""
    current: type[BaseModel] = model
    for part in location:
        if isinstance(part, str) and part in current.model_fields:
            found = _models_in(current.model_fields[part].annotation)
            if not found:
                return []
            current = found[0]
    return list(current.model_fields)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for inner in get_args(annotation) for m in _models_in(inner)]
