"""Target discovery: known answers, dropout, contrast with organs, and references without space."""

from __future__ import annotations

import json

import numpy as np
import pytest
import scipy.sparse as sp
from tme_cases import GENES, LIBRARY, cell_section

from nichedose.errors import BadInput
from nichedose.library.schema import SurfaceGenes
from nichedose.tissue import ProfileOptions, profile
from nichedose.tissue.tme import Discovery, discover_in_section, discover_targets

FAMILY = {"made up": SurfaceGenes(name="made up", genes=("ALL", "HALF", "RARE", "BOTH", "ABSENT"), source="own")}
NAMES = ("ALL", "HALF", "RARE", "BOTH", *(f"BG{i}" for i in range(50)))


def cells(n: int = 4000, depth: float = 1.0, seed: int = 0) -> tuple[sp.csr_matrix, np.ndarray]:
    """Half tumour. ALL on every tumour cell, HALF on every second (twice as much), RARE hardly, BOTH on every cell."""
    rng = np.random.default_rng(seed)
    tumour = (np.arange(n) % 2).astype(float)
    bears = rng.random(n) < 0.5
    level = np.full((n, len(NAMES)), 1.0)
    level[:, 0], level[:, 1] = 3.0 * tumour, 6.0 * tumour * bears
    level[:, 2], level[:, 3] = 0.001, 3.0
    return sp.csr_matrix(rng.poisson(depth * level * rng.gamma(20.0, 1.0 / 20.0, (n, 1))).astype(float)), tumour


def by_gene(found: Discovery) -> dict[str, object]:
    return {t.gene: t for t in found.ranked}


@pytest.mark.parametrize("depth", [1.0, 0.3, 0.1])
def test_coverage_is_told_from_dropout(depth: float) -> None:
    """ALL and HALF have the same mean; at a tenth of the depth three quarters of the bearers show no transcript."""
    counts, tumour = cells(depth=depth)
    found = {t.gene: t for t in discover_targets(counts, NAMES, tumour, FAMILY).ranked}
    # a bearer's own transcripts add to its depth, which raises the share by a few per cent
    assert found["ALL"].coverage_high > 0.95
    assert found["HALF"].coverage_low - 0.06 < 0.5 < found["HALF"].coverage_high
    assert found["HALF"].coverage < 0.75 * found["ALL"].coverage
    assert found["ALL"].per_10k == pytest.approx(found["HALF"].per_10k, rel=0.1)
    assert found["ALL"].rank == 1


def test_what_is_everywhere_ranks_below_what_is_on_tumour_cells() -> None:
    counts, tumour = cells()
    found = discover_targets(counts, NAMES, tumour, FAMILY)
    ranks = {t.gene: t for t in found.ranked}
    assert ranks["BOTH"].elsewhere_ratio == pytest.approx(1.07, abs=0.1)  # other cells hold fewer transcripts in all
    assert ranks["ALL"].elsewhere_ratio == pytest.approx(0.0, abs=0.01)
    assert ranks["ALL"].rank < ranks["BOTH"].rank
    assert found.too_rare == ("RARE",) and found.not_measured == ("ABSENT",)
    assert all(t.rank_low <= t.rank <= t.rank_high for t in found.ranked)
    json.dumps(found.as_dict(), allow_nan=False)


def test_shares_of_tumour_are_unmixed() -> None:
    """Spots: counts = depth (f a + (1 - f) b); a gene of stroma does not look like one of tumour."""
    rng = np.random.default_rng(1)
    share = rng.uniform(0.1, 0.9, 600)
    level = np.full((600, len(NAMES)), 40.0)
    level[:, 0], level[:, 3] = 30.0 * share, 30.0 * (1.0 - share)
    found = {t.gene: t for t in discover_targets(
        sp.csr_matrix(rng.poisson(level).astype(float)), NAMES, share, FAMILY).ranked}
    assert found["ALL"].elsewhere_ratio == pytest.approx(0.0, abs=0.03)
    assert found["BOTH"].rank > found["ALL"].rank


