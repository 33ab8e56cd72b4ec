"""Agents by name, in any of the spellings in use."""

from __future__ import annotations

import re

from nichedose.errors import BadInput, near_miss
from nichedose.library.library import Library
from nichedose.library.schema import Agent

__all__ = ["find_agent"]

_MASS_FIRST = re.compile(r"^(\d{1,3})([a-z]{1,2})(?![a-z])(.*)$")
_ELEMENT_FIRST = re.compile(r"^([a-z]{1,2})(\d{1,3})(?!\d)(.*)$")


def find_agent(library: Library, name: str) -> Agent:
    """The agent called ``name``: ``177Lu-PSMA-617``, ``Lu-177-PSMA-617``, ``[177Lu]Lu-PSMA-617`` or a product name.

    Raises `BadInput` with near misses; when the labelled form exists but does not carry the radionuclide, says which it
    carries.

    >>> from nichedose.library import load_library
    >>> find_agent(load_library(), "Lu-177-PSMA-617").name
    '177Lu-PSMA-617'
    """
    if name in library.agents:
        return library.agents[name]
    wanted = _key(name)
    for agent in library.agents.values():
        if wanted in {_key(agent.name), *map(_key, agent.also_known_as)}:
            return agent
    raise BadInput(f"Unknown agent '{name}'.{_form_hint(library, name) or near_miss(name, library.agents)}")


def _form_hint(library: Library, name: str) -> str:
    """What to say when the ligand is known, but not with this radionuclide."""
    radionuclide, ligand = _split(name)
    if not radionuclide:
        return ""
    for form in library.forms.values():
        if ligand and ligand in {_squeeze(form.name), _squeeze(form.ligand)}:
            canonical = {_split(r)[0]: r for r in form.radionuclides}
            if radionuclide not in canonical:
                return (f" {form.name} ({form.chelator}) does not carry it; it carries {', '.join(form.radionuclides)}."
                        " Another chelator or prosthetic group is another labelled form.")
            return (f" {form.name} can carry {canonical[radionuclide]}, but the library has no regimen for it; "
                    "define one under [[agents]] in the case.")
    return ""


def _key(name: str) -> str:
    radionuclide, ligand = _split(name)
    return radionuclide + ligand


def _split(name: str) -> tuple[str, str]:
    """(``lu177``, ``psma617``) of any spelling; the first part is empty when no radionuclide leads."""
    # separators stay visible until the radionuclide is cut off: "Lu-177-617" must not read as mass 177617
    text = name.strip().lower().replace("[", "").replace("]", "-").replace("(", "").replace(")", "-")
    text = re.sub(r"[\s_‐‑–—]+", "-", text)
    first = re.sub(r"^([a-z]{1,2})-(\d{1,3})(?!\d)", r"\1\2", text)
    if match := _MASS_FIRST.match(first):
        mass, element, rest = match.groups()
    elif match := _ELEMENT_FIRST.match(first):
        element, mass, rest = match.groups()
    else:
        return "", _squeeze(text)
    rest = rest.strip("-")
    rest = rest.removeprefix(f"{element}-")  # "[177Lu]Lu-PSMA-617"
    return element + mass, _squeeze(rest)


def _squeeze(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())
