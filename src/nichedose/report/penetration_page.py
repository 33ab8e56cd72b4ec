"""What `nichedose transport` found, as findings: where ligand gets, what holds it back, what flow changes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from nichedose.fields.grid import Array, BoolArray
from nichedose.findings import Cell, FindingChart, FindingPicture, Findings, FindingTable, Part
from nichedose.report.colour import COLOUR_MAPS
from nichedose.report.format import number
from nichedose.report.picture import category_picture
from nichedose.study.penetration import SHOWN_HOURS, WAYS, Penetration

__all__ = ["penetration_findings"]

LEVELS = 16  # colours of a picture, one shade of the colour map each
PICTURED_HOURS = (1.0, 24.0)
BANDS = 10  # of equally many voxels, along the target density
CLIP = 0.995  # quantile at which the colour bar ends
HYPOXIC_MMHG = 2.5  # half of the full oxygen effect, about; only groups the curves
NEITHER = 0.3  # rank correlation below which uptake is said to follow neither
ALIKE = 0.15  # difference of rank correlations below which both are named


def penetration_findings(found: Penetration) -> Findings:
    """Answer, pictures, curves and tables; ``numbers`` for a program."""
    mask, vessels = found.tissue.mask, found.tissue.vessel_surface_per_cm
    maps = {way: run.integral_nmol_h_per_L for way, run in found.runs.items()}
    last = maps[WAYS[-1]]
    means = {way: float(values[mask].mean()) for way, values in maps.items()}
    follows = {"target": _rank_correlation(last, found.target_nmol_per_L, mask),
               "vessels": _rank_correlation(last, vessels, mask)}
    name, nuclide = found.candidate.name, found.candidate.radionuclide
    gini = _share_of_best_fed(last[mask])
    answer = (
        f"{name} in {found.tissue.sample}: uptake follows {_follows(follows)} "
        f"(rank correlation {_signed(follows['target'])} with the target, {_signed(follows['vessels'])} with the "
        f"vessels). "
        f"The best-fed tenth of the tissue holds {100.0 * gini:.0f} % of the time-integrated ligand. Gradients around "
        f"vessels change its mean by {_change(means[WAYS[1]] / means[WAYS[0]])}, flow on top of them by "
        f"{_change(means[WAYS[2]] / means[WAYS[1]])}."
    )
    numbers = {
        "agent": name, "section": found.tissue.sample, "radionuclide": nuclide, "injected_nmol": found.injected_nmol,
        "doubts": list(found.doubts),
        "mean_integral_nmol_h_per_L": means, "rank_correlation": follows, "best_fed_tenth_share": gini,
        "pressure_mmHg": {"median": float(np.median(found.flow.mmHg[mask])), "max": float(found.flow.mmHg[mask].max())},
        "speed_um_per_s": {"median": float(np.median(found.flow.speed_um_per_s[mask]))},
        "ledgers": {way: vars(run.ledger) | {"closure": run.ledger.closure} for way, run in found.runs.items()},
    }
    return Findings(
        title=f"{name} on its way into {found.tissue.sample}",
        answer=answer,
        parts=(_uptake(found, last, mask), _around(found), _pressure(found), _ledgers(found, means)),
        values_used=found.values_used,
        sources=found.sources,
        assumptions=(
            "A single injection; sites free at the start; no gradients along the section's normal.",
            "Ligands smaller than albumin pass the wall with the fluid; others are held back as plasma protein is.",
            "The section's edge is at the pressure of the tissue around it; ligand that flows out there is gone.",
        ),
        numbers=numbers,
    )


def _uptake(found: Penetration, integral: Array, mask: BoolArray) -> Part:
    target = found.target_nmol_per_L
    edges = np.quantile(target[mask], np.linspace(0.0, 1.0, BANDS + 1))
    band = np.clip(np.searchsorted(edges, target[mask], side="right") - 1, 0, BANDS - 1)
    vessels = found.tissue.vessel_surface_per_cm[mask]
    low, high = np.quantile(vessels, [1 / 3, 2 / 3])
    groups = {"all tissue": np.ones(vessels.size, bool), "third with fewest vessels": vessels <= low,
              "third with most vessels": vessels >= high}
    oxygen = found.tissue.oxygen_mmHg[mask]
    viable = oxygen > HYPOXIC_MMHG
    if viable.any() and not viable.all():
        groups[f"tissue above {HYPOXIC_MMHG:g} mmHg oxygen"] = viable
    x, lines = _by_band(target[mask], integral[mask], band, groups)
    chart = FindingChart(
        "Uptake against target",
        "Means over tenths of the tissue, ordered by target density; those of a group stand at the mean target of its "
        "own part of the tenth. Where the lines part, delivery decides.",
        "target density (nmol/L)", "time integral of ligand (nmol·h/L)", x, lines,
    )  # fmt: skip
    hours = tuple(
        _picture(f"Ligand after {t:g} h", "all states, nmol per L of tissue", amounts, mask, "viridis", found)
        for t, amounts in zip(SHOWN_HOURS, found.amounts_nmol_per_L, strict=True)
        if t in PICTURED_HOURS
    )
    pictures = (
        _picture("Target", "binding sites, nmol per L of tissue", target, mask, "cividis", found),
        _picture(f"Time integral of {found.candidate.radionuclide}", "decay included, nmol·h per L of tissue", integral,
                 mask, "viridis", found),
    )
    return Part("Uptake and target", found.doubts, charts=(chart,), pictures=(*pictures, *hours))


def _by_band(
    target: Array, uptake: Array, band: NDArray[np.intp], groups: Mapping[str, BoolArray]
) -> tuple[tuple[float, ...], dict[str, tuple[float, ...]]]:
    """Mean uptake of each group's part of each band, over the mean targets of all groups' parts.

    A group's own means are joined by straight lines; beyond them it has no value. One that misses a band is left out.
    """
    some = np.unique(band)
    own = {}
    for name, inside in groups.items():
        parts = [inside & (band == b) for b in some]
        if all(part.any() for part in parts):
            own[name] = [np.array([float(values[part].mean()) for part in parts]) for values in (target, uptake)]
    x = np.unique(np.concatenate([at for at, _ in own.values()]))
    lines = {name: np.interp(x, at, mean, left=np.nan, right=np.nan) for name, (at, mean) in own.items()}
    return tuple(x.tolist()), {name: tuple(line.tolist()) for name, line in lines.items()}


def _around(found: Penetration) -> Part:
    lines = {f"{t:g} h": tuple(map(float, row)) for t, row in zip(SHOWN_HOURS, found.around_nmol_per_L, strict=True)}
    chart = FindingChart(
        "Penetration around one vessel",
        "Ligand in all states outward from the wall of a vessel among the section's mean vessels and sites.",
        "distance from the wall (µm)", "ligand (nmol/L)", tuple(map(float, found.distance_um)), lines,
    )  # fmt: skip
    far = found.around_nmol_per_L[:, -1] / np.maximum(found.around_nmol_per_L[:, 0], 1e-300)
    rows = tuple((f"{t:g} h", float(a[0]), float(a[-1]), float(f)) for t, a, f in
                 zip(SHOWN_HOURS, found.around_nmol_per_L, far, strict=True))
    table = FindingTable(("time", "at the wall, nmol/L", "farthest, nmol/L", "farthest over wall"), rows)
    return Part("Penetration", ("Without perfusion limit and without flow.",), (table,), (chart,))


def _pressure(found: Penetration) -> Part:
    mask = found.tissue.mask
    mmHg, speed = found.flow.mmHg, found.flow.speed_um_per_s
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (name, *(float(q) for q in np.quantile(values[mask], [0.05, 0.5, 0.95])))
        for name, values in (("pressure, mmHg", mmHg), ("speed, µm/s", speed),
                             ("filtered, 1/h", found.flow.filtered_per_h))
    )
    table = FindingTable(("", "5 %", "median", "95 %"), rows)
    pictures = (
        _picture("Interstitial pressure", "mmHg", mmHg, mask, "inferno", found),
        _picture("Speed of interstitial fluid", "µm/s", speed, mask, "viridis", found),
        _picture("Vessels", "perfused surface, 1/cm", found.tissue.vessel_surface_per_cm, mask, "cividis", found),
    )
    text = "The section is taken as the whole lesion: its edge is that of the tumour, and fluid leaves there."
    return Part("Interstitial flow", (text,), (table,), pictures=pictures)


def _ledgers(found: Penetration, means: Mapping[str, float]) -> Part:
    rows: list[tuple[Cell, ...]] = []
    for way, run in found.runs.items():
        book = run.ledger
        ends = (book.decayed, book.washed_out, book.released, book.left)
        rows.append((way, means[way], *(amount / book.entered for amount in ends), book.closure))
    head = ("computed with", "mean, nmol·h/L", "decayed", "washed out", "released", "left", "balance error")
    note = "Shares of the label that entered. The first way mixes each voxel, as nichedose plan does."
    return Part("What each step adds", tables=(FindingTable(head, tuple(rows), note=note),))


def _picture(
    title: str, summary: str, values: Array, mask: BoolArray, colours: str, found: Penetration
) -> FindingPicture:
    """Even steps from the least to the `CLIP` quantile, each labelled with its lower end."""
    inside = values[mask]
    low, high = float(inside.min()), float(np.quantile(inside, CLIP))
    high = high if high > low else low + max(abs(low), 1e-9)
    codes = np.full(values.shape, -1, dtype=np.intp)
    codes[mask] = np.clip(((inside - low) / (high - low) * LEVELS).astype(np.intp), 0, LEVELS - 1)
    anchors = ["#" + c for c in COLOUR_MAPS[colours].split()]
    hues = {i: anchors[i] for i in range(LEVELS)}
    step = (high - low) / LEVELS
    legend = {f"{'≥ ' if i == LEVELS - 1 else ''}{number(low + i * step)}": hues[i] for i in (0, 5, 10, LEVELS - 1)}
    width = values.shape[1] * found.tissue.grid.spacing_um
    return FindingPicture(title, summary, category_picture(codes, hues), legend, width)


def _rank_correlation(a: Array, b: Array, mask: BoolArray) -> float:
    from scipy.stats import rankdata

    x, y = rankdata(a[mask]), rankdata(b[mask])
    spread = float(x.std() * y.std())
    return float(((x - x.mean()) * (y - y.mean())).mean() / spread) if spread > 0.0 else 0.0


def _follows(correlation: Mapping[str, float]) -> str:
    gap = correlation["target"] - correlation["vessels"]
    if max(correlation.values()) < NEITHER:
        return "neither target nor vessels closely"
    return "both target and vessels" if abs(gap) < ALIKE else "the target" if gap > 0.0 else "the vessels"


def _change(ratio: float) -> str:
    """In whole per cent, with a sign.

    >>> _change(0.94), _change(1.002)
    ('−6 %', 'less than 1 %')
    """
    percent = 100.0 * (ratio - 1.0)
    return "less than 1 %" if abs(percent) < 1.0 else f"{percent:+.0f} %".replace("-", "−")


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _share_of_best_fed(values: Array) -> float:
    ordered = np.sort(values)[::-1]
    return float(ordered[: max(ordered.size // 10, 1)].sum() / max(float(ordered.sum()), 1e-300))
