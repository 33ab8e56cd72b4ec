"""A tissue profile as findings: what a clinician reads first, then the numbers behind it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.ndimage import binary_dilation

from nichedose.findings import FindingChart, FindingPicture, FindingTable, Part
from nichedose.findings import Findings as ProfileFindings
from nichedose.library import Library
from nichedose.report.format import number, percent
from nichedose.report.picture import category_picture
from nichedose.tissue.tme import ChangeReport, Discovery, TMEProfile
from nichedose.tissue.tme.tiles import Estimate
from nichedose.values import ValueUse

__all__ = ["change_part", "discovery_findings", "profile_findings", "shown"]

NEST, STROMA = "#f0c9a8", "#cfdde6"
CELL_HUES = {"cd8_t": "#b00020", "b_cell": "#5b2a9d", "endothelial": "#0b6b66"}
IN_CHART = ("cd8_t", "t_cell", "macrophage", "b_cell", "fibroblast", "endothelial")
RANKED_SHOWN = 40
RELATIVE = (
    "Spots do not count cells: subtypes told by a marker, such as CD8 T cells, are relative to their own mean and the "
    "others to the mean of all cells, so compare places, not populations."
)


def profile_findings(
    profile: TMEProfile, library: Library, discovery: Discovery | None = None, change: ChangeReport | None = None
) -> ProfileFindings:
    """All that the page of a profile shows, and all that ``--json`` prints."""
    labels = {n: p.label for n, p in library.populations.items()}
    parts = [_barriers(profile), _phenotype(profile), _section(profile, labels), _cells(profile, labels)]
    if profile.neighbours:
        parts.append(_neighbours(profile, labels))
    parts += [_composite(profile), _signatures(profile), _targets(profile)]
    if discovery is not None:
        parts.append(_discovery(discovery))
    if change is not None:
        parts.append(change_part(change))
    parts.append(_trust(profile))
    numbers: dict[str, object] = {"profile": profile.as_dict()}
    if discovery is not None:
        numbers["discovery"] = discovery.as_dict()
    if change is not None:
        numbers["change"] = change.as_dict()
    return ProfileFindings(
        title=f"Tumour microenvironment of {profile.sample}",
        answer=_answer(profile),
        parts=tuple(parts),
        values_used=_values(profile, library),
        sources=library.sources,
        assumptions=ASSUMPTIONS,
        numbers=numbers,
    )


def discovery_findings(name: str, discovery: Discovery, library: Library) -> ProfileFindings:
    """The page of a target discovery in single cells without positions."""
    best = ", ".join(t.gene for t in discovery.ranked[:5]) or "none"
    answer = f"First by {', '.join(discovery.criteria)}: {best}. {discovery.tumour_cells:.0f} tumour cells."
    return ProfileFindings(
        title=f"Candidates for targets in {name}", answer=answer, parts=(_discovery(discovery),),
        sources=library.sources, numbers={"discovery": discovery.as_dict()},
    )


ASSUMPTIONS = (
    "Intervals and probabilities come from resampling square tiles of this section: they say how far another piece of "
    "the same tissue would differ, not other lesions, and not whether a rule is right.",
    "Steps between low, moderate and high, and the cut-offs of the quadrant, are assumed for orientation.",
    "RNA scores are relative to this section and cannot be compared between sections.",
)


def _answer(p: TMEProfile) -> str:
    high = [_in_sentence(b.name) for b in p.barriers if b.level == "high"]
    text = p.phenotype.summary
    if high:
        text += f" High barriers: {', '.join(high)}."
    if p.composite.quadrant is not None and p.composite.probability is not None:
        text += f" The section is {p.composite.quadrant} (in {percent(p.composite.probability)} of resampled sections)."
    unknown = [_in_sentence(b.name) for b in p.barriers if b.level == "unknown"]
    if unknown:
        text += f" Unknown: {', '.join(unknown)}."
    return text


def _in_sentence(name: str) -> str:
    return name[0].lower() + name[1:]


def _barriers(p: TMEProfile) -> Part:
    rows = tuple((b.name, b.level, b.sentence) for b in p.barriers)
    return Part("Barriers", tables=(FindingTable(("Barrier", "Level", "What was found"), rows),))


def _phenotype(p: TMEProfile) -> Part:
    rows = []
    for name, call in p.phenotype.calls.items():
        chances = ", ".join(f"{k} {percent(v)}" for k, v in call.probability.items() if v == v) or "none"
        measured = "; ".join(_quantity(k, v) for k, v in call.measured.items()) or "none"
        held = "; ".join(_quantity(k, v) for k, v in call.thresholds.items())
        answer = call.phenotype or f"not evaluable: {call.reason}"
        rows.append((name.replace("_", " "), answer, chances, measured, held))
    table = FindingTable(
        ("Rule", "Call", "Share of resampled sections", "Measured", "Held against"), tuple(rows),
        note="Each rule is someone's definition; they disagree on real tumours. The thresholds can be changed.")
    return Part("Immune phenotype", (p.phenotype.summary,), (table,))


def _quantity(name: str, value: float | None) -> str:
    """A number of a rule with its unit, which stands at the end of its name: ``nest_per_mm2`` -> nest 44.7 per mm2."""
    if value is None:
        return f"{name.replace('_', ' ')} none"
    for ending, write in (("_per_mm2", lambda v: f"{number(v)} per mm2"), ("_um", lambda v: f"{v:g} um"),
                          ("_share", percent), ("_tiles", lambda v: f"tiles {percent(v)}")):
        if name.endswith(ending):
            return f"{name.removesuffix(ending).replace('_', ' ')} {write(value)}"
    return f"{name.replace('_', ' ')} {number(value)}"


def _section(p: TMEProfile, labels: Mapping[str, str]) -> Part:
    codes = np.where(p.compartments.nest, 0, np.where(p.compartments.stroma, 1, -1)).astype(np.intp)
    hues, legend = {0: NEST, 1: STROMA}, {"tumour nests": NEST, "stroma": STROMA}
    if p.rows.counted:
        for i, (name, hue) in enumerate(CELL_HUES.items(), start=2):
            if name not in p.rows.amounts:
                continue
            at = p.raster.total_per_voxel(p.rows.amounts[name]) > 0.0
            step = max(-(-max(codes.shape) // 900), 1)  # a cell must not fall between the pixels that are kept
            codes[binary_dilation(at, iterations=step) if step > 1 else at] = i
            hues[i], legend[labels.get(name, name)] = hue, hue
    picture = FindingPicture(
        "Nests and stroma", f"Nests: {p.how['compartments']}.", category_picture(codes, hues), legend,
        p.raster.grid.shape[1] * p.raster.grid.spacing_um)
    nest, stroma = p.areas_mm2["nest"], p.areas_mm2["stroma"]
    area = f"{nest:.2f} mm2 of nests and {stroma:.2f} mm2 of stroma; {p.n_rows:,} {p.kind}."
    return Part("The section", (area,), pictures=(picture,))


def _cells(p: TMEProfile, labels: Mapping[str, str]) -> Part:
    unit = "per mm2" if p.rows.counted else "relative"
    margin = f"{p.options.margins_um[0]:g}um"
    rows = []
    for name, c in p.cells.items():
        rows.append((
            labels.get(name, name), round(c.cells) if p.rows.counted else c.cells, shown(c.density["nest"]),
            shown(c.density[f"margin_in_{margin}"]), shown(c.density[f"margin_out_{margin}"]),
            shown(c.density["stroma"]), shown(c.nest_to_stroma), c.depth if c.depth is not None else "none in nests",
            "not seen" if c.contact_share is None else shown(c.contact_share),
        ))
    head = (
        "Population", "Cells" if p.rows.counted else "Amount", f"Nests ({unit})", f"Inner {margin}", f"Outer {margin}",
        f"Stroma ({unit})", "Nests over stroma", "Depth, 0 to 1", f"Within {p.options.contact_um:g} um of tumour",
    )
    note = ("In brackets: 5 % to 95 % of resampled sections. Depth: mean depth below the border over the greatest "
            "depth there is.")
    if not p.rows.counted:
        note += f" {RELATIVE}"
    table = FindingTable(head, tuple(rows), note=note)
    text = tuple(f"{labels.get(n, n)}: unknown, {why}." for n, why in p.unknown.items() if n in labels)
    return Part("Cells", text, (table,), (_profile_chart(p, labels),) if _drawable(p) else ())


def _drawable(p: TMEProfile) -> bool:
    return p.compartments.has_border and any(name in p.cells for name in IN_CHART)


def _profile_chart(p: TMEProfile, labels: Mapping[str, str]) -> FindingChart:
    edges = np.array(p.profile_edges_um[1:-1])
    middle = 0.5 * (edges[1:] + edges[:-1])
    shown = [name for name in IN_CHART if name in p.cells]
    profiles = [p.cells[n].profile_per_mm2[1:-1] for n in shown]
    density = np.array([[np.nan if e.value is None else e.value for e in one] for one in profiles])
    there = np.isfinite(density).all(axis=0)  # distances that occur in this section
    lines = {labels.get(n, n): tuple(row[there].tolist()) for n, row in zip(shown, density, strict=True)}
    unit = "per mm2" if p.rows.counted else "relative density"
    return FindingChart(
        "Across the border of the nests", "Density by distance to the border; below zero is inside nests."
        + ("" if p.rows.counted else f" {RELATIVE}"),
        "distance to the border (um)", unit, tuple(middle[there].tolist()), lines)


def _neighbours(p: TMEProfile, labels: Mapping[str, str]) -> Part:
    rows = []
    for s in p.neighbours.values():
        at = s.radii_um.index(50.0)
        rows.append((
            f"{labels.get(s.source, s.source)} to {labels.get(s.target, s.target)}", s.median_um, percent(s.g[at]),
            percent(s.g_even[at]), s.mixing, s.overlap,
        ))
    table = FindingTable(
        ("From each, to the nearest", "Median (um)", "Within 50 um", "If spread evenly", "Mixing", "Overlap of tiles"),
        tuple(rows), note="Within 50 um is corrected for the edge of the section. Mixing: contacts between the two "
                          "over contacts among the first. Overlap: Morisita and Horn, 0 to 1.")
    return Part("Neighbours", (p.clusters_say,), (table,))


def _composite(p: TMEProfile) -> Part:
    rows = tuple(
        (name, shown(a.share, share=True) if a.share is not None else f"unknown: {a.unknown}", a.meaning)
        for name, a in p.composite.axes.items())
    return Part("Four axes", tables=(FindingTable(("Axis", "Share", "Of what"), rows),))


def _signatures(p: TMEProfile) -> Part:
    rows: list[tuple[str, ...]] = []
    for name, s in p.scores.items():
        if s.value is None or s.sd is None:
            why = f"no score: {s.abstained}"
            rows.append((name.replace("_", " "), s.axis, f"{s.measured} of {s.total}", why, "", "", ""))
            continue
        slopes = (s.depth_slope, s.proliferation_slope)
        rows.append((
            name.replace("_", " "), s.axis, f"{s.measured} of {s.total}", number(float(s.value.std())),
            number(float(np.median(s.sd))), *(("none" if v is None else f"{v[0]:.2f} ± {v[1]:.2f}") for v in slopes)))
    table = FindingTable(
        ("Signature", "Axis", "Genes measured", "Spread (log2)", "Error of a score (log2)", "Slope on depth",
         "Slope on proliferation"), tuple(rows),
        note="A spread below the error means that the map shows noise. Scores by row are in the .h5ad.")
    return Part("Signatures", tables=(table,))


def _targets(p: TMEProfile) -> Part:
    rows: list[tuple[str | int, ...]] = []
    for name, c in p.targets.items():
        if c.missing:
            rows.append((name, f"unknown: {', '.join(c.missing)} not measured", "", ""))
        else:
            rows.append((name, "measured", min(c.counts.values()), min(c.positive_spots.values())))
    table = FindingTable(
        ("Target", "Gene", "Transcripts", f"{p.kind.capitalize()} with any"), tuple(rows),
        note="Transcripts give the shape of a target's map, not its density. Zero transcripts are not absence of "
             "protein. For pairs, the scarcer subunit.")
    return Part("Targets", tables=(table,))


def _discovery(d: Discovery) -> Part:
    rows = tuple((
        t.gene, f"{t.rank} ({t.rank_low} to {t.rank_high})", t.per_10k,
        f"{percent(t.coverage)} ({percent(t.coverage_low)} to {percent(t.coverage_high)})",
        "unknown" if t.elsewhere_ratio is None else number(t.elsewhere_ratio),
        "unknown" if t.hypoxic_ratio is None else number(t.hypoxic_ratio),
        "unknown" if t.contrast_log2 is None else f"{number(t.contrast_log2)} ({t.worst_organ})", t.family,
    ) for t in d.ranked[:RANKED_SHOWN])
    table = FindingTable(
        ("Gene", "Rank", "Per 10,000 in tumour", "Tumour cells that bear it", "Elsewhere over tumour",
         "Hypoxic over other tumour", "Log2 over the worst organ", "Family"), rows,
        note=f"Ranked by {', '.join(d.criteria)}, where a factor of two counts alike. RNA is not protein. "
             f"Too rare to judge: {', '.join(d.too_rare) or 'none'}. {len(d.not_measured)} genes of the list were not "
             "measured.")
    return Part("Candidates for new targets", tables=(table,))


def change_part(c: ChangeReport) -> Part:
    rows = tuple(
        (x.name, x.before, x.after, "" if x.fold is None else f"{number(x.fold)} ({number(x.low)} to {number(x.high)})",
         "" if x.p is None else number(x.p), "" if x.p_holm is None else number(x.p_holm)) for x in c.changes)
    table = FindingTable(
        ("Quantity", "Before", "After", "Fold (90 % interval)", "p", "p, all tests"), rows,
        note="p for no change, from the scatter between tiles" + (" and sections." if c.between_sections else "."))
    text = (c.summary, f"Immune phenotype before: {c.phenotype_before}", f"after: {c.phenotype_after}")
    return Part("Change", text, (table,))


def _trust(p: TMEProfile) -> Part:
    how = FindingTable(("What", "How"), tuple((k.capitalize(), v) for k, v in p.how.items()))
    tiles = ("Tiles", f"{p.tiles.n_tiles} of {p.tiles.tile_um:.0f} um, {p.options.bootstraps} resampled sections")
    flags = FindingTable(("About", "Level", "Text"), tuple((f.about, f.level, f.text) for f in p.flags), title="Flags")
    how = FindingTable(how.head, (*how.rows, tiles))
    return Part("How far to trust it", ASSUMPTIONS, (how, flags) if p.flags else (how,))


def _values(p: TMEProfile, library: Library) -> tuple[ValueUse, ...]:
    return tuple(
        ValueUse(f"phenotype_rule.{name}.{key}", value)
        for name in p.phenotype.calls for key, value in library.phenotype_rules[name].numbers.items())


def shown(e: Estimate, *, share: bool = False) -> str:
    write = percent if share else number
    if e.value is None:
        return "none"
    if e.low is None or e.high is None:
        return write(e.value)
    return f"{write(e.value)} ({write(e.low)} to {write(e.high)})"
