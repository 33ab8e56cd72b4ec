"""What is read from a section: shrinkage, composition, targets, abstention, coverage, invariance."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import scipy.sparse as sp
from tissue_cases import ALIASES, CELL_TYPES, SIGNATURES, TARGETS, TYPES, Made, assay_of, hexagonal, made_section

from nichedose.errors import BadInput
from nichedose.tissue import SpatialAssay, SpotModel, model_section
from nichedose.tissue.shrink import neighbour_graph, shrink_counts


@pytest.fixture(scope="module")
def made() -> Made:
    return made_section()


@pytest.fixture(scope="module")
def model(made: Made) -> SpotModel:
    return read(made.assay)


def read(assay: SpatialAssay) -> SpotModel:
    return model_section(assay, CELL_TYPES, TARGETS, SIGNATURES, ALIASES)


def test_neighbours_are_the_first_ring() -> None:
    graph = neighbour_graph(hexagonal(9, 9), 100.0)
    degree = np.asarray(graph.sum(axis=1)).ravel()
    assert degree.max() == 6
    assert degree[4 * 9 + 4] == 6
    assert graph.diagonal().sum() == 0


def test_shrinkage_keeps_patches_and_flattens_noise() -> None:
    xy = hexagonal(30, 30)
    graph, rng = neighbour_graph(xy, 100.0), np.random.default_rng(0)
    exposure = rng.lognormal(0.0, 0.4, len(xy))
    flat = shrink_counts(rng.poisson(0.4 * exposure).astype(float), exposure, graph).rate
    assert flat.std() < 0.1  # the raw rates scatter by 160 %
    truth = np.where(np.hypot(*(xy - xy.mean(axis=0)).T) < 600.0, 5.0, 0.5)
    patch = shrink_counts(rng.poisson(truth * exposure).astype(float), exposure, graph)
    relative = truth / ((truth * exposure).sum() / exposure.sum())
    raw = rng.poisson(truth * exposure) / exposure
    assert np.corrcoef(patch.rate, relative)[0, 1] > 0.92
    assert np.sqrt(((patch.rate - relative) ** 2).mean()) < 0.6 * np.sqrt(((raw / raw.mean() - relative) ** 2).mean())


def test_shrinkage_keeps_the_mean_and_never_says_zero() -> None:
    xy = hexagonal(12, 12)
    rng = np.random.default_rng(1)
    exposure = rng.lognormal(0.0, 0.5, len(xy))
    counts = np.zeros(len(xy))
    counts[:20] = 3.0
    shrunk = shrink_counts(counts, exposure, neighbour_graph(xy, 100.0))
    assert (shrunk.rate * exposure).sum() / exposure.sum() == pytest.approx(1.0)
    assert shrunk.rate.min() > 0.0


def test_composition_is_recovered(made: Made, model: SpotModel) -> None:
    """Truth of the made section: rms error below 0.06, correlation above 0.95 per type (found: 0.047, 0.975)."""
    assert model.cell_types == TYPES
    assert model.composition.sum(axis=1) == pytest.approx(1.0)
    assert np.sqrt(((model.composition - made.fractions) ** 2).mean()) < 0.06
    for c in range(len(TYPES)):
        assert np.corrcoef(model.composition[:, c], made.fractions[:, c])[0, 1] > 0.95
    assert model.composition.mean(axis=0) == pytest.approx(made.fractions.mean(axis=0), abs=0.06)
    assert model.clonogenic == ("tumour",)


def test_target_shape_is_recovered(made: Made, model: SpotModel) -> None:
    relative = model.targets["TUM"].relative
    assert relative is not None
    truth = made.tumour_rate / made.tumour_rate.mean()
    assert np.corrcoef(relative / model.content, truth)[0, 1] > 0.75
    assert relative.mean() == pytest.approx(1.0)


def test_unmeasured_is_unknown_and_sparse_has_no_shape(model: SpotModel) -> None:
    assert set(model.unknown_targets) == {"ABSENT", "HALFPAIR"}
    assert "NOTMEASURED" in model.unknown_targets["HALFPAIR"]
    rare = model.targets["RARE"]
    assert not rare.shape_known
    assert rare.counts < 50
    assert any(f.about == "RARE" and "too few" in f.text for f in model.flags)


def test_a_pair_follows_the_scarcer_subunit(model: SpotModel) -> None:
    pair, first, second = (model.targets[n] for n in ("PAIR", "TUM", "BOTH"))
    assert pair.counts == min(first.counts, second.counts)
    assert pair.relative is not None
    assert first.relative is not None
    assert second.relative is not None
    transcripts = np.minimum(
        first.relative / (first.relative / model.content).mean() * first.counts,
        second.relative / (second.relative / model.content).mean() * second.counts,
    )
    assert np.corrcoef(pair.relative, transcripts)[0, 1] > 0.999


def test_former_names_are_found_and_duplicates_added(made: Made, model: SpotModel) -> None:
    assert model.coverage.targets["BOTH"].present == ("NEWNAME",)
    column = made.assay.genes.index("OLDNAME")
    half = made.assay.counts.toarray()
    half = np.hstack([half, half[:, [column]]])
    twice = read(assay_of(made.assay.xy_um, half, (*made.assay.genes, "NEWNAME")))
    assert twice.targets["BOTH"].counts == 2 * model.targets["BOTH"].counts


def test_order_of_genes_and_spots_does_not_matter(made: Made, model: SpotModel) -> None:
    rng = np.random.default_rng(5)
    genes, spots = rng.permutation(len(made.assay.genes)), rng.permutation(made.assay.n_spots)
    counts = made.assay.counts.toarray()[spots][:, genes]
    other = read(assay_of(made.assay.xy_um[spots], counts, tuple(made.assay.genes[g] for g in genes)))
    assert other.composition == pytest.approx(model.composition[spots], rel=1e-5, abs=1e-7)
    relative, before = other.targets["TUM"].relative, model.targets["TUM"].relative
    assert relative is not None
    assert before is not None
    assert relative == pytest.approx(before[spots])


def test_coverage_is_plain_and_counts_genes(model: SpotModel) -> None:
    table = json.loads(json.dumps(model.gene_coverage))
    assert table["targets"]["ABSENT"]["missing"] == ["NOTMEASURED"]
    assert table["signatures"]["hypoxia"]["present"] == ["HYP0", "HYP1"]
    assert table["cell_types"]["tumour"]["counts"]["TUMOUR0"] > 0


def test_scores(model: SpotModel) -> None:
    assert model.vessel is not None
    assert model.vessel.mean() == pytest.approx(1.0)
    assert model.matrix.min() >= 0.0
    assert model.matrix.max() == 1.0
    assert np.corrcoef(model.vessel / model.content, model.fraction("endothelial"))[0, 1] > 0.8


def without(assay: SpatialAssay, prefix: str) -> SpatialAssay:
    keep = [i for i, g in enumerate(assay.genes) if not g.startswith(prefix)]
    return dataclasses.replace(
        assay, counts=sp.csr_matrix(assay.counts[:, keep]), genes=tuple(assay.genes[i] for i in keep)
    )


def test_missing_vessels_and_types_are_said(made: Made) -> None:
    model = read(without(made.assay, "ENDOTHELIAL"))
    assert model.vessel is None
    assert "endothelial" not in model.cell_types
    assert {"vessel", "endothelial"} <= {f.about for f in model.flags}


def test_thin_panels_are_said(made: Made) -> None:
    keep = [i for i, g in enumerate(made.assay.genes) if not g.startswith("T_CELL") or g == "T_CELL0"]
    thin = dataclasses.replace(
        made.assay, counts=sp.csr_matrix(made.assay.counts[:, keep]), genes=tuple(made.assay.genes[i] for i in keep)
    )
    assert any(f.about == "t_cell" and "1 of 8" in f.text for f in read(thin).flags)


def test_a_gene_far_below_the_others_is_a_map_but_no_sign_of_the_target(made: Made) -> None:
    """A sixth of the gene's counts: 88 in many spots, 0.02 of the average gene."""
    rng = np.random.default_rng(0)
    counts = made.assay.counts.toarray()
    gene = made.assay.genes.index("TUMGENE")
    counts[:, gene] = rng.binomial(counts[:, gene].astype(int), 1.0 / 6.0)
    found = read(assay_of(made.assay.xy_um, counts, made.assay.genes))
    target = found.targets["TUM"]
    assert target.shape_known and not target.detected and target.level is not None and target.level < 0.03
    assert any(f.about == "TUM" and "no sign that this tumour bears it" in f.text for f in found.flags)
    assert read(made.assay).targets["TUM"].detected


