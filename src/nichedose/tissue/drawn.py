"""What a section leaves open at its spots, and one draw of it: content, composition, vessels and matrix."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from scipy.special import gammaincinv, ndtr

from nichedose.fields.grid import Array
from nichedose.library.schema import TissueParameters
from nichedose.tissue.common_error import COUNT_PITCHES
from nichedose.tissue.lattice import section_grid
from nichedose.tissue.random_field import gaussian_field
from nichedose.tissue.spots import SpotModel, TypeErrors
from nichedose.values import Draw

__all__ = ["LEAST_LEFT", "PRIOR_GEOMETRIC_SD", "counting_factor", "draw_spots"]

SMOOTH_SHARE = 0.5  # assumed: half of the variance of the content's error is shared by neighbours, half is not
CONTENT_PITCHES = 2.0  # assumed: how far it is shared
LEAST_LEFT = 0.01  # of a spot's level, when leak explains all of it: shares stay above zero
PRIOR_GEOMETRIC_SD = 3.0  # assumed, of the regression's prior: an equal share of each type
WAVES = 128  # of a smooth field at the spots; its variance scatters by sqrt(2/128) = 13 % between draws


def draw_spots(model: SpotModel, parameters: TissueParameters, draw: Draw) -> SpotModel:
    """``model`` with content, composition, vessels, matrix and the targets' amounts as they may be in this ``draw``.

    The same model where its ``errors`` say nothing (composition and number of cells were counted); in the central run
    only the median leak of the markers is taken out. Cell types hold RNA that differs by the library's spread, the same
    in the whole section: shares of RNA become shares of cells by one factor per type. Means over the section stay.
    """
    errors = model.errors
    if errors is None:
        return model
    change = _content_factor(model, draw, errors.content)
    content = model.content * change
    content = content / content.mean()
    vessel = model.vessel
    if vessel is not None and errors.vessel is not None:
        vessel = vessel * change * _scatter(draw, f"tissue.vessel_counts.{model.sample}", errors.vessel)
        vessel = vessel / vessel.mean()
    matrix = model.matrix
    if errors.matrix is not None:
        scatter = _scatter(draw, f"tissue.matrix_counts.{model.sample}", errors.matrix)
        scale = _scatter(draw, f"tissue.matrix_scale.{model.sample}", np.array([errors.matrix_scale]))
        matrix = np.minimum(matrix * change * scatter * scale, 1.0)
    targets = {
        name: spots if spots.relative is None
        else dataclasses.replace(spots, relative=spots.relative * change / (spots.relative * change).mean())
        for name, spots in model.targets.items()
    }
    return dataclasses.replace(
        model, content=content, composition=_composition(model, errors.composition, parameters, draw), vessel=vessel,
        matrix=matrix, targets=targets, errors=None)


def _content_factor(model: SpotModel, draw: Draw, log_sd: float) -> Array:
    """One factor per spot (n_spots,): partly smooth over the section, partly each spot's own."""
    generator = draw.generator(f"tissue.content.{model.sample}")
    if generator is None or log_sd == 0.0:
        return np.ones(model.n_spots)
    smooth = smooth_at_spots(model, CONTENT_PITCHES, generator)
    own = generator.standard_normal(model.n_spots)
    z = math.sqrt(SMOOTH_SHARE) * smooth + math.sqrt(1.0 - SMOOTH_SHARE) * own
    return np.asarray(np.exp(log_sd * z))


def smooth_at_spots(model: SpotModel, pitches: float, generator: np.random.Generator) -> Array:
    """A Gaussian field (mean 0, variance 1) of a length of some ``pitches`` at the spots (n_spots,)."""
    grid = section_grid(model, model.pitch_um)
    smooth = gaussian_field(grid, pitches * model.pitch_um, generator, WAVES, averaged=False)
    row, column = (((model.xy_um[:, axis] - origin) / grid.spacing_um + 0.5).astype(np.intp)
                   for axis, origin in ((1, grid.origin_um[0]), (0, grid.origin_um[1])))
    return np.asarray(smooth[row, column])


def counting_factor(model: SpotModel, relative_sd: Array, shared_sd: Array, draw: Draw, key: str) -> Array:
    """One factor per spot (n_spots,) from the gamma law of mean 1 that the counts leave: partly each spot's own, partly
    shared by neighbours. A normal variable that is both is turned into the quantile of that law."""
    generator = draw.generator(key)
    if generator is None:
        return np.ones(1)
    shape = 1.0 / relative_sd**2
    shared = (shared_sd / relative_sd) ** 2
    own = generator.standard_normal(len(shape))
    z = np.sqrt(shared) * smooth_at_spots(model, COUNT_PITCHES, generator) + np.sqrt(1.0 - shared) * own
    return np.asarray(gammaincinv(shape, ndtr(z)) / shape)


def _composition(model: SpotModel, errors: TypeErrors | None, parameters: TissueParameters, draw: Draw) -> Array:
    """Shares (n_spots, n_types): each type's by its counts, by what its markers leak, and by the RNA in its cells.

    A type that makes up the share f of the RNA, with markers that all cells express at the part e of its own, shows a
    floor of e/f of its mean level. The section bounds it: no spot can show less. What the regression does not tell of
    a type's scale is left to its prior.
    """
    rna = draw("tissue.rna_per_cell_geometric_sd", parameters.rna_per_cell_geometric_sd)
    if errors is None:
        return model.composition
    shares = model.composition.copy()
    for i, name in enumerate(model.cell_types):
        loose = PRIOR_GEOMETRIC_SD ** math.sqrt(float(errors.untold[i]))
        scale = _one_factor(draw, f"tissue.type_scale.{name}.{model.sample}", loose)
        seen = counting_factor(model, errors.relative_sd[:, i], errors.shared_sd[:, i], draw,
                               f"tissue.composition_counts.{name}.{model.sample}")
        leak = draw(f"tissue.marker_leak.{name}", parameters.marker_leak)
        floor = min(leak / (scale * float(shares[:, i].mean())), float(errors.least[i])) / errors.level[:, i]
        shares[:, i] *= np.maximum(seen - floor, LEAST_LEFT * seen)
        shares[:, i] *= scale * _one_factor(draw, f"tissue.rna_per_cell.{name}", rna)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _one_factor(draw: Draw, key: str, geometric_sd: float) -> float:
    generator = draw.generator(key)
    return 1.0 if generator is None else geometric_sd ** float(generator.standard_normal())


def _scatter(draw: Draw, key: str, log_sd: Array) -> Array:
    """Lognormal factors of mean 1, of the shape of ``log_sd``."""
    generator = draw.generator(key)
    if generator is None:
        return np.ones(log_sd.shape)
    return np.asarray(np.exp(log_sd * generator.standard_normal(log_sd.shape) - 0.5 * log_sd**2))
