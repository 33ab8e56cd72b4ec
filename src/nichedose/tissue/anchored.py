"""The mean density of a target from what was measured in this lesion or from the library, and how far it may be off."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from nichedose.anchors import H_SCORE_MOST, Anchor, anchor_of
from nichedose.errors import BadInput, near_miss
from nichedose.library.schema import Target, TissueParameters
from nichedose.quantities import MOLECULES_PER_NMOL
from nichedose.values import Draw, Value

__all__ = ["NO_ANCHORS", "HostCells", "anchor_log_sd", "anchored_mean", "anchors_of", "library_mean",
           "log_sd", "quantiles", "relative_density"]

CDF_1SD = 0.8413447460685429  # probability below one standard deviation of a normal law
MM3_PER_L = 1e6
LEAST_H_SCORE = 1.0  # a cell in a hundred, weakly: a lower score cannot be told from this one
QUANTILES = (np.arange(9) + 0.5) / 9.0

NO_ANCHORS: Mapping[str, Anchor] = {}


@dataclass(frozen=True)
class HostCells:
    """Of a target's first host over the section: cells per mm3 of tissue, and the share of the sites that they bear."""

    per_mm3: float
    share: float


def anchors_of(given: Mapping[str, Anchor | str], targets: Mapping[str, Target]) -> dict[str, Anchor]:
    """As `Anchor`; raises `BadInput` for one that is none, and for an unknown target."""
    found: dict[str, Anchor] = {}
    for name, raw in given.items():
        if name not in targets:
            raise BadInput(f"Anchor for an unknown target '{name}'.{near_miss(name, targets)}")
        try:
            found[name] = anchor_of(raw)
        except BadInput as error:
            raise BadInput(f"Anchor of {name}: {error}") from error
    return found


def library_mean(target: Target, draw: Draw) -> float:
    """The library's mean density (nmol/L), from tumours that bear the target."""
    return draw(f"target.{target.name}.mean_density_nmol_per_L", target.mean_density_nmol_per_L)


def anchored_mean(
    anchor: Anchor, target: Target, parameters: TissueParameters, draw: Draw, cells: HostCells | None = None
) -> float:
    """Mean sites per tissue volume (nmol/L) that ``anchor`` stands for, in this draw.

    Per mass: times the protein in a mass of wet tissue, and its density (1 fmol/mg is 1 nmol/kg). Per cell: times the
    cells of the target's first host, over the share of the sites that these bear (without ``cells``, times all cells of
    the library's density). An H-score shifts the library's
    density by `relative_density` over that of the tumours in which the library's density was found.
    """
    value = anchor.value * _measured(anchor, target.name, draw)

    def number(name: str) -> float:
        return draw(f"tissue.{name}", getattr(parameters, name))

    if anchor.kind == "density":
        return value
    if anchor.kind == "sites_per_cell":
        cells = cells or HostCells(number("cell_density_per_mm3"), 1.0)
        return value * cells.per_mm3 * MM3_PER_L / MOLECULES_PER_NMOL / cells.share
    if anchor.kind == "h_score":
        step, share = number("h_score_grade_factor"), number("h_score_all_or_none")
        reference = relative_density(number("h_score_of_library_density"), step, share)
        return library_mean(target, draw) * relative_density(min(value, H_SCORE_MOST), step, share) / reference
    per_kg = value if anchor.kind == "bmax_tissue" else value * number(_PROTEIN[anchor.kind])
    return per_kg * number("tissue_density_kg_per_L")


_PROTEIN = {"bmax_protein": "protein_mass_fraction", "bmax_membrane": "membrane_protein_mass_fraction"}


def relative_density(h_score: float, grade_factor: float, all_or_none: float) -> float:
    """Sites at ``h_score`` over those at 300, when a grade of the stain is ``grade_factor`` times as many sites.

    A score does not say how it came about: all cells may be stained alike, with grade_factor^(H/100 - 3), or a share
    H/300 of them fully and the others not. ``all_or_none`` (0 to 1) lies between the two, on the logarithm.

    >>> relative_density(300.0, 5.0, 0.3), round(relative_density(200.0, 5.0, 0.0), 3)
    (1.0, 0.2)
    """
    h = max(h_score, LEAST_H_SCORE)
    alike, share = (h / 100.0 - 3.0) * math.log(grade_factor), math.log(h / 300.0)
    return math.exp((1.0 - all_or_none) * alike + all_or_none * share)


def _measured(anchor: Anchor, target: str, draw: Draw) -> float:
    """The factor by which the measurement may be off; its mean is 1."""
    if anchor.relative_sd == 0.0:
        return 1.0
    log_sd = math.sqrt(anchor.log_variance)
    spread = Value(median=math.exp(-0.5 * log_sd**2), geometric_sd=math.exp(log_sd), evidence="measured",
                   read="dataset", source="case")
    return draw(f"anchor.{target}.relative", spread)


def anchor_log_sd(
    anchor: Anchor | None, target: Target, parameters: TissueParameters, cells_log_sd: float | None = None
) -> float:
    """Standard deviation of the logarithm of the section mean: of the measurement and of what turns it into sites.

    ``cells_log_sd``: of what turns sites per cell into sites; without it, of all cells of the library's density.
    """
    library = log_sd(target.mean_density_nmol_per_L)
    if anchor is None:
        return library
    if anchor.kind == "h_score":
        return math.hypot(library, math.sqrt(_h_score_log_variance(anchor, parameters)))
    own = anchor.log_variance
    if anchor.kind == "density":
        return math.sqrt(own)
    if anchor.kind == "sites_per_cell":
        cells = log_sd(parameters.cell_density_per_mm3) if cells_log_sd is None else cells_log_sd
        return math.hypot(math.sqrt(own), cells)
    protein = log_sd(getattr(parameters, _PROTEIN[anchor.kind])) if anchor.kind in _PROTEIN else 0.0
    return math.hypot(math.sqrt(own), log_sd(parameters.tissue_density_kg_per_L), protein)


def log_sd(value: Value) -> float:
    """Half of the logarithm of the ratio between the quantiles at one standard deviation."""
    return 0.5 * math.log(value.quantile(CDF_1SD) / value.quantile(1.0 - CDF_1SD))


def quantiles(value: Value) -> list[float]:
    """Nine values of equal weight."""
    return [value.quantile(float(u)) for u in QUANTILES]


def _h_score_log_variance(anchor: Anchor, p: TissueParameters) -> float:
    """Of the ratio to the library's density. The measurement's error counts by how steeply sites rise with the score,
    up to 300."""
    log_sd_measured = math.sqrt(anchor.log_variance)
    normal = ndtri(QUANTILES) / np.std(ndtri(QUANTILES)) if log_sd_measured else np.zeros(1)
    scores = np.minimum(anchor.value * np.exp(log_sd_measured * normal - 0.5 * log_sd_measured**2), H_SCORE_MOST)
    logs = [math.log(relative_density(float(h), g, a) / relative_density(r, g, a))
            for h in scores for g in quantiles(p.h_score_grade_factor) for a in quantiles(p.h_score_all_or_none)
            for r in quantiles(p.h_score_of_library_density)]
    return float(np.var(logs))