def test_normal_organs_decide_where_they_are_known() -> None:
    """The unit of the table does not matter, and a gene that a dose-limiting organ bears falls back."""
    counts, tumour = cells()
    table = {"kidney": dict.fromkeys(NAMES, 1.0), "marrow": dict.fromkeys(NAMES, 1.0)}
    table["kidney"]["ALL"] = 500.0
    table["kidney"]["BOTH"] = table["marrow"]["BOTH"] = 0.0
    plain = {t.gene: t for t in discover_targets(counts, NAMES, tumour, FAMILY, normal_tissue=table).ranked}
    other = {o: {g: 7.0 * v for g, v in levels.items()} for o, levels in table.items()}
    scaled = {t.gene: t for t in discover_targets(counts, NAMES, tumour, FAMILY, normal_tissue=other).ranked}
    assert plain["ALL"].worst_organ == "kidney" and plain["ALL"].contrast_log2 < -2.0
    assert plain["BOTH"].contrast_log2 > 2.0
    assert plain["ALL"].contrast_log2 == pytest.approx(scaled["ALL"].contrast_log2, abs=1e-4)
    assert plain["HALF"].rank < plain["ALL"].rank


def test_a_section_gives_its_own_tumour_cells_and_tiles() -> None:
    """CLDN4 was put on every tumour cell and nowhere else; TFRC on all cells, CD274 on macrophages."""
    section = cell_section()
    found = discover_in_section(section, profile(section, LIBRARY, ProfileOptions(bootstraps=50)), LIBRARY)
    ranks = {t.gene: t for t in found.ranked}
    assert {t.gene for t in found.ranked[:3]} == {"CLDN4", "EPCAM", "CDH1"}  # the two others are its markers
    assert ranks["CLDN4"].rank_high == 3 and ranks["CLDN4"].coverage_low > 0.9
    assert ranks["TFRC"].elsewhere_ratio == pytest.approx(1.0, abs=0.1)
    assert "CD274" not in ranks or ranks["CD274"].elsewhere_ratio > 2.0
    assert "not lost in hypoxia" not in found.criteria  # no hypoxia gene was measured
    assert found.tumour_cells == pytest.approx(sum(section.annotations["truth"] == "tumour"), rel=0.02)


def test_order_and_aliases_do_not_matter() -> None:
    counts, tumour = cells(1000)
    order = np.random.default_rng(0).permutation(len(NAMES))
    mixed = discover_targets(sp.csr_matrix(counts[:, order]), [NAMES[i] for i in order], tumour, FAMILY)
    split = sp.csr_matrix(sp.hstack([counts, counts[:, [0]]]))
    renamed = discover_targets(split, (*NAMES, "OLD"), tumour, FAMILY, aliases={"OLD": "ALL"})
    plain = discover_targets(counts, NAMES, tumour, FAMILY)
    assert [t.gene for t in mixed.ranked] == [t.gene for t in plain.ranked]
    assert by_gene(renamed)["ALL"].counts == 2 * by_gene(plain)["ALL"].counts  # type: ignore[attr-defined]


@pytest.mark.parametrize(("tumour", "text"), [
    (np.zeros(100), "No row is mostly tumour"),
    (np.full(100, 2.0), "between 0 and 1"),
    (np.full(100, np.nan), "between 0 and 1"),
    (np.ones(99), "Counts are"),
])
def test_bad_input(tumour: np.ndarray, text: str) -> None:
    counts, _ = cells(100)
    with pytest.raises(BadInput, match=text):
        discover_targets(counts, NAMES, tumour, FAMILY)


def test_every_surface_gene_is_named_once() -> None:
    genes = [g for f in LIBRARY.surface_genes.values() for g in f.genes]
    assert len(genes) == len(set(genes)) > 200
    assert not set(genes) & set(LIBRARY.aliases)
    assert {g for t in LIBRARY.targets.values() for g in t.genes} - set(genes) <= {"TNC", "FN1", "COL1A1", "COL1A2"}
    assert "CLDN4" in genes and "CLDN4" in GENES
