"""Truth from the library's priors, seen through a generator with model error: do stated intervals hold it?

Used by `tests/unit/test_target_calibration.py` in small and by `benchmarks/target_calibration.py` in full.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from nichedose.fields import Grid
from nichedose.library import load_library
from nichedose.library.schema import Target
from nichedose.tissue import SpatialAssay, SpotTarget, build_tissue_map, map_with_spread, model_section
from nichedose.tissue.random_field import gaussian_field
from nichedose.values import Draw

LIBRARY = load_library()
TARGETS = ("PSMA", "FAP", "B7-H3")  # tumour (and some vessel), fibroblast alone, three hosts
COLUMNS, ROWS, PITCH_UM, SPACING_UM = 16, 16, 100.0, 100.0
DRAWS = 39  # the 2nd and the 38th of 39 bracket 36/40 = 90 % of the law that the draws come from
TYPES = ("tumour", "fibroblast", "endothelial", "t_cell", "macrophage", "b_cell")
ABUNDANCE = (0.5, 0.22, 0.07, 0.09, 0.08, 0.04)
FILLERS = 300
GENE_GSD = 2.0  # a gene's RNA about the density that it stands for: smooth, over 150 um
# model error of the generator: what the tool does not know of
OVERDISPERSION, BLEED, DEPTH_GSD, MARKER_GSD = 4.0, 0.15, 1.5, 1.4


def lattice() -> np.ndarray:
    x, y = np.meshgrid(np.arange(COLUMNS, dtype=float), np.arange(ROWS, dtype=float))
    return PITCH_UM * np.stack([(x + 0.5 * (y % 2)).ravel(), math.sqrt(0.75) * y.ravel()], axis=1)


def smooth(rng: np.random.Generator, length_um: float, xy: np.ndarray) -> np.ndarray:
    """A Gaussian field at the spots."""
    step = 50.0
    shape = tuple(int(v) for v in np.ceil(xy.max(axis=0)[::-1] / step) + 2)
    field = gaussian_field(Grid((shape[0], shape[1]), step), length_um, rng)
    row, column = (xy[:, 1] / step).astype(int), (xy[:, 0] / step).astype(int)
    return np.asarray(field[row, column])


def true_section(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Positions, cell content, fractions of cells, and each gene's level per cell of its hosts."""
    xy = lattice()
    logits = np.stack([np.log(a) + 1.0 * smooth(rng, 250.0, xy) for a in ABUNDANCE], axis=1)
    fractions = np.exp(logits)
    fractions /= fractions.sum(axis=1, keepdims=True)
    content = np.exp(0.3 * smooth(rng, 200.0, xy))
    levels = {}
    for name in TARGETS:
        level = np.exp(math.log(GENE_GSD) * smooth(rng, 150.0, xy))
        hosts = [h for h in LIBRARY.targets[name].hosts if h in TYPES]
        share = sum(fractions[:, TYPES.index(h)] for h in hosts)
        levels[name] = np.asarray(level * share)
    return xy, content / content.mean(), fractions, levels


def rna_per_cell(seed: int) -> np.ndarray:
    """RNA in a cell of each type, from the library's prior."""
    draw = Draw(seed=20_000 + seed, index=0)
    spread = draw("rna", LIBRARY.tissue.rna_per_cell_geometric_sd)
    return np.asarray(spread ** np.random.default_rng([seed, 2]).standard_normal(len(TYPES)))


def observe(
    rng: np.random.Generator, xy: np.ndarray, content: np.ndarray, fractions: np.ndarray, levels: dict[str, np.ndarray],
    depth: float, rna: np.ndarray | float = 1.0,
) -> SpatialAssay:
    """Negative-binomial counts with bleed between neighbours, uneven depth, markers of uneven strength that leak, and
    cells that hold unequal amounts of ``rna`` (n_types,)."""
    genes, means = [], []
    cells = content[:, None] * fractions * rna
    for i, t in enumerate(TYPES):
        for marker in LIBRARY.cell_types[t].markers:
            strength = 4.0 * math.exp(math.log(MARKER_GSD) * rng.standard_normal())
            leak = 0.02 * strength
            genes.append(marker)
            means.append(strength * cells[:, i] + leak * cells.sum(axis=1))
    for name in TARGETS:
        genes += LIBRARY.targets[name].genes
        means.append(3.0 * content * levels[name] / levels[name].mean())
    profile = rng.dirichlet(np.full(FILLERS, 1.0), size=len(TYPES)) * 3000.0
    genes += [f"FILLER{i}" for i in range(FILLERS)]
    mean = np.concatenate([np.stack(means, axis=1), cells @ profile], axis=1)
    distance = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
    near = (distance > 1.0) & (distance < 1.3 * PITCH_UM)
    mean = (1.0 - BLEED) * mean + BLEED * (near / near.sum(axis=1, keepdims=True)) @ mean
    mean *= depth * np.exp(math.log(DEPTH_GSD) * rng.standard_normal(len(xy)))[:, None]
    counts = rng.poisson(mean * rng.gamma(OVERDISPERSION, 1.0 / OVERDISPERSION, mean.shape))
    first = list(dict.fromkeys(genes))
    columns = [genes.index(g) for g in first]
    return SpatialAssay(
        counts=sp.csr_matrix(counts[:, columns].astype(float)), genes=tuple(first), xy_um=xy,
        barcodes=tuple(f"s{i}" for i in range(len(xy))), pitch_um=PITCH_UM, spot_diameter_um=55.0, lattice="hexagonal",
        kind="made", sample="made", scale_evidence="made")


