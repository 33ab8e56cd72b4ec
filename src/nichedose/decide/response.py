"""What a lesion answers in one draw, reduced to the few numbers per voxel that any course of its agents needs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array

__all__ = ["BEARING", "LACKING", "AgentResponse", "LesionResponse", "OrganTerm"]

BEARING, LACKING = 0, 1  # rows of an agent's arrays: tumour cells that bear its target, and those that do not


@dataclass(frozen=True)
class OrganTerm:
    """One organ against one limit: an administration of A MBq counts ``per_MBq`` A + ``per_MBq2`` A^2 Gy towards it."""

    organ: str
    quantity: str
    per_MBq: float
    per_MBq2: float
    limit_Gy: float
    prior_Gy: float


@dataclass(frozen=True)
class AgentResponse:
    """One agent in one draw: an administration of A MBq, alone, leaves exp(-linear A - quadratic A^2) of the cells.

    ``linear`` (2, n) per MBq and ``quadratic`` (2, n) per MBq^2, for cells that bear ``target`` and those that lack it,
    hold RBE, oxygen and protraction. ``times_h`` (nt,) and ``rate_per_h`` (nt,) are the section's mean course of dose
    rate; two administrations share unrepaired damage where their courses overlap. ``missing`` says which organ data
    lack; then no limit can be applied.
    """

    name: str
    target: str
    linear: Array
    quadratic: Array
    mean_dose_Gy_per_MBq: float
    prescribed_MBq: float
    times_h: Array
    rate_per_h: Array
    organs: tuple[OrganTerm, ...] = ()
    missing: str = ""


@dataclass(frozen=True)
class LesionResponse:
    """One draw: agents by name, ``clonogens`` (n,) per voxel in any common unit, the share that bears each target.

    ``clonogens_in_lesion`` is their number in the whole lesion, None where the case does not state a density.
    """

    agents: Mapping[str, AgentResponse]
    clonogens: Array
    bearing: Mapping[str, float]
    repair_rate_per_h: float
    clonogens_in_lesion: float | None = None

    def __post_init__(self) -> None:
        n = self.clonogens.shape
        if len(n) != 1 or not n[0] or not np.isfinite(self.clonogens).all() or not bool((self.clonogens > 0.0).all()):
            raise BadInput("A lesion's response needs clonogens above 0 in at least one voxel.")
        for agent in self.agents.values():
            if not 0.0 <= self.bearing.get(agent.target, -1.0) <= 1.0:
                raise BadInput(f"{agent.name}: the share of cells that bear {agent.target} must lie in 0 to 1.")
            for name in ("linear", "quadratic"):
                values = getattr(agent, name)
                if values.shape != (2, *n) or not np.isfinite(values).all() or bool((values < 0.0).any()):
                    raise BadInput(f"{agent.name}: {name} must be finite, not negative, of shape {(2, *n)}; got shape "
                                   f"{values.shape}.")

    def __getitem__(self, name: str) -> AgentResponse:
        if name not in self.agents:
            raise BadInput(f"'{name}' is not among the agents of this lesion.{near_miss(name, self.agents)}")
        return self.agents[name]

    def groups(self, agents: Sequence[str]) -> list[tuple[float, dict[str, int]]]:
        """Classes of tumour cells that ``agents`` tell apart: share of the cells, and the row of each target.

        Whether a cell bears one target is taken as independent of whether it bears another.
        """
        targets = list(dict.fromkeys(self[name].target for name in agents))
        found = []
        for rows in itertools.product((BEARING, LACKING), repeat=len(targets)):
            shares = [self.bearing[t] if row == BEARING else 1.0 - self.bearing[t]
                      for t, row in zip(targets, rows, strict=True)]
            share = float(np.prod(shares))
            if share > 0.0:
                found.append((share, dict(zip(targets, rows, strict=True))))
        return found
