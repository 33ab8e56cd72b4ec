"""The body as SBML: read back by a reader of its own, and run by libRoadRunner where that is installed."""

from __future__ import annotations

import math
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from body_cases import LU177, PHYSIOLOGY, ligand, model, patient, right_hand_side
from nichedose.body import BodyModel, Injection, Regimen, Tumour, anatomy, body_model, body_sbml, solve
from nichedose.errors import BadInput

CORE = "{http://www.sbml.org/sbml/level3/version1/core}"
MATH = "{http://www.w3.org/1998/Math/MathML}"


def value_of(node: ET.Element, known: dict[str, float]) -> float:
    if node.tag == f"{MATH}ci":
        return known[str(node.text)]
    operator, *rest = list(node)
    terms = [value_of(n, known) for n in rest]
    return {f"{MATH}times": math.prod, f"{MATH}plus": sum, f"{MATH}minus": lambda t: t[0] - t[1]}[operator.tag](terms)


def derivative(text: str, amounts: np.ndarray) -> np.ndarray:
    """dy/dt by the document alone, species in their order."""
    root = ET.fromstring(text)
    species = [s.attrib["id"] for s in root.iter(f"{CORE}species")]
    known = {p.attrib["id"]: float(p.attrib["value"]) for p in root.iter(f"{CORE}parameter")}
    known |= dict(zip(species, amounts, strict=True))
    out = dict.fromkeys(species, 0.0)
    for reaction in root.iter(f"{CORE}reaction"):
        [law] = list(reaction.iter(f"{MATH}math"))
        flux = value_of(law[0], known)
        for role, sign in (("listOfReactants", -1.0), ("listOfProducts", 1.0)):
            for one in reaction.find(f"{CORE}{role}"):
                out[one.attrib["species"]] += sign * flux
    return np.array(list(out.values()))


def with_competitor() -> BodyModel:
    names = ("liver metastasis (1)", "liver metastasis 1")
    who = patient(*(Tumour(name, 20.0, 0.2, 0.5, 40.0) for name in names))
    return body_model(who, anatomy(who, PHYSIOLOGY), ligand(), ligand(name="cold twin"))


@pytest.mark.parametrize("body", [model(), model("atezolizumab-DOTA"), with_competitor()],
                         ids=["peptide", "antibody", "competitor"])
def test_the_document_holds_the_equations(body: BodyModel) -> None:
    amounts = np.random.default_rng(3).uniform(0.0, 5.0, len(body.network.states))
    exact = right_hand_side(body, amounts)
    read_back = derivative(body_sbml(body, 57.0), amounts)
    assert read_back == pytest.approx(exact, rel=1e-12, abs=1e-12 * np.abs(exact).max())


def test_identifiers_are_valid_and_single_and_refer_to_something() -> None:
    root = ET.fromstring(body_sbml(with_competitor(), 57.0))
    found = [n.attrib["id"] for n in root.iter() if "id" in n.attrib]
    assert len(set(found)) == len(found)
    assert all(i.replace("_", "a").isalnum() and i.isascii() and not i[0].isdigit() for i in found)
    used = {n.attrib[a] for n in root.iter() for a in ("species", "compartment") if a in n.attrib}
    used |= {str(n.text) for n in root.iter(f"{MATH}ci")}
    assert used <= set(found)


def test_the_bolus_is_in_plasma_and_must_be_above_zero() -> None:
    root = ET.fromstring(body_sbml(model(), 57.0))
    given = {s.attrib["name"]: float(s.attrib["initialAmount"]) for s in root.iter(f"{CORE}species")}
    assert given["plasma"] == 57.0 and sum(given.values()) == 57.0
    for wrong in (0.0, math.nan):
        with pytest.raises(BadInput, match="ligand_nmol"):
            body_sbml(model(), wrong)


def test_libroadrunner_runs_it_to_the_same_amounts() -> None:
    roadrunner = pytest.importorskip("roadrunner", reason="libroadrunner is not installed")
    body = model()
    runner = roadrunner.RoadRunner(body_sbml(body, 57.0))
    runner.integrator.setValue("relative_tolerance", 1e-9)
    runner.integrator.setValue("absolute_tolerance", 1e-13)
    ids = runner.model.getFloatingSpeciesIds()
    runner.timeCourseSelections = list(ids)
    theirs = np.asarray(runner.simulate(0.0, 48.0, 2))[-1]
    run = solve(body, Regimen((Injection(57.0, 1.0),)), decay_per_h={"177Lu": LU177}, end_h=48.0, tolerance=1e-8)
    labels = {s.attrib["id"]: s.attrib["name"] for s in ET.fromstring(body_sbml(body, 57.0)).iter(f"{CORE}species")}
    ours = run.amounts_nmol[-1][[body.network.index(labels[i]) for i in ids]]
    assert theirs == pytest.approx(ours, rel=1e-6, abs=1e-9 * 57.0)
