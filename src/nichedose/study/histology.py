"""A section known by the histology of its spots alone: labels, generated or read, become a TissueMap."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from nichedose.errors import BadInput
from nichedose.fields.grid import Array, Grid
from nichedose.library.schema import TissueParameters
from nichedose.tissue import TargetField, TissueMap, oxygen
from nichedose.tissue.build import oxygen_parameters
from nichedose.tissue.random_field import gaussian_field
from nichedose.values import Draw, Source, Value

__all__ = [
    "CLASSES", "TARGETS", "Histology", "HistologyTable", "generated_histology", "histology_from_labels",
    "histology_map", "histology_table",
]

CLASSES = ("high grade", "low grade", "benign", "stroma")
TARGETS: Mapping[str, str] = {"PSMA": "tumour", "FAP": "fibroblast", "GRPR": "tumour"}
# labels of the annotated sections of Erickson et al. (Nature 2022); what is not named here is left out
LABELS: Mapping[str, str] = {
    "GG1": "low grade", "GG2": "low grade", "GG4": "high grade", "GG4 Cribriform": "high grade",
    "Transition_State": "low grade", "Benign": "benign", "PIN": "benign", "Stroma": "stroma", "Vessel": "stroma",
    "Nerve": "stroma", "Inflammation": "stroma", "Chronic inflammation": "stroma", "Fat": "stroma",
}
PITCH_UM = 100.0


@dataclass(frozen=True)
class Histology:
    """Spots of one section: place (n, 2) in um (x, y) and class (n,) as an index into `CLASSES`."""

    sample: str
    xy_um: Array
    label: np.ndarray

    def __post_init__(self) -> None:
        if self.xy_um.shape != (len(self.label), 2) or not len(self.label):
            raise BadInput(f"{self.sample}: a section needs spots, each with a place and a class.")
        if not np.isfinite(self.xy_um).all():
            raise BadInput(f"{self.sample}: places of spots must be finite.")
        if not np.isin(self.label, (0, 1)).any():
            raise BadInput(f"{self.sample}: no spot is tumour; its survival cannot be computed.")

    def permuted(self, seed: int) -> Histology:
        """The same labels on other spots: composition is kept, arrangement is not."""
        return Histology(self.sample, self.xy_um, np.random.default_rng(seed).permutation(self.label))


@dataclass(frozen=True)
class HistologyTable:
    """What each class holds, each number a `Value`: ``fields[name][class]``; ``geometric_sd`` between spots."""

    fields: Mapping[str, Mapping[str, Value]]
    geometric_sd: Value
    sources: Mapping[str, Source]


@cache
def histology_table() -> HistologyTable:
    """The shipped table; sources lie outside the paper that the scenario follows."""
    place = resources.files("nichedose.library") / "data" / "scenarios" / "hong_2024.toml"
    raw = tomllib.loads(place.read_text("utf-8"))
    sources = {key: Source(**entry) for key, entry in raw.pop("sources").items()}
    spread = Value(**raw.pop("spot")["geometric_sd"])
    return HistologyTable({f: {c: Value(**v) for c, v in t.items()} for f, t in raw.items()}, spread, sources)


def histology_from_labels(sample: str, labels: Sequence[str], xy_um: Array) -> Histology:
    """A section from the pathologist's words for each spot; spots of other words (or none) are left out.

    Raises `BadInput` where no word is known.
    """
    known = np.array([word in LABELS for word in labels])
    if not known.any():
        seen = ", ".join(sorted(set(labels))[:5])
        raise BadInput(f"{sample}: none of its labels ({seen}, ...) is known; allowed are {', '.join(LABELS)}.")
    kept = np.array([CLASSES.index(LABELS[word]) for word in np.asarray(labels)[known]])
    return Histology(sample, np.asarray(xy_um, dtype=float)[known], kept)


def generated_histology(seed: int, *, side_um: float = 2600.0) -> Histology:
    """A prostate-like section: glands in stroma, some benign, tumour of two grades in patches; nothing was measured.

    The shares of the classes differ between seeds, as samples differ.
    """
    rng = np.random.default_rng(seed)
    rows, columns = int(side_um / (PITCH_UM * np.sqrt(0.75))), int(side_um / PITCH_UM)
    row, column = (a.ravel() for a in np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"))
    xy = np.stack([(column + 0.5 * (row % 2)) * PITCH_UM, row * PITCH_UM * np.sqrt(0.75)], axis=1)
    grid = Grid((rows + 2, columns + 2), PITCH_UM)
    inside = (np.clip(np.round(xy[:, 1] / PITCH_UM).astype(int), 0, rows + 1),
              np.clip(np.round(xy[:, 0] / PITCH_UM).astype(int), 0, columns + 1))
    gland, cancer, grade = (gaussian_field(grid, length, rng)[inside] for length in (150.0, 500.0, 400.0))
    is_gland = gland > np.quantile(gland, rng.uniform(0.3, 0.5))
    is_cancer = cancer > np.quantile(cancer, rng.uniform(0.3, 0.6))
    is_high = grade > np.quantile(grade, rng.uniform(0.3, 0.7))
    label = np.where(~is_gland, 3, np.where(~is_cancer, 2, np.where(is_high, 0, 1)))
    return Histology(f"generated {seed}", xy, label)


def histology_map(
    histology: Histology, table: HistologyTable, parameters: TissueParameters, density_nmol_per_L: Mapping[str, float],
    draw: Draw, spacing_um: float, flat: frozenset[str] = frozenset(),
) -> TissueMap:
    """The section as fields on a grid; ``density_nmol_per_L`` is the section's mean of each target.

    ``flat`` names targets whose density per host cell is taken as equal in all classes that bear it.
    """
    grid, index, near = _nearest(histology, spacing_um)
    labels = np.where(near, histology.label[index], 3)

    def field(name: str) -> Array:
        values = np.array([draw(f"histology.{name}.{c}", table.fields[name][c]) for c in CLASSES])
        if name in flat:
            values = np.where(values > 0.0, 1.0, 0.0)
        return np.where(near, values[labels], 0.0)

    cells = draw("tissue.cell_density_per_mm3", parameters.cell_density_per_mm3)
    tumour, fibroblast = cells * field("tumour_fraction"), cells * field("fibroblast_fraction")
    vessels = field("vessels")
    vessels = vessels * draw("tissue.vessel_surface_per_cm", parameters.vessel_surface_per_cm) / vessels[near].mean()
    spread = np.log(draw("histology.spot.geometric_sd", table.geometric_sd))
    targets = {}
    for name, host in TARGETS.items():
        per_cell = field(name) * _scatter(draw, name, spread, histology, index)
        amount = per_cell * (tumour if host == "tumour" else fibroblast)
        mean = float(amount[near].mean())
        targets[name] = TargetField(name, {host: amount * (density_nmol_per_L[name] / mean)}, True, "relative", 0)
    return TissueMap(
        grid=grid, mask=near, cell_density_per_mm3={"tumour": tumour, "fibroblast": fibroblast}, targets=targets,
        unknown_targets={}, vessel_surface_per_cm=vessels, matrix=np.zeros(grid.shape),
        oxygen_mmHg=oxygen(grid, near, vessels, oxygen_parameters(parameters, draw)), sample=histology.sample)


def _nearest(histology: Histology, spacing_um: float) -> tuple[Grid, np.ndarray, np.ndarray]:
    """A grid over the spots, the nearest spot of each voxel, and whether one is near enough."""
    from scipy.spatial import cKDTree

    low, high = histology.xy_um.min(axis=0), histology.xy_um.max(axis=0)
    nx, ny = (int(n) for n in np.ceil((high - low) / spacing_um) + 1)
    grid = Grid((ny, nx), spacing_um)
    y, x = np.meshgrid(low[1] + grid.y_um, low[0] + grid.x_um, indexing="ij")
    distance, index = cKDTree(histology.xy_um).query(np.stack([x.ravel(), y.ravel()], axis=1))
    near = np.asarray(distance <= 0.75 * PITCH_UM)
    return grid, index.reshape(grid.shape), near.reshape(grid.shape)


def _scatter(draw: Draw, name: str, spread: float, histology: Histology, index: np.ndarray) -> Array:
    """One factor per spot, the same at any spacing; 1 in the central run."""
    generator = draw.generator(f"histology.{name}.{histology.sample}")
    if generator is None:
        return np.ones(index.shape)
    return np.asarray(np.exp(spread * generator.standard_normal(len(histology.label)))[index])
