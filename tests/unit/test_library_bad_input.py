"""A broken library file, or a case's own entry that does not fit, gets an error that names file and field."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import pytest

from nichedose.errors import BadInput
from nichedose.library import Library, find_agent, load_library, read_library
from nichedose.library.schema import Agent, LabelledForm
from nichedose.values import Value

LIBRARY = load_library()
Edit = Callable[[str, str, str], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with as_file(files("nichedose.library") / "data") as source:
        shutil.copytree(source, tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def edit(folder: Path) -> Edit:
    def replace(file: str, old: str, new: str) -> None:
        path = folder / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {file}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return replace


def refused(folder: Path) -> str:
    with pytest.raises(BadInput) as caught:
        read_library(folder)
    return str(caught.value)


def test_an_untouched_copy_reads_the_same(folder: Path) -> None:
    assert read_library(folder) == LIBRARY


@pytest.mark.parametrize(("file", "old", "new", "expected"), [
    ("forms/psma_617.toml", "residualising", "residualizing",
     ["forms/psma_617.toml", "'residualizing' is not a field", "Did you mean 'residualising'",
      "'residualising' is missing"]),
    ("forms/psma_617.toml", 'target = "PSMA"', 'target = "PMSA"',
     ["forms/psma_617.toml", "'target'", "Did you mean 'PSMA'"]),
    ("forms/psma_617.toml", "value = 1.042", "value = 1.042\nmean = 2.0",
     ["forms/psma_617.toml", "'molar_mass_kDa'", "exactly one of"]),
    ("forms/psma_617.toml", "value = 1.042", "value = 0.0", ["forms/psma_617.toml", "'molar_mass_kDa'", "above 0"]),
    ("forms/psma_617.toml", 'source = "pycno"', 'source = "pycmo"',
     ["forms/psma_617.toml", "'release_per_h'", "no source 'pycmo'", "Did you mean 'pycno'"]),
    ("forms/psma_617.toml", "mean = 10.8", "mean = -10.8", ["forms/psma_617.toml", "plasma.half_life_h[1]"]),
    ("forms/psma_617.toml", 'radionuclide = "225Ac"', 'radionuclide = "131I"',
     ["forms/psma_617.toml", "PSMA-617 (DOTA) does not carry 131I", "177Lu, 225Ac, 161Tb, 90Y"]),
    ("forms/psma_617.toml", 'quantity = "weighted_rbe5"', 'quantity = "absorbed_dose"',
     ["forms/psma_617.toml", "dose_coefficients[10]", "alpha limits", "weighted_rbe5"]),
    ("forms/psma_617.toml", '["kidney", ', '["kidneys", ',
     ["forms/psma_617.toml", "'dose_limiting_organs'", "'kidneys'", "Did you mean 'kidney'"]),
    ("forms/psma_617.toml", 'evidence = "measured"', 'evidence = "measurd"', ["forms/psma_617.toml", "evidence"]),
    ("forms/fapi_46.toml", 'name = "FAPI-46"', 'name = "FAP-2286"',
     ["forms/fapi_46.toml", "taken by forms/fap_2286.toml"]),
    ("agents.toml", 'form = "PSMA-617"', 'form = "PSMA-671"', ["agents.toml", "'form'", "PSMA-617"]),
    ("agents.toml", 'radionuclide = "67Cu"', 'radionuclide = "177Lu"',
     ["agents.toml", "67Cu-SARTATE", "SARTATE (MeCOSar) does not carry 177Lu; it carries 67Cu"]),
    ("agents.toml", 'status = "approved"', 'status = "aproved"', ["agents.toml", "177Lu-PSMA-617.status"]),
    ("agents.toml", "cycles = 6", "cycles = 0", ["agents.toml", "177Lu-PSMA-617.cycles"]),
    ("targets/fap.toml", "host_density_ratio.fibroblast", "host_density_ratio.fibroblasts",
     ["targets/fap.toml", "host_density_ratio.fibroblasts", "Did you mean 'fibroblast'"]),
    ("targets/psma.toml", 'genes = ["FOLH1"]', 'genes = ["EPCAM"]', ["targets/psma.toml", "EPCAM", "cell-type marker"]),
    ("cell_types.toml", 'source = "own_markers"', 'source = "nobody"', ["cell_types.toml", "no source 'nobody'"]),
    ("limits.toml", 'quantity = "absorbed_dose"', 'quantity = "bed"', ["limits.toml", "kidney"]),
    ("sources.toml", "[own_markers]", '[idle]\ncitation = "Nobody reads this"\n\n[own_markers]',
     ["sources.toml", "nothing refers to idle"]),
    ("sources.toml", "citation", "citaton", ["sources.toml", "vision_dosimetry.citaton", "Did you mean 'citation'"]),
    ("tissue.toml", "[vessel_contrast]", "[vessel_kontrast]", ["tissue.toml", "vessel_kontrast", "vessel_contrast"]),
    ("symbol_aliases.toml", '"CTGF" = "CCN2"', '"CTGF" = "CYR61"', ["symbol_aliases.toml", "aliases.CTGF", "CYR61"]),
    ("radiobiology.toml", "[prostate.alpha_per_Gy]", "[prostate.alpha_per_Gy", ["radiobiology.toml", "not valid TOML"]),
])
def test_a_mutated_file(folder: Path, edit: Edit, file: str, old: str, new: str, expected: list[str]) -> None:
    edit(file, old, new)
    message = refused(folder)
    for part in expected:
        assert part in message


def test_a_missing_file(folder: Path) -> None:
    (folder / "tissue.toml").unlink()
    assert "tissue.toml" in refused(folder)


def test_a_bed_limit_needs_its_parameters(folder: Path) -> None:
    path = folder / "limits.toml"
    text = path.read_text(encoding="utf-8")
    start, end = text.index("[limit.repair_half_time_h]"), text.index("[limit.effective_half_life_h]")
    path.write_text(text[:start] + text[end:], encoding="utf-8")
    assert "repair_half_time_h" in refused(folder)


def test_unknown_agent_suggests() -> None:
    with pytest.raises(BadInput, match=r"177Lu-PSMA-671.*Did you mean '177Lu-PSMA-617'"):
        find_agent(LIBRARY, "177Lu-PSMA-671")


def test_a_radionuclide_that_the_form_cannot_carry() -> None:
    with pytest.raises(BadInput, match=r"PSMA-617 \(DOTA\) does not carry it; it carries 177Lu, 225Ac, 161Tb, 90Y"):
        find_agent(LIBRARY, "Cu-67-PSMA-617")


def test_a_form_without_a_regimen() -> None:
    with pytest.raises(BadInput, match=r"can carry 90Y, but the library has no regimen"):
        find_agent(LIBRARY, "90Y-PSMA-617")


def test_nonsense_lists_what_is_known() -> None:
    with pytest.raises(BadInput, match=r"Unknown agent ''\. Known: 131I-girentuximab"):
        find_agent(LIBRARY, "")


def own_form(**changes: Any) -> LabelledForm:
    return LIBRARY.forms["PSMA-617"].model_copy(update={"name": "own", **changes})


def own_agent(**changes: Any) -> Agent:
    return LIBRARY.agents["177Lu-PSMA-617"].model_copy(update={"name": "177Lu-own", "form": "own", **changes})


def test_a_case_may_bring_its_own() -> None:
    affinity = Value(value=1.0, evidence="measured", read="full text", source="doi:10.0000/ours")
    form = own_form(dissociation_constant_nmol_per_L=affinity)
    library = LIBRARY.with_entries(forms=[form], agents=[own_agent()])
    assert isinstance(library, Library)
    assert find_agent(library, "Lu-177-own").form == "own"
    assert library.sources["doi:10.0000/ours"].citation.startswith("doi:10.0000/ours")
    assert "own" not in LIBRARY.forms
    assert LIBRARY.with_entries() is LIBRARY


@pytest.mark.parametrize(("forms", "agents", "expected"), [
    ([own_form(name="PSMA-617")], [], "exists in the library"),
    ([own_form(), own_form()], [], "given twice"),
    ([], [own_agent(name="177Lu-PSMA-617", form="PSMA-617")], "exists in the library"),
    ([], [own_agent()], "no labelled form 'own'"),
    ([own_form(target="HER7")], [], "'HER7' is not a target"),
    ([own_form(radionuclides=("177Lu", "188Re"))], [], "'188Re' is not in the library"),
    ([own_form(radionuclides=("225Ac",))], [], r"own (DOTA) does not carry 177Lu"),
    ([own_form()], [own_agent(radionuclide="131I")], r"own (DOTA) does not carry 131I"),
    ([own_form(dose_limiting_organs=("tail",))], [], "no limit is known for 'tail'"),
    ([own_form(injected_nmol=Value(value=0.0, evidence="assumed"))], [], "'injected_nmol': must be above 0"),
    ([own_form(plasma_free_fraction=Value(low=0.5, high=1.5, evidence="assumed"))], [], "cannot exceed 1"),
])
def test_a_case_entry_that_does_not_fit(forms: list[LabelledForm], agents: list[Agent], expected: str) -> None:
    with pytest.raises(BadInput) as caught:
        LIBRARY.with_entries(forms=forms, agents=agents)
    assert expected in str(caught.value)
