"""Our scores and naive ones against pathologists' labels, as AUC.

    python benchmarks/signature_auc.py HER2ST PDAC.h5ad

HER2ST: a folder with `counts/A1.tsv.gz`, `spotfiles/A1_selection.tsv` and
`pathologist_labels/A1_labeled_coordinates.tsv` for each section (github.com/almaan/her2st; Andersson et al., Nat Commun
2021). PDAC: an .h5ad with `obs["Region"]`
(GSE111672; Moncada et al., Nat Biotechnol 2020). Naive: mean over genes of the z-score of log(1 + counts per 10,000).
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from scipy.stats import rankdata

from nichedose.io import read_tissue
from nichedose.library import load_library
from nichedose.tissue import SpatialAssay
from nichedose.tissue.content import content_of
from nichedose.tissue.genes import gene_table
from nichedose.tissue.scores import score_signatures
from nichedose.tissue.shrink import neighbour_graph

LIBRARY = load_library()
LYMPHOCYTES = ("t_cell", "b_cell")  # two kinds of cells, so two lists: genes of one list should say the same
LISTS = {
    **{t: SimpleNamespace(axis="immune", genes=LIBRARY.cell_types[t].markers) for t in LYMPHOCYTES},
    "lymphocyte as one list": SimpleNamespace(axis="immune", genes=tuple(
        g for t in LYMPHOCYTES for g in LIBRARY.cell_types[t].markers)),
    "ERBB2": SimpleNamespace(axis="target", genes=("ERBB2",)),
    **{n: LIBRARY.signatures[n] for n in (
        "tls", "epithelium", "ecm", "caf", "inflammatory_caf", "hypoxia", "hypoxia_buffa15", "proliferation")},
}
Comparison = tuple[str, tuple[str, ...], tuple[str, ...]]
COLUMNS = ("ours", "amount", "adjusted", "naive", "counts alone")
FEWEST = 15  # spots on each side of a comparison
HER2 = (  # score, positive labels, negative labels (none: all others)
    ("lymphocyte", ("immune infiltrate",), ()), ("lymphocyte as one list", ("immune infiltrate",), ()),
    ("tls", ("immune infiltrate",), ()),
    ("ERBB2", ("invasive cancer", "cancer in situ"), ("connective tissue",)),
    ("epithelium", ("invasive cancer", "cancer in situ"), ("connective tissue",)),
    ("ecm", ("connective tissue",), ("invasive cancer", "cancer in situ")),
    ("hypoxia", ("invasive cancer", "cancer in situ"), ("connective tissue",)),
    ("hypoxia_buffa15", ("invasive cancer", "cancer in situ"), ("connective tissue",)),
)
PDAC = (
    ("epithelium", ("Cancer",), ()), ("ecm", ("Stroma",), ("Cancer",)), ("caf", ("Stroma",), ("Cancer",)),
    ("inflammatory_caf", ("Stroma",), ("Cancer",)), ("hypoxia", ("Cancer",), ("Stroma",)),
)


def auc(score: np.ndarray, positive: np.ndarray) -> float:
    n = positive.sum()
    return float((rankdata(score)[positive].sum() - n * (n + 1) / 2) / (n * (~positive).sum()))


def scores(assay: SpatialAssay) -> dict[str, dict[str, np.ndarray]]:
    """By list: ours per transcript, per tissue, and adjusted for depth and proliferation; naive; and the total counts
    alone, which know nothing of the list."""
    table = gene_table(assay, [g for s in LISTS.values() for g in s.genes], LIBRARY.aliases)
    depth = np.asarray(assay.counts.sum(axis=1), dtype=float).ravel()
    found = score_signatures(
        LISTS, table, depth, neighbour_graph(assay.xy_um, assay.pitch_um), content=content_of(depth))
    out: dict[str, dict[str, np.ndarray]] = {}
    for name, s in found.items():
        genes = table.measured(LISTS[name].genes)
        if s.value is None or s.adjusted is None or s.amount is None or not genes:
            continue
        level = np.log1p(1e4 * table.counts(genes) / depth[:, None])
        spread = level.std(axis=0)
        naive = ((level - level.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)).mean(axis=1)
        out[name] = dict(zip(COLUMNS, (s.value, s.amount, s.adjusted, naive, depth), strict=True))
    if all(t in out for t in LYMPHOCYTES):  # levels of the two are added; the naive score has all genes in one
        out["lymphocyte"] = {c: np.log2(sum(2.0 ** out[t][c] for t in LYMPHOCYTES)) for c in COLUMNS[:3]}
        out["lymphocyte"] |= {c: out["lymphocyte as one list"][c] for c in COLUMNS[3:]}
    return out


def compare(
    found: dict[str, dict[str, np.ndarray]], labels: np.ndarray, tests: tuple[Comparison, ...]
) -> dict[tuple[str, str], dict[str, float]]:
    rows = {}
    for name, yes, no in tests:
        positive = np.isin(labels, yes)
        negative = np.isin(labels, no) if no else ~positive & (labels != "") & (labels != "undetermined")
        if name not in found or min(positive.sum(), negative.sum()) < FEWEST:
            continue
        used = positive | negative
        what = f"{' or '.join(yes)} against {' or '.join(no) if no else 'the rest'}"
        rows[name, what] = {k: auc(v[used], positive[used]) for k, v in found[name].items()}
    return rows


def her2_labels(folder: Path, section: str, assay: SpatialAssay) -> np.ndarray:
    label = {}
    with (folder / "pathologist_labels" / f"{section}_labeled_coordinates.tsv").open() as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["x"] not in ("", "NA", "nan"):
                label[f"{round(float(row['x']))}x{round(float(row['y']))}"] = row["label"]
    return np.array([label.get(b, "") for b in assay.barcodes])


def main(her2: Path, pdac: Path) -> None:
    results: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    for path in sorted((her2 / "counts").glob("*.tsv.gz")):
        section = path.name.split(".")[0]
        if not (her2 / "pathologist_labels" / f"{section}_labeled_coordinates.tsv").exists():
            continue
        assay = read_tissue(path)
        for key, row in compare(scores(assay), her2_labels(her2, section, assay), HER2).items():
            results.setdefault(key, {})[section] = row
    assay = read_tissue(pdac)
    labels = np.array([str(v) for v in assay.annotations["Region"]])
    for key, row in compare(scores(assay), labels, PDAC).items():
        results.setdefault((f"PDAC {key[0]}", key[1]), {})["PDAC-A"] = row
    print(f"| score, comparison | section | {' | '.join(COLUMNS)} |\n|---|---|{'---|' * len(COLUMNS)}")
    for (name, what), by_section in results.items():
        for section, row in by_section.items():
            print(f"| {name}, {what} | {section} | {' | '.join(f'{row[c]:.2f}' for c in COLUMNS)} |")
        if len(by_section) > 1:
            means = (np.mean([r[c] for r in by_section.values()]) for c in COLUMNS)
            print(f"| {name}, mean | | {' | '.join(f'{m:.3f}' for m in means)} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
