"""Cells: clusters, eccentric nuclei, alpha hits, sections of single cells."""

from __future__ import annotations

import numpy as np

from nichedose.check.row import CheckRow
from nichedose.dose import CHARGED, SectionGeometry, cell_s_values, energy_MeV_per_decay
from nichedose.dose.cell_section import cells_dose
from nichedose.dose.cells import CellPart
from nichedose.dose.clusters import cell_cross_s_value, cluster_s_values, cubic_cluster_um
from nichedose.dose.microdosimetry import HitSource, hit_statistics

__all__ = ["rows"]

_CELLDOSE = "Alcocer-Avila et al. 2020 (CELLDOSE), doi:10.1186/s40658-020-00301-2, Table 3"
_CLUSTER: dict[tuple[str, CellPart], tuple[float, float]] = {  # Gy, share of self-dose
    ("177Lu", "surface"): (7.2, 0.26), ("177Lu", "cytoplasm"): (8.3, 0.36), ("177Lu", "cell"): (11.0, 0.53),
    ("177Lu", "nucleus"): (15.7, 0.68), ("161Tb", "surface"): (15.1, 0.33), ("161Tb", "cytoplasm"): (17.9, 0.46),
    ("161Tb", "cell"): (29.1, 0.67), ("161Tb", "nucleus"): (47.8, 0.81),
}
_MIRDCELL = {  # Gy per decay, cell of 5 um, nucleus of 4 um: cell from cell, nucleus from nucleus and from surface
    "177Lu": (1.033e-3, 1.732e-3, 3.852e-4), "90Y": (2.450e-4, 3.841e-4, 1.281e-4),
    "131I": (6.622e-4, 1.076e-3, 2.946e-4),
}
_PAIRS: tuple[tuple[CellPart, CellPart], ...] = (("cell", "cell"), ("nucleus", "nucleus"), ("nucleus", "surface"))


def rows() -> list[CheckRow]:
    """All comparisons of cells beyond the concentric single cell."""
    return [*_clusters(), *_straight_lines(), *_hits(), _section()]


def _clusters() -> list[CheckRow]:
    out, centres = [], cubic_cluster_um(7.0)
    for (nuclide, source), (gray, share) in _CLUSTER.items():
        energy = energy_MeV_per_decay(nuclide)
        decays = 1436.0 / (energy["beta"] + energy["conversion"] + energy["auger"])
        dose = decays * cluster_s_values(nuclide, centres, 7.0, 5.0, source=source, quality=CHARGED)[0]
        out.append(CheckRow(
            id=f"cells.cluster.{nuclide}.{source}", source=_CELLDOSE, kind="published", ours=float(dose.sum()),
            reference=gray, tolerance=0.05, unit="Gy", note="central nucleus of 19 touching cells"))
        out.append(CheckRow(
            id=f"cells.cluster_self.{nuclide}.{source}", source=_CELLDOSE, kind="published",
            ours=float(dose[0] / dose.sum()), reference=share, tolerance=0.012, absolute=True,
            note="share of self-dose"))
    return out


def _straight_lines() -> list[CheckRow]:
    """Shown, not demanded: straight electron paths leave out scattering; 10 % would mean that something broke."""
    out = []
    for nuclide, references in _MIRDCELL.items():
        s = cell_s_values(nuclide, 5.0, 4.0, quality=CHARGED)
        for (target, source), value in zip(_PAIRS, references, strict=True):
            out.append(CheckRow(
                id=f"cells.mirdcell.{nuclide}.{target}.{source}", source="MIRDcell V3 classes, ICRP-107 spectra",
                kind="independent code", ours=s[target, source], reference=value, tolerance=0.1, unit="Gy/decay",
                note="straight-line electrons there: the difference is their bias"))
    return out


def _hits() -> list[CheckRow]:
    """Mean of the specific-energy distribution is the mean dose; touched nuclei by solid angle."""
    out = []
    sources: tuple[HitSource, ...] = ("surface", "cytoplasm", "nucleus")
    s = cell_s_values("225Ac", 7.0, 5.0, "equilibrium", "alpha")
    for source in sources:
        hits = hit_statistics("225Ac", {source: 2.0}, 7.0, 5.0, "equilibrium")
        out.append(CheckRow(
            id=f"cells.hits_mean.225Ac.{source}", source="S value of alphas", kind="self-test",
            ours=float(hits.probability @ hits.specific_energy_Gy), reference=2.0 * s["nucleus", source],
            tolerance=1e-3, unit="Gy", note="two decays with progeny; mean over the distribution"))
    hits = hit_statistics("212Po", {"surface": 1.0}, 7.0, 5.0)
    out.append(CheckRow(
        id="cells.hits_solid_angle.212Po", source="solid angle of a sphere", kind="analytic", ours=hits.mean_hits,
        reference=0.5 * (1.0 - np.sqrt(1.0 - (5.0 / 7.0) ** 2)), tolerance=1e-4, note="hits per decay on the surface"))
    return out


def _section() -> CheckRow:
    """One cell among 150: cross-fire against its sum over pairs."""
    where = np.random.default_rng(41).random((150, 2)) * 400.0
    label = np.full(len(where), 100.0)
    dose = cells_dose(
        where, label, 0.0 * label, "177Lu", cell_radius_um=7.0, nucleus_radius_um=5.0,
        geometry=SectionGeometry("section", 10.0, "isolated", 1e4))
    apart = np.linalg.norm(where[1:] - where[0], axis=1)
    reference = 100.0 * float(cell_cross_s_value("177Lu", apart, 7.0, 5.0, quality=CHARGED).sum())
    return CheckRow(
        id="cells.section.177Lu", source="sum over all pairs of cells", kind="self-test",
        ours=float(sum(x[0] for x in dose.cross_by_quality.values())), reference=reference, tolerance=0.01, unit="Gy")