def wider(targets: Mapping[str, Target], factor: float) -> dict[str, Target]:
    """The library's targets with the mean density shifted by ``factor``: the truth of a misspecified prior."""
    out = {}
    for name, target in targets.items():
        mean = target.mean_density_nmol_per_L
        scaled = {k: None if getattr(mean, k) is None else factor * getattr(mean, k)
                  for k in ("value", "median", "mean", "sd", "low", "high")}
        out[name] = target.model_copy(update={"mean_density_nmol_per_L": mean.model_copy(update=scaled)})
    return out


@dataclass(frozen=True)
class Held:
    """Whether the interval held the truth, one entry per replicate and target: of the section mean, of the density in
    a random voxel, and of that voxel's density over the section mean; ``everywhere`` the share of all voxels of the
    section in which the last held."""

    mean: list[bool]
    voxel: list[bool]
    relative: list[bool]
    everywhere: list[float]


def replicate(
    seed: int, depth: float, *, prior_factor: float = 1.0, names: Sequence[str] = TARGETS
) -> dict[str, tuple[bool, bool, bool, float]]:
    """One section: truth drawn from the priors (shifted by ``prior_factor``), observed, mapped in `DRAWS` draws.

    ``names`` are those of targets and of cell types."""
    rng = np.random.default_rng([seed, 1])
    xy, content, fractions, levels = true_section(rng)
    assay = observe(rng, xy, content, fractions, levels, depth, rna_per_cell(seed))
    targets = {n: LIBRARY.targets[n] for n in TARGETS}
    model = model_section(assay, LIBRARY.cell_types, targets, LIBRARY.signatures, LIBRARY.aliases)
    shapes = {n: SpotTarget(n, content * v / (content * v).mean(), 10_000, len(xy)) for n, v in levels.items()}
    known = replace(
        model, composition=fractions, cell_types=TYPES, content=content, targets=shapes, unknown_targets={},
        errors=None)
    true_targets = wider(targets, prior_factor)
    truth = build_tissue_map(
        known, LIBRARY.tissue, true_targets, spacing_um=SPACING_UM, draw=Draw(seed=10_000 + seed, index=0)
    ).named_fields()
    fields = {n: f"target_{n}" if n in TARGETS else f"cell_density_{n}" for n in names}
    found = map_with_spread(
        model, LIBRARY.tissue, targets, spacing_um=SPACING_UM, draws=DRAWS, seed=seed, fields=list(fields.values()))
    y, x = (int(i) for i in rng.choice(np.argwhere(found.mask)))
    out = {}
    for name, field in fields.items():
        true, spread = truth[field], found.spread[field]
        mean = float(true[found.mask].mean())
        shape = (spread.shape_q05 <= true / mean) & (true / mean <= spread.shape_q95)
        out[name] = (
            spread.mean[0] <= mean <= spread.mean[2],
            bool(spread.q05[y, x] <= true[y, x] <= spread.q95[y, x]),
            bool(shape[y, x]), float(shape[found.mask].mean()))
    return out


def study(
    replicates: int, depth: float, *, prior_factor: float = 1.0, first_seed: int = 0, names: Sequence[str] = TARGETS
) -> dict[str, Held]:
    """`replicate` many times."""
    held = {name: Held([], [], [], []) for name in names}
    for seed in range(first_seed, first_seed + replicates):
        for name, (mean, voxel, relative, share) in replicate(
                seed, depth, prior_factor=prior_factor, names=names).items():
            held[name].mean.append(mean)
            held[name].voxel.append(voxel)
            held[name].relative.append(relative)
            held[name].everywhere.append(share)
    return held
