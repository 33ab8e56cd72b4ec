"""Signature scores: depth divided out, errors stated, covariates fitted, abstention where too little was measured."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
from tissue_cases import hexagonal

from nichedose.tissue import SpatialAssay
from nichedose.tissue.genes import gene_table
from nichedose.tissue.scores import SignatureScore, score_signatures
from nichedose.tissue.shrink import neighbour_graph, shrink_counts

XY = hexagonal(24, 24)
GENES = (*(f"S{i}" for i in range(8)), *(f"P{i}" for i in range(6)), *(f"F{i}" for i in range(300)))
LISTS = {
    "signal": SimpleNamespace(axis="made", genes=GENES[:8]),
    "proliferation": SimpleNamespace(axis="proliferation", genes=GENES[8:14]),
    "half": SimpleNamespace(axis="made", genes=(*GENES[:4], "X0", "X1", "X2", "X3", "X4")),
    "gone": SimpleNamespace(axis="made", genes=("X0", "X1")),
}


def scored(
    *, depth_gsd: float = 1.0, scale: float = 1.0, level: np.ndarray | None = None, seed: int = 0,
    proliferation: np.ndarray | None = None,
) -> tuple[dict[str, SignatureScore], np.ndarray]:
    rng = np.random.default_rng(seed)
    depth = scale * np.exp(np.log(depth_gsd) * rng.standard_normal(len(XY)))
    mean = np.full((len(XY), len(GENES)), 3.0)
    if level is not None:
        mean[:, :8] *= level[:, None]
    if proliferation is not None:
        mean[:, 8:14] *= proliferation[:, None]
    counts = rng.poisson(mean * depth[:, None]).astype(float)
    assay = SpatialAssay(
        counts=sp.csr_matrix(counts), genes=GENES, xy_um=XY, barcodes=tuple(map(str, range(len(XY)))), pitch_um=100.0,
        spot_diameter_um=55.0, lattice="hexagonal", kind="made", sample="made", scale_evidence="made")
    table = gene_table(assay, [g for s in LISTS.values() for g in s.genes], {})
    total = counts.sum(axis=1)
    return score_signatures(LISTS, table, total, neighbour_graph(XY, 100.0)), total


def wave() -> np.ndarray:
    return np.exp(0.7 * np.sin(XY[:, 0] / 250.0))


def test_depth_does_not_make_a_signal() -> None:
    """Depth that varies threefold, no signal: the score is flat, and its slope on depth is none."""
    found, total = scored(depth_gsd=1.7)
    signal = found["signal"]
    assert signal.value is not None and signal.depth_slope is not None
    assert abs(np.corrcoef(signal.value, np.log(total))[0, 1]) < 0.15
    assert abs(signal.depth_slope[0]) < 0.02


@pytest.mark.parametrize("scale", [1.0, 0.3, 0.1])
def test_a_signal_comes_back_within_its_error(scale: float) -> None:
    """Two standard errors hold the truth in most spots, at every depth."""
    truth = np.log2(wave() / np.average(wave()))
    found, _ = scored(depth_gsd=1.5, scale=scale, level=wave())
    signal = found["signal"]
    assert signal.value is not None and signal.sd is not None
    # the signal is part of the depth that is divided out: 8 of 314 genes, which takes a fortieth of it away
    off = np.abs(signal.value - 0.975 * truth) / signal.sd
    assert np.mean(off < 2.0) > 0.85
    assert np.corrcoef(signal.value, truth)[0, 1] > (0.95, 0.85, 0.65)[(1.0, 0.3, 0.1).index(scale)]


def test_proliferation_is_told_apart() -> None:
    """A signal that is half proliferation: the adjusted score no longer follows it."""
    cycle = np.exp(0.8 * np.sin(XY[:, 1] / 200.0))
    found, _ = scored(level=cycle**0.5 * wave(), proliferation=cycle)
    signal, proliferation = found["signal"], found["proliferation"]
    assert signal.value is not None and signal.adjusted is not None and proliferation.value is not None
    assert signal.adjusted_sd is not None and signal.sd is not None
    before = np.corrcoef(signal.value, proliferation.value)[0, 1]
    after = np.corrcoef(signal.adjusted, proliferation.value)[0, 1]
    assert before > 0.3 and abs(after) < 0.05
    assert (signal.adjusted_sd >= signal.sd).all()
    assert proliferation.proliferation_slope is None


def test_too_few_genes_give_no_score() -> None:
    found, _ = scored()
    for name in ("half", "gone"):
        assert found[name].value is None and found[name].adjusted is None
        assert "genes were measured" in str(found[name].abstained)
    assert found["half"].coverage == pytest.approx(4 / 9)


def test_too_few_counts_give_no_score() -> None:
    found, _ = scored(scale=0.003)
    assert found["signal"].value is None and "counts in all" in str(found["signal"].abstained)


def test_the_error_of_a_rate_holds_the_truth() -> None:
    """Posterior of one sparse gene, at three depths: truth within 1.64 relative deviations in most spots."""
    graph = neighbour_graph(XY, 100.0)
    for scale in (3.0, 1.0, 0.3):
        rng = np.random.default_rng(int(10 * scale))
        rate = wave() * rng.gamma(4.0, 0.25, len(XY))
        found = shrink_counts(rng.poisson(scale * rate).astype(float), np.ones(len(XY)), graph)
        true = rate / rate.mean()
        assert np.mean(np.abs(found.rate - true) < 1.645 * found.relative_sd * found.rate) > 0.8, scale
