"""The body as SBML, so that other simulators can run it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from xml.etree import ElementTree as ET

from nichedose.body.model import PLASMA, BodyModel
from nichedose.body.network import Binding, Transfer
from nichedose.errors import BadInput

__all__ = ["body_sbml"]

SBML = "http://www.sbml.org/sbml/level3/version1/core"
MATHML = "http://www.w3.org/1998/Math/MathML"
UNITS = {
    "nmol": (("mole", 1, -9, 1.0),),
    "h": (("second", 1, 0, 3600.0),),
    "per_h": (("second", -1, 0, 3600.0),),
    "per_nmol_h": (("mole", -1, -9, 1.0), ("second", -1, 0, 3600.0)),
}


def body_sbml(model: BodyModel, ligand_nmol: float) -> str:
    """``model`` after a bolus of ``ligand_nmol`` into plasma at time 0, as an SBML Level 3 Version 1 document.

    Species are amounts in nmol, time is in h, organs are compartments. Decay, infusions, amino acids and changes of a
    target are not in it: it is total ligand, as in `BodySolution.amounts_nmol`. Raises `BadInput` for a bolus that is
    not above 0.

    >>> from nichedose.body import Patient, anatomy, body_ligand
    >>> from nichedose.body.model import body_model
    >>> from nichedose.library import load_library
    >>> from nichedose.library.bodies import load_bodies
    >>> bodies, who = load_bodies(), Patient()
    >>> agent = body_ligand(load_library().forms["PSMA-617"], bodies.of_form("PSMA-617"), bodies.physiology.antibody)
    >>> text = body_sbml(body_model(who, anatomy(who, bodies.physiology), agent), 57.0)
    >>> 'id="kidney_bound"' in text
    True
    """
    if not (math.isfinite(ligand_nmol) and ligand_nmol > 0.0):
        raise BadInput(f"ligand_nmol must be finite and above 0; got {ligand_nmol}.")
    net = model.network
    places = list(dict.fromkeys(s.organ for s in net.states))
    names = _identifiers([*net.names, *(f"in {p}" for p in places), *model.rates, *model.sites])
    root = ET.Element("sbml", xmlns=SBML, level="3", version="1")
    whole = ET.SubElement(root, "model", id="body", substanceUnits="nmol", extentUnits="nmol", timeUnits="h",
                          volumeUnits="litre")
    _units(whole)
    compartments = ET.SubElement(whole, "listOfCompartments")
    for place in places:
        volume = model.plasma_volume_L if place == PLASMA else model.volume_L.get(place, 1.0)
        ET.SubElement(compartments, "compartment", id=names[f"in {place}"], name=place, spatialDimensions="3",
                      size=repr(float(volume)), constant="true")
    species = ET.SubElement(whole, "listOfSpecies")
    for state in net.states:
        ET.SubElement(species, "species", id=names[state.name], name=state.name,
                      compartment=names[f"in {state.organ}"],
                      initialAmount=repr(float(ligand_nmol)) if state.name == PLASMA else "0",
                      hasOnlySubstanceUnits="true", boundaryCondition="false", constant="false")
    parameters = ET.SubElement(whole, "listOfParameters")
    on = {b.on for b in net.bindings}
    for table, unit in ((model.rates, "per_h"), (model.sites, "nmol")):
        for key, value in table.items():
            ET.SubElement(parameters, "parameter", id=names[key], name=key, value=repr(float(value)),
                          units="per_nmol_h" if key in on else unit, constant="true")
    reactions = ET.SubElement(whole, "listOfReactions")
    for k, transfer in enumerate(net.transfers):
        _transfer(reactions, k, transfer, names)
    for k, binding in enumerate(net.bindings):
        _binding(reactions, k, binding, net.bindings, names)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _identifiers(names: Iterable[str]) -> dict[str, str]:
    """Letters, digits and underscores, each once."""
    found: dict[str, str] = {}
    taken = {"body", *UNITS}
    for name in names:
        plain = re.sub(r"\W+", "_", name.replace(">", "to").replace("+", "and"), flags=re.ASCII).strip("_")
        stem = plain if plain and not plain[0].isdigit() else f"x_{plain}"
        identifier, k = stem, 2
        while identifier in taken:
            identifier, k = f"{stem}_{k}", k + 1
        taken.add(identifier)
        found[name] = identifier
    return found


def _units(whole: ET.Element) -> None:
    definitions = ET.SubElement(whole, "listOfUnitDefinitions")
    for name, parts in UNITS.items():
        units = ET.SubElement(ET.SubElement(definitions, "unitDefinition", id=name), "listOfUnits")
        for kind, exponent, scale, multiplier in parts:
            ET.SubElement(units, "unit", kind=kind, exponent=str(exponent), scale=str(scale),
                          multiplier=repr(multiplier))


def _transfer(reactions: ET.Element, k: int, transfer: Transfer, names: dict[str, str]) -> None:
    source = names[transfer.source]
    law = _reaction(reactions, f"transfer_{k}", source, names[transfer.destination], [])
    _product(law, [names[transfer.rate], source])


def _binding(
    reactions: ET.Element, k: int, binding: Binding, bindings: tuple[Binding, ...], names: dict[str, str]
) -> None:
    """on x free x (sites - all that are taken)."""
    taken = [names[b.bound] for b in bindings if b.sites == binding.sites]
    bound = names[binding.bound]
    law = _reaction(reactions, f"binding_{k}", names[binding.free], bound, [t for t in taken if t != bound])
    product = _product(law, [names[binding.on], names[binding.free]])
    left = ET.SubElement(product, "apply")
    ET.SubElement(left, "minus")
    ET.SubElement(left, "ci").text = names[binding.sites]
    occupied = left if len(taken) == 1 else ET.SubElement(left, "apply")
    if len(taken) > 1:
        ET.SubElement(occupied, "plus")
    for one in taken:
        ET.SubElement(occupied, "ci").text = one


def _reaction(reactions: ET.Element, name: str, source: str, destination: str, modifiers: list[str]) -> ET.Element:
    """An irreversible reaction of one molecule; returns its empty rate law."""
    reaction = ET.SubElement(reactions, "reaction", id=name, reversible="false", fast="false")
    for role, one in (("listOfReactants", source), ("listOfProducts", destination)):
        ET.SubElement(ET.SubElement(reaction, role), "speciesReference", species=one, stoichiometry="1",
                      constant="true")
    if modifiers:
        listed = ET.SubElement(reaction, "listOfModifiers")
        for one in modifiers:
            ET.SubElement(listed, "modifierSpeciesReference", species=one)
    return ET.SubElement(ET.SubElement(reaction, "kineticLaw"), "math", xmlns=MATHML)


def _product(law: ET.Element, factors: list[str]) -> ET.Element:
    product = ET.SubElement(law, "apply")
    ET.SubElement(product, "times")
    for one in factors:
        ET.SubElement(product, "ci").text = one
    return product
