"""The order of candidates over joint draws, and how sure it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from nichedose.errors import BadInput, NotComputed, near_miss
from nichedose.fields.grid import Array, BoolArray

__all__ = ["RankedCandidate", "Ranking", "non_dominated", "probability_interval", "rank"]


@dataclass(frozen=True)
class RankedCandidate:
    """One candidate's place. ``rank`` counts from 1, equal medians share it; None when it was evaluable in no draw.

    ``probability_best`` over the draws in which any candidate was evaluable (ties shared), with its binomial
    ``standard_error`` and a Jeffreys ``interval`` of 95 %, which does not claim certainty where all draws agree.
    ``expected_regret`` is the mean of what the best candidate of a draw gains over this one, over the draws in which
    this one was evaluable.
    """

    name: str
    rank: int | None
    median: float | None
    probability_best: float | None
    standard_error: float | None
    interval: tuple[float, float] | None
    expected_regret: float | None
    evaluable_fraction: float | None


@dataclass(frozen=True)
class Ranking:
    """Candidates in order. ``beats[i, j]``: share of draws in which i is above j (ties half), NaN for none."""

    candidates: tuple[RankedCandidate, ...]
    beats: Array
    n_draws: int

    @property
    def order(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.candidates)

    def __getitem__(self, name: str) -> RankedCandidate:
        for candidate in self.candidates:
            if candidate.name == name:
                return candidate
        raise NotComputed(f"'{name}' was not ranked.{near_miss(name, self.order)}")

    def probability_beats(self, first: str, second: str) -> float:
        """Share of draws, among those in which both were evaluable, in which ``first`` is above ``second``."""
        return float(self.beats[self.order.index(self[first].name), self.order.index(self[second].name)])


def rank(samples: Mapping[str, Array], central: Mapping[str, float] | None = None) -> Ranking:
    """Rank candidates by the median of an objective that is better when larger (log kill).

    ``samples[name]`` (n_draws,) over the *same* draws for all; NaN means not evaluable in that draw. Without draws
    the order is that of ``central``, and there are no probabilities.
    Raises `BadInput` for unequal lengths or infinite values.
    """
    names = list(samples)
    table = _table(samples)
    n_draws = table.shape[1]
    if n_draws == 0:
        central = central or {}
        medians = np.array([central.get(name, np.nan) for name in names], dtype=float)
    else:
        medians = np.array([np.median(row[~np.isnan(row)]) if (~np.isnan(row)).any() else np.nan for row in table])
    order = sorted(range(len(names)), key=lambda i: (np.isnan(medians[i]), -np.nan_to_num(medians[i])))
    places = [None if np.isnan(medians[i]) else 1 + int(np.sum(medians > medians[i])) for i in order]
    statistics = _statistics(table) if n_draws else [(None,) * 5] * len(names)
    ranked = tuple(
        RankedCandidate(names[i], place, None if place is None else float(medians[i]), *statistics[i])
        for i, place in zip(order, places, strict=True)
    )
    return Ranking(ranked, _beats(table[order]), n_draws)


def probability_interval(probability: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Jeffreys interval of a share seen in ``n`` draws; its outer end is the exact 0 or 1 at the extremes.

    >>> [round(x, 3) for x in probability_interval(1.0, 32)]
    [0.925, 1.0]
    """
    if n < 1 or not 0.0 <= probability <= 1.0:
        raise BadInput(f"A share of {probability:g} in {n} draws has no interval; give 0 to 1, and a draw or more.")
    hits, tail = probability * n, 0.5 * (1.0 - level)
    low = 0.0 if probability == 0.0 else float(beta.ppf(tail, hits + 0.5, n - hits + 0.5))
    high = 1.0 if probability == 1.0 else float(beta.ppf(1.0 - tail, hits + 0.5, n - hits + 0.5))
    return low, high


def non_dominated(gain: Mapping[str, float], burden: Mapping[str, float]) -> tuple[str, ...]:
    """Candidates to which no other one is at least equal in both and better in one; order as in ``gain``.

    More ``gain`` is better, less ``burden`` is better; candidates without finite numbers are left out.
    """
    if set(gain) != set(burden):
        raise BadInput(f"Gain and burden must name the same candidates; got {sorted(gain)} and {sorted(burden)}.")
    known = [name for name in gain if np.isfinite(gain[name]) and np.isfinite(burden[name])]

    def beaten(name: str) -> bool:
        return any(
            gain[other] >= gain[name] and burden[other] <= burden[name]
            and (gain[other] > gain[name] or burden[other] < burden[name])
            for other in known
        )

    return tuple(name for name in known if not beaten(name))


def _table(samples: Mapping[str, Array]) -> Array:
    rows = [np.asarray(v, dtype=float) for v in samples.values()]
    if not rows:
        raise BadInput("There is no candidate to rank.")
    if any(row.ndim != 1 or row.shape != rows[0].shape for row in rows):
        raise BadInput("Every candidate needs one value per draw, for the same draws; got shapes "
                       f"{ {name: np.shape(v) for name, v in samples.items()} }.")
    table = np.stack(rows)
    if np.isinf(table).any():
        raise BadInput("A ranking takes finite numbers, or NaN for 'not evaluable in this draw'; got an infinite one.")
    return table


_Statistics = tuple[float | None, float | None, tuple[float, float] | None, float | None, float | None]


def _statistics(table: Array) -> list[_Statistics]:
    """Per candidate: probability of being best, its error and interval, expected regret, evaluable fraction."""
    evaluable: BoolArray = ~np.isnan(table)
    counted = evaluable.any(axis=0)
    n = int(counted.sum())
    best = np.max(np.where(evaluable, table, -np.inf), axis=0)
    winners = evaluable & (table == best)
    share = winners / np.maximum(winners.sum(axis=0), 1)
    out: list[_Statistics] = []
    for i, mine in enumerate(evaluable):
        if not mine.any():
            out.append((None, None, None, None, 0.0))
            continue
        p = min(float(share[i].sum()) / n, 1.0)
        regret = float(np.mean(best[mine] - table[i, mine]))
        out.append((p, float(np.sqrt(p * (1.0 - p) / n)), probability_interval(p, n), regret, float(mine.mean())))
    return out


def _beats(table: Array) -> Array:
    first, second = table[:, None, :], table[None, :, :]
    both = ~np.isnan(first) & ~np.isnan(second)
    wins = np.sum(both & (first > second), axis=2) + 0.5 * np.sum(both & (first == second), axis=2)
    together = both.sum(axis=2)
    return np.asarray(np.divide(wins, together, out=np.full(wins.shape, np.nan), where=together > 0), dtype=float)
