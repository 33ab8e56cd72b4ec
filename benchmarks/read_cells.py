"""Reading a generated section of cells: seconds and peak memory by number of cells, and the growth of the cost.

    python benchmarks/read_cells.py                     # 62,500 to 500,000 cells x 400 genes, three formats
    python benchmarks/read_cells.py --cells 100000 --kinds xenium

Each size and format is read in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp

GENES = 400
PER_CELL = 120  # transcripts, as in a Xenium section of a tumour
DENSITY_PER_UM2 = 0.006


def section(n: int) -> tuple[np.ndarray, sp.csr_matrix, list[str], list[str]]:
    """Positions (um), counts (n, genes) with a few abundant genes, names of both."""
    rng = np.random.default_rng(1)
    side = np.sqrt(n / DENSITY_PER_UM2)
    share = rng.gamma(0.5, 1.0, GENES)
    gene = rng.choice(GENES, n * PER_CELL, p=share / share.sum()).astype(np.int32)
    cell = np.repeat(np.arange(n, dtype=np.int32), PER_CELL)
    counts = sp.csr_matrix((np.ones(len(gene), np.int32), (cell, gene)), shape=(n, GENES))
    return rng.uniform(0.0, side, (n, 2)), counts, [f"c{i}" for i in range(n)], [f"GENE{i}" for i in range(GENES)]


def write(kind: str, folder: Path, n: int) -> Path:
    import pandas as pd

    xy, counts, names, genes = section(n)
    if kind == "h5ad":
        import anndata

        data = anndata.AnnData(counts.astype(np.float32), obs=pd.DataFrame(index=names), var=pd.DataFrame(index=genes))
        data.obsm["spatial"], data.uns["spatial_units"] = xy, "um"
        data.write_h5ad(folder / "section.h5ad")
        return folder / "section.h5ad"
    if kind == "xenium":
        import h5py

        with h5py.File(folder / "cell_feature_matrix.h5", "w") as file:
            file["matrix/barcodes"] = np.array(names, dtype="S")
            file["matrix/features/name"] = np.array(genes, dtype="S")
            file["matrix/features/feature_type"] = np.array(["Gene Expression"] * GENES, dtype="S")
            file["matrix/shape"] = np.array(counts.shape[::-1])
            for part in ("data", "indices", "indptr"):
                file.create_dataset(f"matrix/{part}", data=getattr(counts, part), compression="gzip")
        pd.DataFrame({"cell_id": names, "x_centroid": xy[:, 0], "y_centroid": xy[:, 1], "cell_area": 90.0}).to_csv(
            folder / "cells.csv.gz", index=False)
        return folder
    for start in range(0, n, 20_000):
        block = pd.DataFrame(counts[start:start + 20_000].toarray(), index=names[start:start + 20_000], columns=genes)
        block.to_csv(folder / "cell_by_gene.csv", mode="a", header=start == 0)
    pd.DataFrame({"center_x": xy[:, 0], "center_y": xy[:, 1]}, index=names).to_csv(folder / "cell_metadata.csv")
    return folder


def read(path: str) -> None:
    """Read one file and print what it took."""
    from nichedose.io import read_tissue

    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    assay = read_tissue(path)
    after = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({
        "cells": assay.n_spots, "genes": len(assay.genes), "wall_s": time.perf_counter() - started,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak_GiB": after.ru_maxrss / 2**20}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, nargs="*", default=[62_500, 125_000, 250_000, 500_000])
    parser.add_argument("--kinds", nargs="*", default=["xenium", "h5ad", "merscope"])
    parser.add_argument("--read", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        read(options.read)
        return
    print(f"{'format':10}{'cells':>10}{'wall s':>9}{'CPU s':>9}{'GiB':>7}{'us/cell':>9}")
    for kind in options.kinds:
        seconds = []
        for n in options.cells:
            with tempfile.TemporaryDirectory() as folder:
                path = write(kind, Path(folder), n)
                done = subprocess.run([sys.executable, __file__, "--read", str(path)], capture_output=True, text=True,
                                      check=True)
            found = json.loads(done.stdout.splitlines()[-1])
            seconds.append(found["cpu_s"])
            print(f"{kind:10}{found['cells']:>10}{found['wall_s']:>9.1f}{found['cpu_s']:>9.1f}{found['peak_GiB']:>7.2f}"
                  f"{1e6 * found['cpu_s'] / n:>9.1f}", flush=True)
        if len(seconds) > 1:
            slope = np.polyfit(np.log(options.cells), np.log(seconds), 1)[0]
            print(f"{kind:10}cost grows with cells to the power {slope:.2f}")


if __name__ == "__main__":
    main()
