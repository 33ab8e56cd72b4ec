"""Units and cells of tissue files: pixels found in areas, centres of outlines, cells kept in number."""

from __future__ import annotations

import struct

import numpy as np
import scipy.sparse as sp

from nichedose.check.row import CheckRow
from nichedose.io.readers.halo import um_per_px_of_areas
from nichedose.io.wkb import centres_of
from nichedose.tissue.cells import bins_of
from nichedose.tissue.counted import cells_per_mm3
from nichedose.tissue.noise import common_noise
from nichedose.tissue.shrink import neighbour_graph

__all__ = ["rows"]


def rows() -> list[CheckRow]:
    """All comparisons of the tissue readers and of cells gathered into bins."""
    return [*(_pixel(um) for um in (0.2, 0.325, 0.49702)), *_centroid(), _cells(), _cells_per_volume(), _noise()]


def _pixel(um: float) -> CheckRow:
    """Areas of cells are whole numbers of pixels, written with six digits."""
    pixels = np.random.default_rng(0).integers(60, 900, 500)
    found = um_per_px_of_areas(np.round(pixels * um**2, 6), pixels / 0.75)
    return CheckRow(
        id=f"tissue_input.pixel_{um:g}um", source="the pixel with which the areas were made", kind="self-test",
        ours=float("nan") if found is None else found, reference=um, tolerance=1e-5, unit="um")


def _centroid() -> list[CheckRow]:
    """A right triangle far from the origin, where cancellation would show: its centre is a third along each leg."""
    x0, y0 = 25_000.0, 31_000.0
    ring = [(x0, y0), (x0 + 9.0, y0), (x0, y0 + 6.0), (x0, y0)]
    data = struct.pack("<BIII", 1, 3, 1, len(ring)) + b"".join(struct.pack("<2d", *p) for p in ring)
    centre = centres_of([data], "check")[0]
    return [CheckRow(
        id=f"tissue_input.centroid_{axis}", source="centre of a triangle: mean of its corners", kind="analytic",
        ours=float(centre[i]), reference=(x0 + 3.0, y0 + 2.0)[i], tolerance=1e-12, unit="um")
        for i, axis in enumerate("xy")]


def _cells() -> CheckRow:
    xy = np.random.default_rng(1).uniform(0.0, 1000.0, (5000, 2))
    owner, _ = bins_of(xy, 37.0)
    return CheckRow(
        id="tissue_input.cells_in_bins", source="each cell is in one bin", kind="self-test",
        ours=float(np.bincount(owner).sum()), reference=5000.0, tolerance=1e-15)


def _cells_per_volume() -> CheckRow:
    """Nuclei of 8 um in a block of tissue; those of which a section of 5 um holds a part are counted."""
    height = np.random.default_rng(2).uniform(0.0, 200.0, 240_000)  # 300,000 per mm3 in 2 x 2 x 0.2 mm
    seen = (height > 100.0 - 4.0) & (height < 105.0 + 4.0)
    return CheckRow(
        id="tissue_input.cells_per_volume", source="Abercrombie 1946, Anat Rec 94:239, on nuclei placed at random",
        kind="analytic", ours=cells_per_mm3(float(seen.sum()) / 4.0, 5.0, 8.0), reference=3e5,
        tolerance=0.03,  # 15,600 profiles: 0.8 % standard error
        unit="1/mm3")


def _noise() -> CheckRow:
    """Counts of 100 even genes with gamma scatter of 0.1 beyond Poisson, 900 spots."""
    rng = np.random.default_rng(3)
    x, y = np.meshgrid(np.arange(30.0), np.arange(30.0))
    xy = np.stack([x.ravel(), y.ravel()], axis=1)
    counts = rng.poisson(6.0 * rng.gamma(10.0, 0.1, (len(xy), 100))).astype(float)
    return CheckRow(
        id="tissue_input.noise_of_counts", source="the scatter with which the counts were made", kind="self-test",
        ours=common_noise(sp.csr_matrix(counts), np.ones(len(xy)), neighbour_graph(xy, 1.0)), reference=0.1,
        tolerance=0.15,  # of one gene 10 %, of the median of 100 about 1 %, and 2 % of bias from neighbours' scatter
        unit="1")
