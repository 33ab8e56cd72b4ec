"""From a case's choice of answers to the change that one cycle brings."""

from __future__ import annotations

from collections.abc import Sequence

from nichedose.case import Answer
from nichedose.library.partners import TumourAnswer
from nichedose.tissue.answer import CycleAnswer
from nichedose.values import Draw

__all__ = ["cycle_answer"]


def cycle_answer(chosen: Sequence[Answer], values: TumourAnswer, cycle: int, draw: Draw) -> CycleAnswer:
    """What changes before ``cycle`` (1 is the second); damage's rise and the vessels' change come once, before it."""
    def take(name: str) -> float:
        return draw(f"answer.{name}", getattr(values, name))

    target = 1.0
    if "targets_decline" in chosen:
        uptake = [1.0, take("uptake_cycle_2"), take("uptake_cycle_3"), take("uptake_cycle_4")]
        target *= uptake[min(cycle, 3)] / uptake[min(cycle - 1, 3)]
    if "damage_changes_target" in chosen and cycle == 1:
        target *= take("damage_target_factor")
    return CycleAnswer(
        target_factor=target,
        dead_cleared_fraction=take("dead_cleared_fraction") if "dead_cells_clear" in chosen else 0.0,
        hypoxia_target_loss=take("hypoxia_target_loss") if "hypoxia_loses_target" in chosen else 0.0,
        vessel_factor=take("vessel_factor_per_cycle") if "vessels_change" in chosen and cycle == 1 else 1.0,
    )
