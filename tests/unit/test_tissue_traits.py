"""Scores that may shift sensitivity: standardised, and left out where nothing was measured."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from tissue_cases import ALIASES, CELL_TYPES, SIGNATURES, TARGETS, made_section

from nichedose.tissue import model_section


def test_scores_are_standardised_and_follow_their_genes() -> None:
    made = made_section()
    signatures = {**SIGNATURES, "dna_repair_hr": SimpleNamespace(genes=CELL_TYPES["tumour"].markers),
                  "proliferation": SimpleNamespace(genes=("NOT", "MEASURED"))}
    model = model_section(made.assay, CELL_TYPES, TARGETS, signatures, ALIASES)
    assert set(model.traits) == {"dna_repair"}
    score = model.traits["dna_repair"]
    assert score.mean() == pytest.approx(0.0, abs=1e-12) and score.std() == pytest.approx(1.0)
    assert np.corrcoef(score, made.fractions[:, 0])[0, 1] > 0.5


def test_nothing_measured_nothing_shifted() -> None:
    assert model_section(made_section().assay, CELL_TYPES, TARGETS, SIGNATURES, ALIASES).traits == {}
