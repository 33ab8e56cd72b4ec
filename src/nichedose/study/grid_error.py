"""What the coarser grid of the draws costs, in words."""

from __future__ import annotations

from nichedose.case import Mode
from nichedose.study.samples import Samples

__all__ = ["grid_error_in_words"]


def grid_error_in_words(samples: Samples, mode: Mode, fine_um: float) -> tuple[str, ...]:
    """One sentence where draws were repeated on the fine grid, else none."""
    if not samples.full_draws:
        return ()
    spreads = {name: e["log_kill_spread"] for name, e in samples.grid_error.items() if "log_kill_spread" in e}
    if not spreads:
        return ()
    worst = max(spreads, key=lambda name: spreads[name])
    same = "" if samples.same_winner is None else (
        f" Both grids have the same best candidate ({mode.replace('_', ' ')}) in {100 * samples.same_winner:.0f} % of "
        "them.")
    return (f"{samples.full_draws} draws were repeated on the {fine_um:g}-um grid: after the mean correction, log kill "
            f"of a draw is off by {100 * sorted(spreads.values())[len(spreads) // 2]:.2g} % (median candidate) to "
            f"{100 * spreads[worst]:.2g} % ({worst}); that error is part of the intervals.{same}",)
