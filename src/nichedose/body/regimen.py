"""What is given, and when."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nichedose.errors import BadInput

__all__ = ["Injection", "Regimen", "TargetChange", "cycles"]


@dataclass(frozen=True)
class Injection:
    """``ligand_nmol`` (labelled and not) from ``start_h`` on over ``duration_h`` (0: at once), with ``activity_MBq``.

    Activity 0 is a cold pre-dose; ``species`` 'competitor' another molecule for the same sites. Raises `BadInput`.
    """

    ligand_nmol: float
    activity_MBq: float = 0.0
    start_h: float = 0.0
    duration_h: float = 0.0
    species: str = "ligand"

    def __post_init__(self) -> None:
        for name in ("ligand_nmol", "activity_MBq", "start_h", "duration_h"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0.0):
                raise BadInput(f"Injection: {name} must be finite and at or above 0; got {value}.")
        if self.ligand_nmol == 0.0:
            raise BadInput("Injection: ligand_nmol is 0; even carrier-free activity has a mass. Give it in nmol.")
        if self.species not in ("ligand", "competitor"):
            raise BadInput(f"Injection: species must be 'ligand' or 'competitor'; got '{self.species}'.")
        if self.species == "competitor" and self.activity_MBq > 0.0:
            raise BadInput("Injection: a competitor carries no activity here; a second labelled form is a second run.")


@dataclass(frozen=True)
class TargetChange:
    """From ``start_h`` on, the tumours' sites are ``factor`` times what they were at first."""

    start_h: float
    factor: float


@dataclass(frozen=True)
class Regimen:
    """Injections, spans of amino-acid infusion (start, end in h), and changes of the tumours' target."""

    injections: tuple[Injection, ...]
    amino_acids_h: tuple[tuple[float, float], ...] = ()
    target_changes: tuple[TargetChange, ...] = ()

    def __post_init__(self) -> None:
        if not any(i.species == "ligand" for i in self.injections):
            raise BadInput("Regimen: no injection of the ligand.")
        for start, end in self.amino_acids_h:
            if not (0.0 <= start < end < math.inf):
                raise BadInput(f"Regimen: amino acids must run from a time at or after 0 h to a later one; got {start} "
                               f"to {end} h. Shift all times where the infusion begins before the injection.")
        for change in self.target_changes:
            if not (math.isfinite(change.start_h) and change.start_h >= 0.0 and 0.0 <= change.factor < math.inf):
                raise BadInput(f"Regimen: a target change needs a time and a factor at or above 0; got {change}.")

    @property
    def labelled(self) -> tuple[Injection, ...]:
        """Injections of the ligand, in order of their start."""
        return tuple(sorted((i for i in self.injections if i.species == "ligand"), key=lambda i: i.start_h))


def cycles(
    activity_MBq: float, ligand_nmol: float, *, number: int = 1, interval_h: float = 1008.0, duration_h: float = 0.25,
    split: int = 1, split_interval_h: float = 24.0, target_factors: tuple[float, ...] = (),
    amino_acids: tuple[float, float] | None = None,
) -> Regimen:
    """``number`` cycles, each in ``split`` equal parts; ``amino_acids`` (hours from the start, length) with every part.

    ``target_factors`` gives the tumours' sites in each cycle relative to the first. Raises `BadInput`.

    >>> len(cycles(7400.0, 57.0, number=2, split=2).injections)
    4
    """
    if number < 1 or split < 1:
        raise BadInput(f"A regimen has at least one cycle of one part; got {number} and {split}.")
    if target_factors and len(target_factors) != number:
        raise BadInput(f"target_factors names {len(target_factors)} cycles, the regimen has {number}.")
    lead = max(-amino_acids[0], 0.0) if amino_acids is not None else 0.0
    starts = [lead + c * interval_h + s * split_interval_h for c in range(number) for s in range(split)]
    return Regimen(
        injections=tuple(Injection(ligand_nmol / split, activity_MBq / split, t, duration_h) for t in starts),
        amino_acids_h=() if amino_acids is None else tuple(
            (t + amino_acids[0], t + amino_acids[0] + amino_acids[1]) for t in starts),
        target_changes=tuple(TargetChange(lead + c * interval_h, f) for c, f in enumerate(target_factors)),
    )
