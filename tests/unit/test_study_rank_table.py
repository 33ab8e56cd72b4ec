"""The table of a ranking: what it shows only where there is something to say."""

from __future__ import annotations

import numpy as np

from nichedose.decide import DecisionTable, make_decision
from nichedose.decide.outcome import OBJECTIVES
from nichedose.study.rank_parts import ranking_part


def head(missing: float) -> tuple[tuple[str, ...], dict[str, object]]:
    """Two candidates in four draws, one of which the second cannot be evaluated in where ``missing`` is NaN."""
    kills = {"a": np.array([3.0, 3.0, 2.0, 4.0]), "b": np.array([1.0, missing, 1.0, 2.0])}
    table = DecisionTable("as_prescribed", {n: dict.fromkeys(OBJECTIVES, k) for n, k in kills.items()}, {},
                          {n: np.ones(4) for n in kills}, {})
    [shown] = ranking_part(table, make_decision(table, "log_kill", ())).tables
    return shown.head, {str(row[0]): row for row in shown.rows}


def test_the_share_of_draws_stands_where_it_is_not_all() -> None:
    columns, rows = head(float("nan"))
    at = columns.index("draws evaluated")
    assert [row[at] for row in rows.values()] == ["100 %", "75 %"]  # type: ignore[index]


def test_no_column_where_every_draw_was_evaluated() -> None:
    assert "draws evaluated" not in head(1.5)[0]
