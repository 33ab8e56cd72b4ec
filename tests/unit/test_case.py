"""The case file: what it takes, what it refuses with which words, and the template that teaches it."""

from __future__ import annotations

import re
import tomllib
import typing
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from nichedose.case import Case, parse_case, resolve_path
from nichedose.case_template import template_text
from nichedose.errors import BadInput
from nichedose.library import load_library
from nichedose.library.schema import LabelledForm

MINIMAL = """
title = "t"
tumour = "prostate"
[[sections]]
path = "s"
[lesion]
diameter = "15 mm"
[[candidates]]
agent = "177Lu-PSMA-617"
[output]
folder = "results"
"""


def test_the_smallest_case_is_complete() -> None:
    case = parse_case(MINIMAL)
    assert case.lesion.diameter == 15.0
    assert case.lesion.surroundings == "uniform"
    assert case.sampling.draws >= 32
    assert case.comparison.decide_by in case.comparison.modes


def test_a_case_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        parse_case(MINIMAL).title = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('diameter = "15 mm"', 'diametre = "15 mm"', r"'lesion.diametre' is not a field.*Did you mean 'diameter'"),
        ('diameter = "15 mm"', "", r"'lesion.diameter' is missing"),
        ('diameter = "15 mm"', "diameter = 15", r"'lesion.diameter': 15 has no unit"),
        ('diameter = "15 mm"', 'diameter = "15 GBq"', r"'lesion.diameter': .*measures activity; length is needed"),
        ('diameter = "15 mm"', 'diameter = "0 mm"', r"above zero"),
        ('title = "t"', "", r"'title' is missing"),
        ('title = "t"', 'title = "t', r"not valid TOML"),
        ('path = "s"', 'path = "s"\nkind = "visum"', r"'sections.kind' of s: .*'visium'"),
        ('path = "s"', 'path = "s"\num_per_unit = -1.0', r"'sections.um_per_unit' of s:"),
        ("[output]", '[[candidates]]\nagent = "90Y-FAPI-46"\nactivity = "5"\n[output]',
         r"'candidates.activity' of 90Y-FAPI-46 \(number 2\): '5' has no unit"),
        ("[output]", "[[candidates]]\ncycles = 2\n[output]", r"'candidates.agent' \(number 2\) is missing"),
        ("[output]", "[anchors]\nPSMA = 60\n[output]", r"'anchors.PSMA': 60 has no unit"),
        ("[output]", "[sampling]\ndraws = -1\n[output]", r"'sampling.draws'"),
        ("[output]", '[[candidates]]\nagent = "177Lu-PSMA-617"\n[output]', r"named twice.*label"),
        ("[output]", '[comparison]\nmodes = ["equal_activity"]\n[output]', r"decide_by.*not among"),
        ("[output]", '[comparison]\nequal_mean_dose = "0 Gy"\n[output]', r"equal_mean_dose must be above 0"),
    ],
)
def test_a_wrong_case_names_the_field_the_value_and_the_rule(old: str, new: str, complaint: str) -> None:
    assert old in MINIMAL
    with pytest.raises(BadInput, match=complaint) as caught:
        parse_case(MINIMAL.replace(old, new), origin="my.toml")
    assert str(caught.value).startswith("my.toml: ")


def test_no_candidate_or_section_is_refused() -> None:
    for block in (r"\[\[sections\]\]\npath = \"s\"\n", r"\[\[candidates\]\]\nagent = \"177Lu-PSMA-617\"\n"):
        with pytest.raises(BadInput, match="missing"):
            parse_case(re.sub(block, "", MINIMAL))


def test_paths_are_relative_to_the_case_file(tmp_path: Path) -> None:
    assert resolve_path(tmp_path / "case.toml", "results") == tmp_path / "results"
    assert resolve_path(Path("x/case.toml"), str(tmp_path)) == tmp_path


# ---- the template ----------------------------------------------------------------------------------------------------


def uncommented(text: str) -> str:
    """The template with every optional field switched on."""
    field = re.compile(r"^# (\[+[\w.]+\]+|[\w-]+ = .*)$")
    return "\n".join(match.group(1) if (match := field.match(line)) else line for line in text.splitlines())


def test_the_template_is_a_valid_case_as_it_stands() -> None:
    case = parse_case(template_text())
    known = load_library()
    assert case.tumour in known.radiobiology
    assert all(c.agent in known.agents for c in case.candidates)


def test_every_optional_field_of_the_template_is_valid() -> None:
    case = parse_case(uncommented(template_text()))
    assert case.candidates[0].cycles == 6
    assert case.prior_doses and case.agents and case.anchors
    assert case.lesion.clonogen_density == 1e5


def models(model: type[BaseModel]) -> set[type[BaseModel]]:
    """The case's models; labelled forms have a reference page of their own."""
    found = {model}
    for info in model.model_fields.values():
        for inner in _classes(info.annotation):
            if issubclass(inner, BaseModel) and inner is not LabelledForm and inner.__name__ != "Value":
                found |= models(inner)
    return found


def _classes(annotation: Any) -> list[type]:
    if isinstance(annotation, type):
        return [annotation]
    return [c for a in typing.get_args(annotation) for c in _classes(a)]


def test_the_template_mentions_every_field_of_the_case() -> None:
    table_or_key = r"^(?:# )?(?:\[+(?:\w+\.)*([\w-]+)\]+(?: defines .*)?$|([\w-]+) = )"
    lines = re.findall(table_or_key, template_text(), flags=re.MULTILINE)
    named = {name for pair in lines for name in pair if name}
    for model in models(Case):
        for name in model.model_fields:
            assert name in named, f"{model.__name__}.{name} is not in the template"


def test_the_reference_page_mentions_every_field_of_the_case() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "case.md").read_text("utf-8")
    named = set(re.findall(r"`\[*([\w-]+)\]*`", page))
    for model in models(Case) | {LabelledForm}:
        for name in model.model_fields:
            assert name in named, f"{model.__name__}.{name} is not in docs/reference/case.md"


def test_the_template_mentions_every_choice_of_the_case() -> None:
    text = template_text()
    for model in models(Case):
        for name, info in model.model_fields.items():
            for choice in re.findall(r"Literal\[(.*?)\]", str(info.annotation)):
                for allowed in re.findall(r"'([^']+)'", choice):
                    assert f'"{allowed}"' in text, f"{model.__name__}.{name} = {allowed}"


def test_the_template_lists_the_tumours_of_the_library() -> None:
    for name in load_library().radiobiology:
        assert f'"{name}"' in template_text()


def test_the_template_defaults_are_those_of_the_model() -> None:
    """A commented optional field that shows a default must show the true one."""
    plain, given = parse_case(MINIMAL), tomllib.loads(uncommented(template_text()))
    assert given["comparison"]["scaling"] == plain.comparison.scaling
    full = parse_case(uncommented(template_text()))
    assert full.comparison.equal_activity == plain.comparison.equal_activity
    assert full.comparison.equal_mean_dose == plain.comparison.equal_mean_dose
    assert full.sampling.grid_spacing == plain.sampling.grid_spacing
    assert full.lesion.section_thickness == plain.lesion.section_thickness
