"""The page: one self-contained HTML file from a `PlanResult`."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup, escape

from nichedose.report.colour import COLOUR_MAPS
from nichedose.report.courses import course_in_short, courses_of_maps
from nichedose.report.format import LARGEST_LOG_KILL, as_sentence, duration, number, percent
from nichedose.report.histograms import dose_volume_chart, survival_chart
from nichedose.report.information import information_view
from nichedose.report.maps import SectionMaps, section_maps
from nichedose.report.nodes import coverage, describe
from nichedose.report.ranking import ModePanel, course, mode_panels
from nichedose.report.tables import (
    ValueRow,
    deciding_inputs,
    organ_rows,
    sources_used,
    surroundings_names,
    surroundings_rows,
    value_rows,
)
from nichedose.results import PlanResult

__all__ = ["asset", "environment", "evidence_counts", "render_report", "script_hash"]

_SURROUNDINGS = {
    "uniform": "uniform: the lesion goes on with the section's mean activity out to its surface",
    "mirror": "mirror: the section is mirrored at its edge",
    "isolated": "isolated: nothing lies beyond the edge",
}


def render_report(result: PlanResult) -> str:
    """One HTML page, without any outside file: text, style, script and maps are all in it."""
    pages = environment()
    pages.filters["named"] = _keep_together([c.name for c in result.candidates])
    return pages.get_template("report.html.j2").render(_context(result))


def _context(result: PlanResult) -> dict[str, Any]:
    panels = mode_panels(result)
    order = _order(result, panels[0])
    sections = section_maps(result, order)
    by_name = {c.name: c for c in result.candidates}
    ordered = [by_name[name] for name in order]
    stated = str(_case(result.case_toml).get("lesion", {}).get("surroundings", "uniform"))
    names = surroundings_names(ordered, stated)
    rows = value_rows(result)
    script = asset("report.js")
    return {
        "result": result,
        "samples": [s.sample for s in result.sections],
        "panels": panels,
        "largest_log_kill": f"{LARGEST_LOG_KILL:g}",
        "leader": next((row for row in panels[0].rows if row.rank == 1), None),
        "candidates": ordered,
        "counts": {s: sum(c.status == s for c in ordered) for s in ("evaluable", "flagged", "not evaluable")},
        "draws": int(result.draws.sizes.get("draw", 0)),
        "sections": sections,
        "map_index": _json(_index(sections)),
        "payloads": [
            (_element(i, j), layer.coded.payload) for i, s in enumerate(sections) for j, layer in enumerate(s.layers)
        ],
        "charts": [
            (
                s.sample,
                [c for c in (dose_volume_chart(s, order, i), survival_chart(s, order, i)) if c is not None],
                _in_order(courses_of_maps(s.candidates, ordered, course_in_short), order),
            )
            for i, s in enumerate(result.sections)
        ],
        "organs": {panel.mode: organ_rows(ordered, panel.mode) for panel in panels},
        "surroundings": {
            "stated": stated,
            "names": names,
            "meanings": _SURROUNDINGS,
            "rows": surroundings_rows([c for c in ordered if c.status != "not evaluable"], names),
        },
        "deciding": deciding_inputs(result),
        "information": information_view(result),
        "coverage": [(s.sample, coverage(s.gene_coverage), s.scale_evidence) for s in result.sections],
        "values": rows,
        "evidence_counts": evidence_counts(rows),
        "sources": sources_used(result),
        "provenance": describe(result.provenance),
        "style": Markup(asset("report.css")),
        "script": Markup(script),
        "script_hash": script_hash(),
    }


def evidence_counts(rows: Sequence[ValueRow]) -> dict[str, int]:
    """How many values are known in which way."""
    return {e: sum(r.evidence == e for r in rows) for e in ("measured", "fitted", "derived", "definition", "assumed")}


def script_hash() -> str:
    """What the page's content policy allows to run: this script and nothing else."""
    return base64.b64encode(hashlib.sha256(asset("report.js").encode()).digest()).decode("ascii")


def _order(result: PlanResult, deciding: ModePanel) -> list[str]:
    """Candidates as ranked in the deciding mode, then the rest: computed ones first."""
    ranked = [row.candidate.name for row in deciding.rows]
    rest = sorted((c for c in result.candidates if c.name not in ranked), key=lambda c: c.status == "not evaluable")
    return ranked + [c.name for c in rest]


def _in_order(courses: Mapping[str, str], order: Sequence[str]) -> list[tuple[str, str]]:
    return [(name, courses[name]) for name in order if name in courses]


def _case(text: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}


def _index(sections: tuple[SectionMaps, ...]) -> dict[str, Any]:
    return {
        "colours": COLOUR_MAPS,
        "sections": [
            {
                "sample": s.sample,
                "shape": s.shape,
                "spacing": s.spacing_um,
                "origin": s.origin_um,
                "layers": [layer.index(_element(i, j)) for j, layer in enumerate(s.layers)],
            }
            for i, s in enumerate(sections)
        ],
    }


def _keep_together(names: Sequence[str]) -> Callable[[str], Markup]:
    """A filter that escapes a text and keeps each of ``names`` on one line."""
    found = "|".join(re.escape(str(escape(name))) for name in sorted(names, key=len, reverse=True)) or "(?!)"
    pattern = re.compile(found)
    return lambda text: Markup(pattern.sub(lambda m: f'<span class="whole">{m[0]}</span>', str(escape(text))))


def _element(section: int, layer: int) -> str:
    return f"map-{section}-{layer}"


def _json(data: object) -> Markup:
    """JSON that cannot end its script element, whatever names it holds; NaN is refused."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


@cache
def asset(name: str) -> str:
    return resources.files("nichedose.report").joinpath("assets", name).read_text(encoding="utf-8")


def prose(text: str) -> Markup:
    """Text in which `a command` is set as code.

    >>> prose("run `nichedose plan` & see")
    Markup('run <code>nichedose plan</code> &amp; see')
    """
    parts = re.split(r"`([^`]+)`", text)
    return Markup("").join(Markup("<code>{}</code>").format(p) if i % 2 else p for i, p in enumerate(parts))


def environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("nichedose.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["duration"] = duration
    environment.filters["as_sentence"] = as_sentence
    environment.filters["percent"] = percent
    environment.filters["number"] = number
    environment.filters["course"] = course
    environment.filters["breakable"] = lambda text: Markup("<wbr>").join(re.split(r"(?<=[._])", text))
    environment.filters["prose"] = prose
    environment.filters["data"] = lambda value: json.dumps(value, allow_nan=False, separators=(",", ":"))
    return environment
