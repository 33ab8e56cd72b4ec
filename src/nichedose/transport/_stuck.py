"""What to tell where the step size of a run fell to nothing: the time, the cause, the place, the residual."""

from __future__ import annotations

from collections.abc import Sequence

from nichedose.errors import DidNotConverge
from nichedose.fields.grid import Array

__all__ = ["BELOW_ZERO", "CAUSES", "STAGE", "place", "stuck", "worst"]

STAGE = "a stage"  # the cause where no error could be taken, because a stage did not converge
BELOW_ZERO = "amounts below 0"
CAUSES = ("the state", BELOW_ZERO, "the area under the plasma curve", "the balance of a label")


def worst(found: Sequence[float], allowed: Sequence[float]) -> tuple[float, str]:
    """Largest of the four errors of a step in units of the allowed one, and which it is."""
    ratios = [f / a for f, a in zip(found, allowed, strict=True)]
    most = max(range(len(ratios)), key=lambda n: ratios[n] if ratios[n] == ratios[n] else float("inf"))
    return ratios[most], CAUSES[most]


def place(species: str, index: Sequence[int], lines_um: Sequence[Array]) -> str:
    """``index`` on the user's grid; ``lines_um`` the centres of the cells along each of its axes."""
    at = ", ".join(f"{line[i]:.4g}" for i, line in zip(index, lines_um, strict=True))
    return f"{species} of cell [{', '.join(str(int(i)) for i in index)}] (at {at} um)"


def stuck(
    time_h: float, end_h: float, step_h: float, cause: str, error: float, residual: float, allowed: float, where: str,
    fastest: str,
) -> DidNotConverge:  # fmt: skip
    """The error to raise. ``residual`` of the stage solved last, and what it may be; ``where`` it, or the error, is
    largest ('' where the error has no place)."""
    if cause == STAGE:
        why = f"a stage did not converge: its residual is {residual:.2g}, allowed {allowed:.2g}, largest for {where}"
    else:
        why = f"the error in {cause} stayed {error:.3g} times the allowed one (stages converged)"
        why += f", largest for {where}" if where else ""
    return DidNotConverge(
        f"The transport solver stopped at {time_h:.4g} h of {end_h:g} h, with steps down to {step_h:.2g} h: {why}. The "
        f"fastest binding is {fastest}. Check the rates and fields there, or loosen the tolerance."
    )
