"""Combinations of agents in a case: what they default to, and what is refused."""

from __future__ import annotations

import pytest

from nichedose.case import parse_case
from nichedose.errors import BadInput

START = """
title = "t"
tumour = "prostate"
[[sections]]
path = "x"
[lesion]
diameter = "10 mm"
[output]
folder = "out"
[[candidates]]
agent = "177Lu-PSMA-617"
[[combinations]]
"""
PAIR = 'agents = ["177Lu-PSMA-617", "177Lu-FAP-2286"]\ncycles = 2\ninterval = "6 wk"\n'


def test_a_combination_is_named_after_its_agents() -> None:
    [pair] = parse_case(START + PAIR).combinations
    assert pair.name == "177Lu-PSMA-617 + 177Lu-FAP-2286" and pair.split is None and pair.interval == 1008.0
    [named] = parse_case(START + PAIR + 'label = "both"\noffsets = ["0 h", "1 d"]\nsplit = [0.3, 0.7]').combinations
    assert named.name == "both" and named.offsets == (0.0, 24.0)


@pytest.mark.parametrize(("text", "words"), [
    (PAIR + "split = [0.5, 0.6]", "sum to 1"),
    (PAIR + "split = [1.0]", "1 numbers for 2 agents"),
    (PAIR + "split = [-0.5, 1.5]", "above 0"),
    (PAIR + "split = [nan, 1.0]", "split"),
    (PAIR + 'offsets = ["0 h", "6 wk"]', "overlap impossibly"),
    (PAIR + 'offsets = ["0 h", "-1 h"]', "below the smallest"),
    (PAIR + "offsets = [0, 1]", "no unit"),
    (PAIR.replace('"177Lu-FAP-2286"', '"177Lu-PSMA-617"'), "stands twice"),
    (PAIR.replace(', "177Lu-FAP-2286"', ""), "at least 2"),
    (PAIR.replace('"6 wk"', '"6"'), "no unit"),
    (PAIR.replace("cycles = 2", "cycles = 0"), "greater than or equal to 1"),
    (PAIR + 'label = "177Lu-PSMA-617"', "named twice"),
])
def test_combinations_that_make_no_sense(text: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        parse_case(START + text)
