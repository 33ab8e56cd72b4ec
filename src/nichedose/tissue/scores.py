"""Gene signatures at each spot or cell: a level with its standard error, what depth and proliferation explain of it,
and no level at all where too little was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import scipy.sparse as sp

from nichedose.fields.grid import Array
from nichedose.tissue.composition import marker_score
from nichedose.tissue.content import Content
from nichedose.tissue.genes import GeneTable

__all__ = ["MIN_COVERAGE", "MIN_SCORE_COUNTS", "NamedGeneList", "SignatureScore", "score_signatures"]

MIN_COVERAGE = 0.5  # share of a list's genes that must have been measured
MIN_SCORE_COUNTS = 50  # of the list over the section; fewer leave 14 % on its mean and nothing for a map
PROLIFERATION = "proliferation"


class NamedGeneList(Protocol):
    """What scoring needs of a signature."""

    @property
    def axis(self) -> str: ...
    @property
    def genes(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, eq=False)
class SignatureScore:
    """One signature at the spots; arrays (n_spots,), None where the score abstains and ``abstained`` says why.

    ``value``: log2 of the level over the section's mean, total counts divided out, noise shrunk over neighbours; ``sd``
    its standard error. ``amount``: log2 of level times the spot's content of cells, that is per tissue instead of per
    transcript, as in the map; spots only. ``adjusted``: what is left of ``value`` after a linear fit on log2 depth and
    on the proliferation score; ``depth_slope`` and ``proliferation_slope`` with their standard errors say how much that
    was.
    """

    name: str
    axis: str
    measured: int
    total: int
    counts: int
    value: Array | None = None
    sd: Array | None = None
    adjusted: Array | None = None
    adjusted_sd: Array | None = None
    depth_slope: tuple[float, float] | None = None
    proliferation_slope: tuple[float, float] | None = None
    abstained: str | None = None
    amount: Array | None = None
    amount_sd: Array | None = None

    @property
    def coverage(self) -> float:
        return self.measured / self.total


def score_signatures(
    signatures: Mapping[str, NamedGeneList],
    table: GeneTable,
    depth: Array,
    graph: sp.csr_matrix,
    *,
    min_coverage: float = MIN_COVERAGE,
    content: Content | None = None,
) -> dict[str, SignatureScore]:
    """Score every list of ``signatures``; ``depth`` (n_spots,) total counts, ``graph`` the neighbours of each spot.

    A list of which fewer than ``min_coverage`` of the genes were measured, or with fewer than `MIN_SCORE_COUNTS`
    counts, abstains: it has no value, not the value zero. ``content`` of spots gives amounts beside levels.
    """
    raw = {name: _raw(name, s, table, depth, graph, min_coverage) for name, s in signatures.items()}
    proliferation = next((s for s in raw.values() if s.name == PROLIFERATION and s.value is not None), None)
    adjusted = {name: _adjusted(s, depth, proliferation) for name, s in raw.items()}
    return adjusted if content is None else {name: _with_amount(s, content) for name, s in adjusted.items()}


def _with_amount(score: SignatureScore, content: Content) -> SignatureScore:
    if score.value is None or score.sd is None:
        return score
    return replace(score, amount=score.value + np.log2(content.relative),
                   amount_sd=np.hypot(score.sd, content.log_sd / np.log(2.0)))


def _raw(
    name: str, signature: NamedGeneList, table: GeneTable, depth: Array, graph: sp.csr_matrix, min_coverage: float
) -> SignatureScore:
    wanted = {table.symbol(g) for g in signature.genes}
    measured = table.measured(signature.genes)
    counts = round(sum(float(table.columns[g].sum()) for g in measured))
    plain = SignatureScore(name, signature.axis, len(measured), len(wanted), counts)
    if plain.coverage < min_coverage:
        return _abstain(plain, f"{len(measured)} of {len(wanted)} genes were measured; at least "
                               f"{min_coverage:.0%} are needed".replace("%", " %"))
    if counts < MIN_SCORE_COUNTS:
        return _abstain(plain, f"{counts} counts in all; at least {MIN_SCORE_COUNTS} are needed")
    shrunk = marker_score(signature.genes, table, depth, graph)
    assert shrunk is not None  # counts were found above
    sd = np.sqrt(np.log1p(shrunk.relative_sd**2)) / np.log(2.0)  # of a lognormal law with that relative deviation
    return SignatureScore(name, signature.axis, len(measured), len(wanted), counts, np.log2(shrunk.rate), sd)


def _abstain(score: SignatureScore, reason: str) -> SignatureScore:
    return SignatureScore(score.name, score.axis, score.measured, score.total, score.counts, abstained=reason)


def _adjusted(score: SignatureScore, depth: Array, proliferation: SignatureScore | None) -> SignatureScore:
    """Least squares on log2 depth and proliferation; the covariate's own error is carried into ``adjusted_sd``."""
    if score.value is None or score.sd is None:
        return score
    columns = [np.log2(depth)]
    with_proliferation = proliferation is not None and score.axis != PROLIFERATION
    if proliferation is not None and proliferation.value is not None and with_proliferation:
        columns.append(proliferation.value)
    x = np.stack([c - c.mean() for c in columns], axis=1)
    varies = x.std(axis=0) > 1e-12
    slopes, errors = np.zeros(len(columns)), np.zeros(len(columns))
    if varies.any() and len(x) > len(columns) + 1:
        part = x[:, varies]
        centred = score.value - score.value.mean()
        slopes[varies] = np.linalg.lstsq(part, centred, rcond=None)[0]
        residual = centred - x @ slopes
        variance = float(residual @ residual) / max(len(x) - part.shape[1] - 1, 1)
        errors[varies] = np.sqrt(variance * np.diag(np.linalg.pinv(part.T @ part)))
    extra = np.zeros(len(x))
    if proliferation is not None and proliferation.sd is not None and with_proliferation:
        extra = slopes[1] * proliferation.sd
    return SignatureScore(
        score.name, score.axis, score.measured, score.total, score.counts, score.value, score.sd,
        adjusted=score.value - x @ slopes,
        adjusted_sd=np.hypot(score.sd, extra),
        depth_slope=(float(slopes[0]), float(errors[0])),
        proliferation_slope=(float(slopes[1]), float(errors[1])) if with_proliferation else None,
    )
