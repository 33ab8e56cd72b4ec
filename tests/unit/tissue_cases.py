"""A small made-up section with known truth, and library entries for it."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import scipy.sparse as sp

from nichedose.library.schema import CellType, Target, TissueParameters
from nichedose.tissue import SpatialAssay
from nichedose.values import Value

TYPES = ("tumour", "fibroblast", "endothelial", "t_cell")
ABUNDANCE = (0.5, 0.25, 0.08, 0.17)


def fixed(number: float) -> Value:
    return Value(value=number, evidence="assumed")


def spread(median: float, geometric_sd: float) -> Value:
    return Value(median=median, geometric_sd=geometric_sd, evidence="assumed")


def hexagonal(columns: int, rows: int, pitch_um: float = 100.0) -> np.ndarray:
    x, y = np.meshgrid(np.arange(columns, dtype=float), np.arange(rows, dtype=float))
    return pitch_um * np.stack([(x + 0.5 * (y % 2)).ravel(), (np.sqrt(0.75) * y).ravel()], axis=1)


def square(columns: int, rows: int, pitch_um: float = 200.0) -> np.ndarray:
    x, y = np.meshgrid(np.arange(columns, dtype=float), np.arange(rows, dtype=float))
    return pitch_um * np.stack([x.ravel(), y.ravel()], axis=1)


CELL_TYPES = {
    t: CellType(
        name=t, markers=tuple(f"{t.upper()}{i}" for i in range(8)), is_clonogenic=t == "tumour", source="made up"
    )
    for t in TYPES
}
SIGNATURES = {
    "endothelium": SimpleNamespace(genes=CELL_TYPES["endothelial"].markers),
    "ecm": SimpleNamespace(genes=CELL_TYPES["fibroblast"].markers),
    "hypoxia": SimpleNamespace(genes=("HYP0", "HYP1", "HYP2")),
}
ALIASES = {"OLDNAME": "NEWNAME"}


def target(name: str, genes: tuple[str, ...], hosts: tuple[str, ...], mean: float = 40.0) -> Target:
    return Target(
        name=name,
        genes=genes,
        description="made up",
        host_density_ratio={h: fixed(1.0 + 0.5 * i) for i, h in enumerate(hosts)},
        mean_density_nmol_per_L=spread(mean, 2.0),
        positive_fraction=fixed(1.0),
        gene_to_protein_geometric_sd=fixed(1.8),
        local_error_geometric_sd=fixed(1.5),
        local_error_length_um=fixed(150.0),
    )


TARGETS = {
    t.name: t
    for t in (
        target("TUM", ("TUMGENE",), ("tumour",)),
        target("BOTH", ("NEWNAME",), ("tumour", "fibroblast")),
        target("RARE", ("RAREGENE",), ("fibroblast",)),
        target("ABSENT", ("NOTMEASURED",), ("tumour",)),
        target("PAIR", ("TUMGENE", "NEWNAME"), ("tumour",)),
        target("HALFPAIR", ("TUMGENE", "NOTMEASURED"), ("tumour",)),
    )
}


def tissue_parameters(**changes: Value) -> TissueParameters:
    values = {name: fixed(1.0) for name in TissueParameters.model_fields}
    values |= {
        "cell_density_per_mm3": spread(4e5, 1.3),
        "vessel_surface_per_cm": spread(30.0, 1.5),
        "vessel_contrast": fixed(0.7),
        "marker_leak": fixed(0.0),
        "vessel_radius_um": fixed(7.0),
        "oxygen_diffusivity_um2_per_s": fixed(2000.0),
        "oxygen_consumption_mmHg_per_s": spread(15.0, 1.5),
        "oxygen_michaelis_mmHg": fixed(2.5),
        "oxygen_vessel_mmHg": fixed(40.0),
    }
    return TissueParameters(**(values | changes))


@dataclass(frozen=True)
class Made:
    assay: SpatialAssay
    fractions: np.ndarray
    tumour_rate: np.ndarray


def made_section(columns: int = 22, rows: int = 24, depth: float = 4000.0, seed: int = 7) -> Made:
    """Smooth composition fields, gene profiles per type, Poisson counts; every marker has its own scatter."""
    rng = np.random.default_rng(seed)
    xy = hexagonal(columns, rows)
    fractions = _fractions(xy, rng)
    others = 400
    names = [g for t in TYPES for g in CELL_TYPES[t].markers]
    profile = rng.lognormal(0.0, 1.5, (1, len(names) + others)) * rng.lognormal(
        0.0, 0.7, (len(TYPES), len(names) + others)
    )
    for c in range(len(TYPES)):
        own = slice(8 * c, 8 * c + 8)
        level = rng.lognormal(1.0, 1.0, 8)
        profile[:, own] = 0.02 * level
        profile[c, own] = level
    profile /= profile.sum(axis=1, keepdims=True)
    mean = depth * rng.lognormal(0.0, 0.4, len(xy))[:, None] * (fractions @ profile)
    mean[:, : len(names)] *= rng.lognormal(-0.08, 0.4, (len(xy), len(names)))
    tumour_rate = 2.0 * fractions[:, 0]
    extra = {
        "TUMGENE": tumour_rate,
        "OLDNAME": 1.5 * fractions[:, 0] + 1.0 * fractions[:, 1],
        "RAREGENE": 0.01 * fractions[:, 1],
        "HYP0": 0.5 * fractions[:, 0],
        "HYP1": 0.5 * fractions[:, 0],
    }
    exposure = mean.sum(axis=1, keepdims=True) / mean.sum(axis=1).mean()
    counts = rng.poisson(np.hstack([mean, np.stack(list(extra.values()), axis=1) * exposure]))
    genes = (*names, *(f"OTHER{i}" for i in range(others)), *extra)
    return Made(assay_of(xy, counts, genes), fractions, tumour_rate)


def assay_of(xy: np.ndarray, counts: np.ndarray, genes: tuple[str, ...], pitch_um: float = 100.0) -> SpatialAssay:
    return SpatialAssay(
        counts=sp.csr_matrix(counts.astype(float)),
        genes=genes,
        xy_um=xy,
        barcodes=tuple(f"spot{i}" for i in range(len(xy))),
        pitch_um=pitch_um,
        spot_diameter_um=55.0,
        lattice="hexagonal",
        kind="made up",
        sample="made",
        scale_evidence="made in um",
    )


def _fractions(xy: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    waves = rng.standard_normal((2, 100, len(TYPES))) / np.array([500.0, 400.0, 300.0, 250.0])
    phase = rng.uniform(0.0, 2.0 * np.pi, (100, len(TYPES)))
    field = np.sqrt(2.0 / 100) * np.cos(np.einsum("nd,dfc->nfc", xy, waves) + phase).sum(axis=1)
    weight = np.array(ABUNDANCE) * np.exp(1.1 * field)
    return weight / weight.sum(axis=1, keepdims=True)
