"""Several sections of one lesion as findings: how they differ first, then one line for each."""

from __future__ import annotations

from collections.abc import Sequence

from nichedose.findings import Findings, FindingTable, Part
from nichedose.library import Library
from nichedose.report.format import number
from nichedose.report.profile_page import change_part, shown
from nichedose.tissue.tme import ChangeReport, LesionProfile
from nichedose.tissue.tme.tiles import Estimate

__all__ = ["lesion_findings"]


def lesion_findings(
    lesion: LesionProfile, pages: Sequence[Findings], library: Library, change: ChangeReport | None = None
) -> Findings:
    """The page of a lesion; ``pages`` are those of its sections, in the order of ``lesion.samples``."""
    parts = [_each(lesion, pages), _between(lesion, library)]
    parts += [Part(f"Section {name}", pictures=tuple(p for part in page.parts for p in part.pictures))
              for name, page in zip(lesion.samples, pages, strict=True)]
    if change is not None:
        parts.append(change_part(change))
    numbers: dict[str, object] = {
        "lesion": lesion.as_dict(),
        "sections": {n: dict(page.numbers) for n, page in zip(lesion.samples, pages, strict=True)},
    }
    if change is not None:
        numbers["change"] = change.as_dict()
    return Findings(
        title="Tumour microenvironment of a lesion" + (f" of {lesion.patient}" if lesion.patient else ""),
        answer=_in_words(lesion.summary, library), parts=tuple(parts), values_used=pages[0].values_used,
        sources=pages[0].sources,
        assumptions=pages[0].assumptions, numbers=numbers)


def _in_words(text: str, library: Library) -> str:
    """Names of populations as a reader knows them."""
    for name, population in library.populations.items():
        text = text.replace(f" {name}: ", f" {population.label}: ")
    return text


def _each(lesion: LesionProfile, pages: Sequence[Findings]) -> Part:
    rows = tuple((name, page.answer) for name, page in zip(lesion.samples, pages, strict=True))
    return Part("Each section", (
        "Each section has a page of its own beside this one, named after it, with its cells, phenotypes and scores.",
    ), (FindingTable(("Section", "What was found"), rows),))


def _between(lesion: LesionProfile, library: Library) -> Part:
    rows = tuple((
        _in_words(f" {q.name}", library).strip(), *(shown(e, share=q.name.endswith("share")) for e in q.sections),
        "" if q.mean is None else shown(Estimate(q.mean, q.low, q.high), share=q.name.endswith("share")),
        "" if q.between is None else f"{q.between:.2f}", "" if q.p is None else number(q.p),
    ) for q in lesion.quantities)
    table = FindingTable(
        ("Quantity", *lesion.samples, "Lesion (90 % interval)", "Spread between", "p"), rows,
        note="In brackets: 5 % to 95 % of resampled tiles. Spread between: geometric standard deviation of sections "
             "about their mean once the scatter within each is taken out; 1.00 is none. p: for no difference. Two or "
             "three sections tell the spread poorly, and they stand for the lesion only if they were cut all over it.")
    return Part("Between the sections", tables=(table,))
