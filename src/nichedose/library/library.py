"""The library as one frozen object: what is known, with its sources, and the references between entries checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Self

from pydantic import BaseModel

from nichedose.errors import BadInput, near_miss
from nichedose.library.effects import EffectValues, ImmuneData, OrganHarm
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
from nichedose.values import Source, Value

TISSUE_HOSTS = ("matrix", "vessel_wall")  # hosts of a target that are no cell type

__all__ = ["TISSUE_HOSTS", "Library", "iter_values", "used_sources"]


@dataclass(frozen=True)
class Library:
    """All parameter sets. Mappings are read-only and keyed by name (``aliases``: old gene symbol to HGNC symbol)."""

    sources: Mapping[str, Source]
    radionuclides: Mapping[str, RadionuclideClass]
    cell_types: Mapping[str, CellType]
    targets: Mapping[str, Target]
    forms: Mapping[str, LabelledForm]
    agents: Mapping[str, Agent]
    limits: tuple[OrganLimit, ...]
    radiobiology: Mapping[str, Radiobiology]
    tissue: TissueParameters
    fluid: FluidValues
    signatures: Mapping[str, Signature]
    aliases: Mapping[str, str]
    populations: Mapping[str, Population]
    phenotype_rules: Mapping[str, PhenotypeRule]
    surface_genes: Mapping[str, SurfaceGenes]
    partners: Mapping[str, Partner]
    immune: ImmuneData
    effects: EffectValues
    harm: tuple[OrganHarm, ...]
    answer: TumourAnswer

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, dict):
                object.__setattr__(self, f.name, MappingProxyType(value))

    def __reduce__(self) -> tuple[Any, ...]:
        """Read-only mappings do not pickle; plain ones travel to worker processes and are wrapped again there."""
        values = [getattr(self, f.name) for f in fields(self)]
        return (Library, tuple(dict(v) if isinstance(v, MappingProxyType) else v for v in values))

    def with_entries(self, forms: Iterable[LabelledForm] = (), agents: Iterable[Agent] = ()) -> Self:
        """A library with a case's own forms and agents added.

        A source that they name and the library does not know is taken as the citation itself.
        Raises `BadInput` when a name is taken, or an entry refers to something that does not exist.
        """
        forms, agents = tuple(forms), tuple(agents)
        if not forms and not agents:
            return self
        _refuse_taken("form", (f.name for f in forms), self.forms)
        _refuse_taken("agent", (a.name for a in agents), self.agents)
        named = {key for entry in (*forms, *agents) for key in used_sources(entry)}
        given = {key: Source(key=key, citation=f"{key} (as given in the case)") for key in named - set(self.sources)}
        library = replace(
            self,
            sources={**self.sources, **given},
            forms={**self.forms, **{f.name: f for f in forms}},
            agents={**self.agents, **{a.name: a for a in agents}},
        )
        for form in forms:
            library.check_form(form, f"form '{form.name}' of the case")
        for agent in agents:
            library.check_agent(agent, f"agent '{agent.name}' of the case")
        return library

    def check_target(self, target: Target, origin: str) -> None:
        """Raises `BadInput` unless every host is a cell type, and the first has the ratio 1."""
        if not target.genes or not target.host_density_ratio:
            raise BadInput(f"{origin}: a target needs at least one gene and one host cell type.")
        for host in target.host_density_ratio:
            hosts = (*self.cell_types, *TISSUE_HOSTS)
            _known(host, hosts, f"{origin}: 'host_density_ratio.{host}': no such cell type.")
        first = next(iter(target.host_density_ratio.values()))
        if not (first.is_fixed and first.central == 1.0):
            raise BadInput(f"{origin}: 'host_density_ratio': the first host is the reference; give it value = 1.")

    def check_form(self, form: LabelledForm, origin: str) -> None:
        """Raises `BadInput` unless target, radionuclides, organs and numbers of the form hold together."""
        _known(form.target, self.targets, f"{origin}: 'target': '{form.target}' is not a target.")
        for name in form.radionuclides:
            _known(name, self.radionuclides, f"{origin}: 'radionuclides': '{name}' is not in the library.")
        limited = {limit.organ for limit in self.limits}
        for organ in form.dose_limiting_organs:
            _known(organ, limited, f"{origin}: 'dose_limiting_organs': no limit is known for '{organ}'.")
        seen: Counter[tuple[str, str, str]] = Counter()
        for i, coefficient in enumerate(form.dose_coefficients):
            place = f"{origin}: 'dose_coefficients[{i}]'"
            if coefficient.radionuclide not in form.radionuclides:
                raise BadInput(f"{place}: {_carries(form, coefficient.radionuclide)}")
            limits = self.radionuclides[coefficient.radionuclide].limits
            quantity = "weighted_rbe5" if limits == "alpha" else "absorbed_dose"
            if coefficient.quantity != quantity:
                raise BadInput(f"{place}: {coefficient.radionuclide} falls under {limits} limits; "
                               f"quantity must be '{quantity}'.")
            seen[coefficient.organ, coefficient.radionuclide, coefficient.quantity] += 1
        twice = [key for key, n in seen.items() if n > 1]
        if twice:
            raise BadInput(f"{origin}: 'dose_coefficients': {' '.join(twice[0])} is given twice.")
        _positive(form, origin)

    def check_partner(self, partner: Partner, origin: str) -> None:
        """Raises `BadInput` unless the targets and tumours that a partner names exist."""
        for i, effect in enumerate(partner.effects):
            place = f"{origin}: 'effects[{i}]'"
            if effect.target is not None:
                _known(effect.target, self.targets, f"{place}: '{effect.target}' is not a target.")
            for tumour in effect.tumours or ():
                _known(tumour, self.radiobiology, f"{place}: no radiobiology entry '{tumour}'.")

    def check_agent(self, agent: Agent, origin: str) -> None:
        """Raises `BadInput` unless the form exists and carries the radionuclide."""
        _known(agent.form, self.forms, f"{origin}: 'form': no labelled form '{agent.form}'.")
        form = self.forms[agent.form]
        if agent.radionuclide not in form.radionuclides:
            raise BadInput(f"{origin}: 'radionuclide': {_carries(form, agent.radionuclide)}")
        _positive(agent, origin)


def iter_values(entry: object, prefix: str = "") -> Iterator[tuple[str, Value]]:
    """Every `Value` of an entry with its dotted key, in the order of the fields.

    >>> from nichedose.library import load_library
    >>> [key for key, _ in iter_values(load_library().agents["177Lu-PSMA-617"])]
    ['activity_MBq', 'published_lesion_Gy_per_GBq']
    """
    if isinstance(entry, Value):
        yield prefix, entry
    elif isinstance(entry, BaseModel):
        for name in type(entry).model_fields:
            yield from iter_values(getattr(entry, name), f"{prefix}.{name}" if prefix else name)
    elif isinstance(entry, Mapping):
        for name, item in entry.items():
            yield from iter_values(item, f"{prefix}.{name}" if prefix else str(name))
    elif isinstance(entry, tuple):
        for i, item in enumerate(entry):
            yield from iter_values(item, f"{prefix}[{i}]")


def used_sources(entry: object) -> Iterator[str]:
    """Keys of the sources that an entry names, in its values and of its own."""
    yield from (value.source for _, value in iter_values(entry) if value.source is not None)
    for name in ("source", "regimen_source"):
        key = getattr(entry, name, None)
        if isinstance(key, str):
            yield key


def _known(name: str, allowed: Iterable[str], message: str) -> None:
    names = list(allowed)
    if name not in names:
        raise BadInput(message + near_miss(name, names))


def _carries(form: LabelledForm, radionuclide: str) -> str:
    return (f"{form.name} ({form.chelator}) does not carry {radionuclide}; it carries {', '.join(form.radionuclides)}. "
            "Another chelator or prosthetic group is another labelled form.")


def _refuse_taken(what: str, names: Iterable[str], taken: Mapping[str, object]) -> None:
    counts = Counter(names)
    for name, n in counts.items():
        if name in taken or n > 1:
            raise BadInput(f"The {what} '{name}' {'is given twice' if n > 1 else 'exists in the library'}; "
                           "give the case's own entry another name.")


_MAY_BE_ZERO = ("release_per_h", "internalisation_per_h")


def _positive(entry: object, origin: str) -> None:
    """Every quantity of forms and agents is above zero over its whole distribution, but for two rates."""
    for key, value in iter_values(entry):
        lowest = value.quantile(1e-6) if not value.is_fixed else value.central
        if lowest < 0.0 or (lowest == 0.0 and key not in _MAY_BE_ZERO):
            raise BadInput(f"{origin}: '{key}': must be above 0; its distribution reaches {lowest:g}.")
        if key == "plasma_free_fraction" and value.quantile(1.0 - 1e-6) > 1.0:
            raise BadInput(f"{origin}: '{key}': a fraction cannot exceed 1.")
