"""Uptake per gram in dissected organs over time: what a biodistribution study of mice reports."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from nichedose.body.measured import BLOOD, MeasuredActivity
from nichedose.errors import BadInput, near_miss

__all__ = ["Biodistribution", "Uptake"]

MOST_OF_INJECTED = 1.3  # organs' masses are not measured ones, so their sum may exceed 100 % by that much
LARGEST_SD = 1.0


@dataclass(frozen=True)
class Uptake:
    """``percent_per_g`` of the injected activity per gram of ``organ`` at ``time_h``; mean, sd and number of animals.

    ``sd`` None: not reported. Raises `BadInput` for values that cannot be.
    """

    organ: str
    time_h: float
    percent_per_g: float
    sd: float | None = None
    animals: int | None = None

    def __post_init__(self) -> None:
        where = f"Uptake in '{self.organ}'"
        if not (math.isfinite(self.time_h) and self.time_h > 0.0):
            raise BadInput(f"{where}: the time after injection must be above 0 h; got {self.time_h}.")
        if not (math.isfinite(self.percent_per_g) and self.percent_per_g >= 0.0):
            raise BadInput(f"{where} at {self.time_h:g} h: %ID/g must be finite and not negative; got "
                           f"{self.percent_per_g}.")
        if self.sd is not None and not (math.isfinite(self.sd) and self.sd >= 0.0):
            raise BadInput(f"{where} at {self.time_h:g} h: the sd must be finite and not negative; got {self.sd}.")
        if self.animals is not None and self.animals < 1:
            raise BadInput(f"{where} at {self.time_h:g} h: {self.animals} animals; at least one was measured.")

    def relative_error(self, without: float) -> float:
        """Standard error of the mean over the mean; ``without`` where no sd was reported."""
        if not self.sd or self.percent_per_g == 0.0:
            return without
        return min(self.sd / math.sqrt(self.animals or 1) / self.percent_per_g, LARGEST_SD)


@dataclass(frozen=True)
class Biodistribution:
    """All ``points`` of one experiment. ``decay_corrected``: whether they were corrected to the time of injection.

    Raises `BadInput` where there is no kinetics in it (fewer than two times), or a point stands twice.

    >>> table = Biodistribution((Uptake("kidney", 1.0, 97.2), Uptake("kidney", 24.0, 0.58)), decay_corrected=True)
    >>> table.organs
    ('kidney',)
    """

    points: tuple[Uptake, ...]
    decay_corrected: bool

    def __post_init__(self) -> None:
        if not isinstance(self.decay_corrected, bool):
            raise BadInput("Biodistribution: decay_corrected must be true (values are corrected to the time of "
                           f"injection) or false (as counted); got {self.decay_corrected!r}.")
        times = {p.time_h for p in self.points}
        if len(times) < 2:
            raise BadInput(f"Biodistribution: {len(times)} time point(s); kinetics needs at least two.")
        places = [(p.organ, p.time_h) for p in self.points]
        twice = next((p for p in places if places.count(p) > 1), None)
        if twice is not None:
            raise BadInput(f"Biodistribution: '{twice[0]}' at {twice[1]:g} h stands twice. Give means over the "
                           "animals of a time, with sd and number.")

    @property
    def organs(self) -> tuple[str, ...]:
        """In order of appearance."""
        return tuple(dict.fromkeys(p.organ for p in self.points))

    def of(self, organ: str) -> tuple[Uptake, ...]:
        """Points above 0 of one organ, in order of time; a 0 is below what the table resolves."""
        mine = (p for p in self.points if p.organ == organ and p.percent_per_g > 0.0)
        return tuple(sorted(mine, key=lambda p: p.time_h))

    @property
    def fitted_points(self) -> tuple[Uptake, ...]:
        """All points above 0, organ after organ."""
        return tuple(p for organ in self.organs for p in self.of(organ))

    def corrected(self, point: Uptake, decay_per_h: float) -> float:
        """%ID/g corrected to the time of injection."""
        return point.percent_per_g * (1.0 if self.decay_corrected else math.exp(decay_per_h * point.time_h))

    def refuse_impossible(self, mass_g: Mapping[str, float], decay_per_h: float) -> None:
        """Raise `BadInput` for organs that ``mass_g`` (of the mouse, tumours included) lacks, and for more activity
        than was injected."""
        for organ in self.organs:
            if organ not in mass_g and organ != BLOOD:
                known = near_miss(organ, [*mass_g, BLOOD])
                raise BadInput(f"Biodistribution: the mouse has no organ '{organ}'.{known}")
        for time in sorted({p.time_h for p in self.points}):
            found = {p.organ: self.corrected(p, decay_per_h) * mass_g[p.organ]
                     for p in self.points if p.time_h == time and p.organ != BLOOD}
            if sum(found.values()) > 100.0 * MOST_OF_INJECTED:
                most = max(found, key=lambda o: found[o])
                raise BadInput(
                    f"Biodistribution at {time:g} h: the organs hold {sum(found.values()):.0f} % of what was injected, "
                    f"'{most}' alone {found[most]:.0f} %. Are the values per cent per gram (%ID/g), not per organ "
                    "(%ID)? Or is the weight of the mouse or the tumour wrong, or decay_corrected?")

    def measured(self, relative_error: float) -> tuple[MeasuredActivity, ...]:
        """Each point above 0 as a series of its own, because each has its own error; 1 g/mL.

        ``relative_error`` stands in for the error of points without sd (assumed).
        """
        return tuple(
            MeasuredActivity(p.organ, (p.time_h,), (p.percent_per_g,), unit="%IA/mL",
                             decay_corrected=self.decay_corrected, relative_sd=p.relative_error(relative_error))
            for p in self.fitted_points)