def test_shares_that_the_section_cannot_tell_are_said(made: Made) -> None:
    """Forty spots at a hundredth of the depth: nothing is known of the rarest types."""
    assert not any(f.about == "composition" for f in read(made.assay).flags)
    rng = np.random.default_rng(0)
    few = rng.binomial(made.assay.counts.toarray()[:40].astype(int), 0.01).astype(float)
    few[:, 0] += 1.0
    flags = read(assay_of(made.assay.xy_um[:40], few, made.assay.genes)).flags
    assert any(f.about == "composition" and "an equal share of every type, is left" in f.text for f in flags)


def test_thin_signatures_are_said(made: Made) -> None:
    keep = [i for i, g in enumerate(made.assay.genes) if not g.startswith("HYP") or g == "HYP0"]
    thin = dataclasses.replace(
        made.assay, counts=sp.csr_matrix(made.assay.counts[:, keep]), genes=tuple(made.assay.genes[i] for i in keep)
    )
    assert any(f.about == "hypoxia" and "1 of 3" in f.text for f in read(thin).flags)


def test_refusals(made: Made) -> None:
    with pytest.raises(BadInput, match="no marker gene of a tumour cell"):
        read(without(made.assay, "TUMOUR"))
    counts = made.assay.counts.toarray()
    counts[3] = 0.0
    with pytest.raises(BadInput, match="1 of 528 spots have no counts"):
        read(assay_of(made.assay.xy_um, counts, made.assay.genes))
    counts[3] = -1.0
    with pytest.raises(BadInput, match="negative"):
        read(assay_of(made.assay.xy_um, counts, made.assay.genes))
    with pytest.raises(BadInput, match="signature"):
        model_section(made.assay, CELL_TYPES, TARGETS, {}, ALIASES)
