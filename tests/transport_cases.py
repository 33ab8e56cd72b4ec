"""Made-up sections and ligands for the transport tests, and an independent right-hand side in plain NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.ndimage import gaussian_filter

from nichedose.body import PlasmaCurve
from nichedose.fields.grid import Array, BoolArray, Grid
from nichedose.transport import LigandKinetics, TissueTransport, TransportSolution, simulate
from nichedose.transport.gradient import Integrals

LABELS = {"177Lu": np.log(2.0) / 159.5, "211At": np.log(2.0) / 7.214, "stable": 0.0}
SMALL = PlasmaCurve((300.0, 40.0), (3.0, 0.15))
SLOW = PlasmaCurve((60.0, 40.0), (0.08, 0.008))
PEPTIDE = LigandKinetics(0.6, 0.6, 0.06, 0.008, 200.0, 0.2, 0.4)
TIGHT = replace(PEPTIDE, association_L_per_nmol_per_h=60.0, dissociation_per_h=6.0)
ANTIBODY = LigandKinetics(0.36, 0.36, 0.06, 0.008, 10.0, 0.003, 0.25)

# a small ragged section on which back-ends and derivatives are compared
N, END_H = 12, 480.0
USED = {name: LABELS[name] for name in ("177Lu", "211At")}
RAGGED = np.ones((N, N), bool)
RAGGED[:3, :2], RAGGED[5:7, 4:9], RAGGED[-1, 3:] = False, False, False
CASES: dict[str, tuple[LigandKinetics, PlasmaCurve, float]] = {
    "peptide": (PEPTIDE, SMALL, 2.0),
    "tight": (TIGHT, SMALL, 2.0),
    "antibody": (ANTIBODY, SLOW, 0.07),
}
WEIGHT = np.random.default_rng(7).random((N, N)) * RAGGED


def value_of(maps: Any, log1p: Any = np.log1p) -> Any:
    """An objective of label integrals: not linear, different in every voxel, label and state."""
    return sum((WEIGHT * log1p((k + m + 1) * field)).sum()
               for k, states in enumerate(maps.values()) for m, field in enumerate(states.values()))


def objective(maps: Integrals) -> tuple[float, Integrals]:
    """`value_of` and its derivative."""
    slopes = {
        label: {state: WEIGHT * (k + m + 1) / (1.0 + (k + m + 1) * field)
                for m, (state, field) in enumerate(states.items())}
        for k, (label, states) in enumerate(maps.items())
    }
    return float(value_of(maps)), slopes


def section(
    n: int,
    *,
    seed: int = 0,
    spacing_um: float = 20.0,
    target: float = 200.0,
    exchange: float = 2.0,
    mask: BoolArray | None = None,
) -> TissueTransport:
    """Patchy lognormal exchange (15 % of voxels without vessels) and target; the grid resolves both."""
    rng = np.random.default_rng(seed)

    def patches(width_um: float) -> Array:
        field = gaussian_filter(rng.standard_normal((n, n)), width_um / spacing_um, mode="wrap")
        return np.asarray(field / field.std())

    rate = exchange * np.exp(0.8 * patches(40.0))
    bare = patches(60.0)
    rate[bare < np.quantile(bare, 0.15)] = 0.0
    sites = target * np.clip(0.5 + 0.35 * patches(60.0), 0.0, 1.0)
    return TissueTransport(Grid((n, n), spacing_um), np.ones((n, n), bool) if mask is None else mask, sites, rate)


def uniform(shape: tuple[int, int], target: float, exchange: float, spacing_um: float = 20.0) -> TissueTransport:
    return TissueTransport(
        Grid(shape, spacing_um), np.ones(shape, bool), np.full(shape, target), np.full(shape, exchange)
    )


def run(
    tissue: TissueTransport, ligand: LigandKinetics = PEPTIDE, plasma: PlasmaCurve = SMALL, **options: Any
) -> TransportSolution:
    return simulate(tissue, ligand, plasma, **({"end_h": 480.0, "decay_per_h": LABELS} | options))


def total(solution: TransportSolution, label: str) -> Array:
    return np.asarray(sum(solution.time_integral(label).values()))


def slab(
    cells: int, thiele: float, length_um: float = 200.0
) -> tuple[TissueTransport, LigandKinetics, PlasmaCurve, Array]:
    """A slab whose first voxel is held at the plasma level, with irreversible unsaturated binding in the others.

    The time integral of free ligand then obeys the steady equation of Thiele's slab between that voxel's centre and the
    closed end. Returns also the voxel centres over the slab's length.
    """
    spacing = length_um / (cells - 0.5)
    void, diffusivity = 0.4, 100.0
    rate = void * diffusivity * 3600.0 / length_um**2 * thiele**2  # kon x sites, 1/h
    sites = np.full((1, cells), 1e6)
    sites[0, 0] = 0.0
    exchange = np.zeros((1, cells))
    exchange[0, 0] = 1e7 * rate
    tissue = TissueTransport(Grid((1, cells), spacing), np.ones((1, cells), bool), sites, exchange)
    ligand = LigandKinetics(rate / 1e6, 0.0, 0.0, 0.0, diffusivity, 0.0, void)
    return tissue, ligand, PlasmaCurve((1e-3,), (1.0,)), np.arange(cells) * spacing / length_um


def thiele_profile(position: Array, thiele: float) -> Array:
    return np.asarray(np.cosh(thiele * (1.0 - position)) / np.cosh(thiele))


def independent_rhs(
    tissue: TissueTransport, ligand: LigandKinetics, plasma: PlasmaCurve, decays: Array
) -> tuple[Callable[[float, Array], Array], Callable[[float, Array], sp.csc_matrix]]:
    """d/dt of (F, B, I, label integral of all three for each decay) on the masked voxels, and its sparse Jacobian."""
    mask, grid = tissue.mask, tissue.grid
    index = np.full(grid.shape, -1)
    index[mask] = np.arange(mask.sum())
    n = int(mask.sum())
    pairs = [(index[1:], index[:-1]), (index[:, 1:], index[:, :-1])]
    laplace = sp.lil_matrix((n, n))
    for one, other in pairs:
        for i, j in zip(one.ravel(), other.ravel(), strict=True):
            if i >= 0 and j >= 0:
                laplace[i, j] += 1.0
                laplace[j, i] += 1.0
                laplace[i, i] -= 1.0
                laplace[j, j] -= 1.0
    spread = (ligand.diffusivity_um2_per_s * 3600.0 / grid.spacing_um**2) * laplace.tocsr()
    void, kon, koff = ligand.void_fraction, ligand.association_L_per_nmol_per_h, ligand.dissociation_per_h
    kint, krel = ligand.internalisation_per_h, ligand.release_per_h
    sites, exchange = tissue.target_nmol_per_L[mask], tissue.exchange_per_h[mask]
    eye, labels = sp.identity(n, format="csr"), len(decays)

    def rhs(t: float, y: Array) -> Array:
        f, b, i = y[:n], y[n : 2 * n], y[2 * n : 3 * n]
        on = kon * f * (sites - b) - koff * b
        parts = [
            spread @ f + (exchange * (float(plasma.concentration_nmol_per_L(t)) - f) - on) / void,
            on - kint * b,
            kint * b - krel * i,
        ]
        return np.concatenate(parts + [np.exp(-d * t) * (void * f + b + i) for d in decays])

    def jacobian(t: float, y: Array) -> sp.csc_matrix:
        f, b = y[:n], y[n : 2 * n]
        to_f, to_b = sp.diags(kon * (sites - b)), sp.diags(-kon * f - koff)
        blocks = [
            [spread - (sp.diags(exchange) + to_f) / void, -to_b / void, None] + [None] * labels,
            [to_f, to_b - kint * eye, None] + [None] * labels,
            [None, kint * eye, -krel * eye] + [None] * labels,
        ]
        for k, d in enumerate(decays):
            w = np.exp(-d * t)
            blocks.append([w * void * eye, w * eye, w * eye] + [(0.0 * eye if j == k else None) for j in range(labels)])
        return sp.csc_matrix(sp.bmat(blocks, format="csc"))

    return rhs, jacobian
