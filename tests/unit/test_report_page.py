"""The page as a whole: valid, self-contained, complete, and honest about what is missing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from xml.etree.ElementTree import Element

import html5lib
import numpy as np
import pytest
from report_fake import CASE, fake_result, with_missing_numbers

from nichedose.report import render_report
from nichedose.results import PlanResult

NAMESPACE = "{http://www.w3.org/1999/xhtml}"
VARIANTS = {
    "two sections": fake_result(n=24),
    "no draws": fake_result(n=16, draws=0, sections=1),
    "one candidate": fake_result(n=16, agents=1, evaluable=1, sections=1),
    "none evaluable": fake_result(n=16, agents=3, evaluable=0, sections=1),
    "no section": fake_result(n=16, agents=2, evaluable=1, sections=0),
    "holes": with_missing_numbers(fake_result(n=16, sections=1)),
}


@pytest.fixture(scope="module", params=list(VARIANTS))
def case(request: pytest.FixtureRequest) -> tuple[PlanResult, str]:
    result = VARIANTS[request.param]
    return result, render_report(result)


@pytest.fixture(scope="module")
def page() -> str:
    return render_report(VARIANTS["two sections"])


def tree(page: str) -> Element:
    """Parsed strictly: any parse error raises."""
    parser = html5lib.HTMLParser(strict=True, tree=html5lib.getTreeBuilder("etree"))
    root: Element = parser.parse(page)
    return root


def visible(page: str) -> str:
    root = tree(page)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{NAMESPACE}script", f"{NAMESPACE}style"):
                parent.remove(child)
    return re.sub(r"\s+", " ", " ".join(root.itertext()))


def test_valid_html(case: tuple[PlanResult, str]) -> None:
    root = tree(case[1])
    ids = [e.attrib["id"] for e in root.iter() if "id" in e.attrib]
    assert len(ids) == len(set(ids))
    described = [e.attrib[a] for e in root.iter() for a in ("aria-labelledby", "aria-describedby") if a in e.attrib]
    assert set(described) <= set(ids)
    anchors = [e.attrib["href"][1:] for e in root.iter(f"{NAMESPACE}a") if e.attrib["href"].startswith("#")]
    assert set(anchors) <= set(ids)


def test_nothing_is_loaded_from_outside(case: tuple[PlanResult, str]) -> None:
    root = tree(case[1])
    for element in root.iter():
        assert "src" not in element.attrib and "srcset" not in element.attrib and "action" not in element.attrib
        assert element.tag not in [NAMESPACE + t for t in ("link", "img", "iframe", "object", "embed", "base")]
        if "href" in element.attrib:
            assert element.tag == f"{NAMESPACE}a"
    style = "".join(e.text or "" for e in root.iter(f"{NAMESPACE}style"))
    assert "url(" not in style and "@import" not in style
    policy = [e.attrib["content"] for e in root.iter(f"{NAMESPACE}meta") if "http-equiv" in e.attrib]
    assert len(policy) == 1 and policy[0].startswith("default-src 'none'")


def test_no_empty_numbers_are_printed(case: tuple[PlanResult, str]) -> None:
    text = visible(case[1])
    assert not re.search(r"\b(nan|NaN|None|inf|undefined|null)\b", text)
    assert not re.search(r"\bm?Sv\b", text) and "effective dose" not in text and "equivalent dose" not in text
    markup = re.sub(r"<(script|style)>.*?</\1>", "", case[1], flags=re.S)
    assert not re.search(r"\b(nan|NaN|None)\b", markup)


def test_all_candidates_and_all_reasons_are_there(case: tuple[PlanResult, str]) -> None:
    result, page = case
    text = visible(page)
    assert "Research software, not a medical device" in text and "Synthetic data" in text
    for candidate in result.candidates:
        assert candidate.name in text
        for reason in candidate.reasons:
            assert reason in text
        for mode in candidate.modes.values():
            assert mode.reason in text
    assert result.answer.rstrip(".") in text


def test_real_data_are_not_called_synthetic() -> None:
    assert "Synthetic data" not in visible(render_report(replace(VARIANTS["one candidate"], synthetic=False)))


def test_names_are_escaped(page: str) -> None:
    assert "<script>alert" not in page
    assert 'Demo lesion <script>alert("x")</script> & "quotes"' in visible(page)
    assert 'path = "section"   # <script>alert(1)</script>'.replace("   ", " ") in visible(page)
    assert "made-up source <b>with markup</b>" in visible(page)


def test_hostile_names_stay_text() -> None:
    result = VARIANTS["one candidate"]
    name = "</script><img src=x onerror=alert(1)>'\"&"
    hostile = replace(result.candidates[0], name=name, sentence=f"{name} leads")
    maps = result.sections[0].candidates.assign_coords(candidate=[name])
    sections = (replace(result.sections[0], sample=name, candidates=maps),)
    page = render_report(replace(result, candidates=(hostile,), sections=sections, answer=f"{name} ranks first."))
    root = tree(page)
    assert not list(root.iter(f"{NAMESPACE}img"))
    assert visible(page).count("</script><img src=x onerror=alert(1)>'\"&") >= 3


def test_odd_links_are_not_made() -> None:
    result = VARIANTS["one candidate"]
    sources = {k: s.model_copy(update={"doi": None, "url": "javascript:alert(1)"}) for k, s in result.sources.items()}
    root = tree(render_report(replace(result, sources=sources)))
    assert not [a for a in root.iter(f"{NAMESPACE}a") if a.attrib["href"].startswith("javascript")]


def test_every_value_stands_in_the_table_with_its_source(page: str) -> None:
    root = tree(page)
    table = next(t for t in root.iter(f"{NAMESPACE}table") if t.attrib.get("id") == "value-table")
    rows = [r for r in table.iter(f"{NAMESPACE}tr") if "data-evidence" in r.attrib]
    result = VARIANTS["two sections"]
    assert len(rows) == len(result.values_used)
    texts = ["".join(r.itertext()) for r in rows]
    for use in result.values_used:
        text = next(t for t in texts if use.key in t)
        assert use.value.evidence in text
        if use.value.source:
            assert result.sources[use.value.source].citation in text
    assumed = [r for r in rows if r.attrib["data-evidence"] == "assumed"]
    assert assumed and all(r.attrib.get("class") == "assumed" for r in assumed)
    links = [a.attrib["href"] for a in table.iter(f"{NAMESPACE}a")]
    assert "https://doi.org/10.0000/fake.1" in links


def test_ranks_by_dose_and_by_survival_stand_side_by_side(page: str) -> None:
    text = visible(page)
    assert "rank 3 by dose" in text
    assert "All have the same mean dose here" in text  # the mode of equal mean dose


def test_other_assumptions_about_surroundings(page: str) -> None:
    text = visible(page)
    for part in (
        "Rank, uniform (this case)",
        "Rank, mirror",
        "Rank, isolated",
        "moves",
        "Energy that leaves",
        "3.20 × 10⁻⁷",
    ):
        assert part in text


def test_organ_doses_count_what_came_before(page: str) -> None:
    text = visible(page)
    assert "24.4 of 23.0 Gy" in text and "106 %" in text  # 21.4 Gy of this course and 3.0 Gy before
    assert "dose from 177Lu-PSMA-617" in text and "no limit known" in text


def test_case_and_provenance(page: str) -> None:
    root = tree(page)
    assert [e.text for e in root.iter(f"{NAMESPACE}pre")] == [CASE]
    assert "0f" * 32 in visible(page)


def test_charts_carry_their_numbers(page: str) -> None:
    charts = [json.loads(e.attrib["data-chart"]) for e in tree(page).iter() if "data-chart" in e.attrib]
    assert len(charts) == 4
    for chart in charts:
        assert len(chart["series"]) == 6
        for series in chart["series"]:
            y = np.array(series["y"])
            assert len(y) == len(chart["x"]) and y.min() >= 0.0 and y.max() <= 100.0


def test_dose_volume_curve_is_the_share_of_tissue_above_the_dose() -> None:
    result = fake_result(n=24, sections=1)
    chart = json.loads(
        next(e for e in tree(render_report(result)).iter() if "data-chart" in e.attrib).attrib["data-chart"]
    )
    section = result.sections[0]
    mask = section.tissue["mask"].values
    for series in chart["series"]:
        dose = section.candidates["dose"].sel(candidate=series["name"]).values[mask]
        direct = [100.0 * (dose >= x).mean() for x in chart["x"]]
        # places are written with four digits, shares with one decimal; one voxel is 0.3 % of this tissue
        np.testing.assert_allclose(series["y"], direct, atol=0.05 + 2 * 100.0 / mask.sum())


def test_a_large_section_stays_below_five_megabytes() -> None:
    page = render_report(fake_result(n=325, agents=12, evaluable=12, sections=1))
    assert len(page.encode()) < 5_000_000


def test_the_same_result_gives_the_same_page(page: str) -> None:
    assert render_report(VARIANTS["two sections"]) == page
