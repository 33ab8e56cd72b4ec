"""The scenario after Birindelli et al. 2021: how much hypoxic tissue a dose reaches, by vessels, with 177Lu and 225Ac.

Slices with resolved vessels and ten regions each, from sparse to dense, side by side, so that electrons cross from one
into the next; one ligand (PSMA-617) with both radionuclides; the share of the hypoxic tissue that receives the target
dose. What the abstract does not say (target dose, threshold of hypoxia, vessel densities) is assumed and varied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nichedose.case import parse_case
from nichedose.decide import probability_interval
from nichedose.errors import BadInput
from nichedose.fields.grid import Array, Grid
from nichedose.findings import Findings, FindingTable, Part
from nichedose.library import load_library
from nichedose.study.pool import run_tasks
from nichedose.study.setup import Setup, resolve
from nichedose.study.sources import sources_of
from nichedose.study.world import World
from nichedose.tissue import TargetField, TissueMap
from nichedose.tissue.build import oxygen_parameters
from nichedose.tissue.oxygen import oxygen
from nichedose.values import Draw, Value, ValueUse

__all__ = ["BIRINDELLI_FINDINGS", "PUBLISHED_SHARES", "Reach", "birindelli_scenario", "judge_reach", "slice_map",
           "slice_reach"]

Progress = Callable[[str, int, int], None]
RADIONUCLIDES = ("177Lu", "225Ac")
SPACING_UM, VOXELS = 20.0, 25  # of a region's side: 0.5 mm
ROWS, COLUMNS, SLICES = 2, 5, 3
VESSELS_PER_MM2 = tuple(float(v) for v in np.geomspace(12.0, 200.0, 10).round(1))
ENDS = 3  # so many regions at each end count as poorly and as well vascularised
HYPOXIC_MMHG = (5.0, 10.0)
TARGET_SHARES = (0.5, 1.0)  # of the mean dose over all regions
PUBLISHED_SHARES: Mapping[tuple[str, str], str] = {
    ("poor", "177Lu"): "10 %", ("poor", "225Ac"): "5 %", ("well", "177Lu"): "> 85 %", ("well", "225Ac"): "> 65 %",
}
BIRINDELLI_FINDINGS: Mapping[str, str] = {
    "poor": "where vessels are sparse, 177Lu reaches more of the hypoxic tissue than 225Ac",
    "well": "where vessels are dense, 177Lu reaches more of the hypoxic tissue than 225Ac",
    "vessels": "both reach more of it where vessels are dense than where they are sparse",
    "heterogeneity": "the dose of 225Ac is more uneven than that of 177Lu (median region)",
}


@dataclass(frozen=True)
class Reach:
    """One region in one draw: oxygen and dose per MBq by radionuclide, (ny, nx)."""

    vessels_per_mm2: float
    oxygen_mmHg: Array
    dose: Mapping[str, Array]

    def spread(self, radionuclide: str) -> float:
        """Coefficient of variation of the dose over the region."""
        dose = self.dose[radionuclide]
        return float(dose.std() / dose.mean())


def birindelli_scenario(
    *, draws: int = 8, seed: int = 1, workers: int | None = None, progress: Progress = lambda *_: None
) -> Findings:
    """Share of hypoxic tissue at the target dose, by vessels and radionuclide, and how often each finding holds.

    Raises `BadInput` for fewer than one draw.
    """
    if draws < 1:
        raise BadInput("The scenario counts draws; ask for one or more.")
    setup = _setup(seed)
    indices: list[int | None] = [None, *range(draws)]
    found: list[Sequence[Reach]] = []
    used: dict[str, Value] = {}
    progress("draws", 0, len(indices))
    for done, (regions, drawn) in enumerate(run_tasks(_one, setup, indices, workers=workers), start=1):
        found.append(regions)
        used.update(drawn)
        progress("draws", done, len(indices))
    return _findings(setup, found[0], found[1:], used)


def slice_map(setup: Setup, draw: Draw, number: int) -> tuple[TissueMap, tuple[float, ...]]:
    """A slice of ten regions in random order, and their vessels per mm2; each vessel sits in its own voxel.

    Vessels lie at random places of their region, PSMA evenly on all cells.
    """
    rng = np.random.default_rng([setup.case.sampling.seed, number])
    order = tuple(float(v) for v in rng.permutation(VESSELS_PER_MM2))
    grid = Grid((ROWS * VOXELS, COLUMNS * VOXELS), SPACING_UM)
    tissue = setup.library.tissue
    radius = draw("tissue.vessel_radius_um", tissue.vessel_radius_um)
    vessels = np.zeros(grid.shape)
    for place, per_mm2 in enumerate(order):
        count = max(1, round(per_mm2 * VOXELS * VOXELS * grid.voxel_area_mm2))
        inside = np.zeros(VOXELS * VOXELS)
        inside[rng.choice(inside.size, size=count, replace=False)] = 2.0 * np.pi * radius / SPACING_UM**2 * 1e4
        vessels[_region(place)] = inside.reshape(VOXELS, VOXELS)
    mask = np.ones(grid.shape, bool)
    cells = draw("tissue.cell_density_per_mm3", tissue.cell_density_per_mm3)
    target = setup.library.targets["PSMA"]
    density = draw("target.PSMA.mean_density_nmol_per_L", target.mean_density_nmol_per_L)
    made = TissueMap(
        grid=grid, mask=mask, cell_density_per_mm3={"tumour": np.full(grid.shape, cells)},
        targets={"PSMA": TargetField("PSMA", {"tumour": np.full(grid.shape, density)}, True, "relative", 0)},
        unknown_targets={}, vessel_surface_per_cm=vessels, matrix=np.zeros(grid.shape),
        oxygen_mmHg=oxygen(grid, mask, vessels, oxygen_parameters(tissue, draw)), sample=f"slice {number}")
    return made, order


def slice_reach(setup: Setup, draw: Draw, number: int) -> tuple[Reach, ...]:
    """Dose per MBq of both agents in the regions of one slice."""
    tissue, order = slice_map(setup, draw, number)
    world = World(setup, draw, (tissue,), pairs=0)
    dose = {c.radionuclide: np.asarray(sum(world.dose(c).sections[0].dose.by_quality.values()))
            for c in setup.candidates}
    return tuple(
        Reach(v, tissue.oxygen_mmHg[_region(i)], {n: d[_region(i)] for n, d in dose.items()})
        for i, v in enumerate(order))


def _region(place: int) -> tuple[slice, slice]:
    row, column = divmod(place, COLUMNS)
    return (slice(row * VOXELS, (row + 1) * VOXELS), slice(column * VOXELS, (column + 1) * VOXELS))


def _setup(seed: int) -> Setup:
    text = "\n".join([
        'title = "After Birindelli et al. 2021"', 'tumour = "prostate"', "[[sections]]", 'path = "generated"',
        "[lesion]", 'diameter = "10 mm"', 'surroundings = "mirror"', "[sampling]", f"seed = {seed}", "[output]",
        'folder = "unused"', *(line for n in RADIONUCLIDES for line in ("[[candidates]]", f'agent = "{n}-PSMA-617"'))])
    return resolve(parse_case(text), load_library(), ())


def _one(setup: Setup, index: int | None) -> tuple[tuple[Reach, ...], dict[str, Value]]:
    draw = Draw(seed=setup.case.sampling.seed, index=index)
    found = [r for number in range(SLICES) for r in slice_reach(setup, draw, number)]
    return tuple(sorted(found, key=lambda r: r.vessels_per_mm2)), dict(draw.used)


def _shares(regions: Sequence[Reach], hypoxic_mmHg: float, target_share: float) -> dict[tuple[str, str], float]:
    """Share of the hypoxic tissue at the target dose at both ends, pooled over their regions; nan without any."""
    out = {}
    for nuclide in RADIONUCLIDES:
        target = target_share * float(np.mean([r.dose[nuclide].mean() for r in regions]))
        for end, part in (("poor", regions[:ENDS * SLICES]), ("well", regions[-ENDS * SLICES:])):
            low = np.concatenate([(r.oxygen_mmHg < hypoxic_mmHg).ravel() for r in part])
            reached = np.concatenate([(r.dose[nuclide] >= target).ravel() for r in part])
            out[end, nuclide] = float(reached[low].mean()) if low.any() else float("nan")
    return out


def judge_reach(regions: Sequence[Reach], hypoxic_mmHg: float, target_share: float) -> dict[str, bool | None]:
    """Whether each finding holds; None where a region has no hypoxic tissue to count."""
    s = _shares(regions, hypoxic_mmHg, target_share)

    def more(a: float, b: float) -> bool | None:
        return None if np.isnan(a) or np.isnan(b) else a > b

    dense = [more(s["well", n], s["poor", n]) for n in RADIONUCLIDES]
    return {
        "poor": more(s["poor", "177Lu"], s["poor", "225Ac"]),
        "well": more(s["well", "177Lu"], s["well", "225Ac"]),
        "vessels": None if None in dense else all(dense),
        "heterogeneity": float(np.median([r.spread("225Ac") - r.spread("177Lu") for r in regions])) > 0.0,
    }


def _findings(
    setup: Setup, central: Sequence[Reach], draws: Sequence[Sequence[Reach]], used: Mapping[str, Value]
) -> Findings:
    main = (HYPOXIC_MMHG[1], TARGET_SHARES[1])
    variants = [(h, t) for h in HYPOXIC_MMHG for t in TARGET_SHARES]
    judged = {v: [judge_reach(regions, *v) for regions in draws] for v in variants}
    shares = {v: [_shares(regions, *v) for regions in draws] for v in variants}
    held = {f: [found[f] for found in judged[main] if found[f] is not None] for f in BIRINDELLI_FINDINGS}
    settled = sum(bool(h) and float(np.mean(h)) >= 0.8 for h in held.values())  # type: ignore[arg-type]
    typical = _shares(central, *main)
    return Findings(
        title="After Birindelli et al. 2021: dose reach by vessels",
        answer=(f"{settled} of {len(held)} published findings hold in four fifths of {len(draws)} draws or more. "
                f"At the medians the target dose reaches {100 * typical['poor', '177Lu']:.0f} % (177Lu) and "
                f"{100 * typical['poor', '225Ac']:.0f} % (225Ac) of the hypoxic tissue where vessels are sparse."),
        parts=(
            Part("The findings", tables=(_held_table(held), )),
            Part("Share of hypoxic tissue at the target dose",
                 text=("Published: ten regions of mouse tumours. Ours: generated regions; the target dose is a share "
                       "of the mean dose over all regions, because the published one was not read.",),
                 tables=(_share_table(variants, shares), _region_table(central))),
        ),
        values_used=tuple(ValueUse(key, used[key]) for key in sorted(used)),
        sources=sources_of(setup),
        assumptions=(
            f"{SLICES} slices of {ROWS * COLUMNS} regions of {VOXELS * SPACING_UM / 1e3:g} x "
            f"{VOXELS * SPACING_UM / 1e3:g} mm side by side, {VESSELS_PER_MM2[0]:g} to {VESSELS_PER_MM2[-1]:g} vessels "
            f"per mm2 at random places (assumed); poorly and well vascularised are the {ENDS} at each end.",
            "The tissue repeats along z and mirrors at its edges; PSMA is even.",
            "Source: Cancers 2021;13(14):3429, doi:10.3390/cancers13143429, read as an abstract.",
        ),
        numbers={
            "shares": {f"{end} {n}": value for (end, n), value in typical.items()},
            "held": {f: (float(np.mean(h)) if h else None) for f, h in held.items()},  # type: ignore[arg-type]
        },
    )


def _held_table(held: Mapping[str, Sequence[bool | None]]) -> FindingTable:
    rows = []
    for name, text in BIRINDELLI_FINDINGS.items():
        count, n = sum(bool(h) for h in held[name]), len(held[name])
        low, high = probability_interval(count / n, n) if n else (float("nan"), float("nan"))
        rows.append((text, f"{count} of {n}", f"{100 * low:.0f} to {100 * high:.0f} %" if n else "no hypoxic tissue"))
    return FindingTable(("finding", "draws in which it holds", "95 % interval"), tuple(rows))


def _share_table(
    variants: Sequence[tuple[float, float]],
    shares: Mapping[tuple[float, float], Sequence[Mapping[tuple[str, str], float]]],
) -> FindingTable:
    keys = [(end, n) for end in ("poor", "well") for n in RADIONUCLIDES]
    rows: list[tuple[str, ...]] = [("published", "", *(PUBLISHED_SHARES[k] for k in keys))]
    for hypoxic, target in variants:
        cells = [_range([s[k] for s in shares[hypoxic, target]]) for k in keys]
        rows.append((f"below {hypoxic:g} mmHg", f"{target:g} x mean", *cells))
    heads = [f"{'sparse' if end == 'poor' else 'dense'} vessels, {n}" for end, n in keys]
    return FindingTable(("hypoxic tissue", "target dose", *heads), tuple(rows),
                        note="median (5 to 95 %) of the draws")


def _range(values: Sequence[float]) -> str:
    known = [v for v in values if not np.isnan(v)]
    if not known:
        return "none hypoxic"
    low, mid, high = np.quantile(known, [0.05, 0.5, 0.95])
    return f"{100 * mid:.0f} % ({100 * low:.0f} to {100 * high:.0f})"


def _region_table(central: Sequence[Reach]) -> FindingTable:
    mean = {n: float(np.mean([r.dose[n].mean() for r in central])) for n in RADIONUCLIDES}
    rows = []
    for per_mm2 in VESSELS_PER_MM2:
        same = [r for r in central if r.vessels_per_mm2 == per_mm2]
        pressure = np.concatenate([r.oxygen_mmHg.ravel() for r in same])
        rows.append((
            per_mm2, float(np.median(pressure)), float((pressure < HYPOXIC_MMHG[1]).mean()),
            *(float(np.mean([r.dose[n].mean() for r in same])) / mean[n] for n in RADIONUCLIDES),
            *(float(np.mean([r.spread(n) for r in same])) for n in RADIONUCLIDES)))
    return FindingTable(
        ("vessels per mm2", "median oxygen, mmHg", f"share below {HYPOXIC_MMHG[1]:g} mmHg",
         "dose over the mean of all, 177Lu", "225Ac", "variation of dose, 177Lu", "225Ac"),
        tuple(rows), title="At the medians")
