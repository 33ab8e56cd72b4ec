"""Read, map and profile a generated section of single cells: seconds and memory against the number of cells.

    python benchmarks/tissue_scale.py [CELLS ...]        default 62500 125000 250000 500000
    python benchmarks/tissue_scale.py --figure FIGURE.svg TABLE.md      of what was printed

Each section has 400 genes, about 100 transcripts a cell, 7,000 cells per mm2, and nests of tumour cells. It is written
as .h5ad by one process and read, mapped (grid of 50 um) and profiled by another, whose largest resident memory is
printed.
"""

from __future__ import annotations

import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from figures import HUES, Figure

CELLS = (62_500, 125_000, 250_000, 500_000)
GENES, TRANSCRIPTS, CELLS_PER_MM2, CHUNK = 400, 100, 7000.0, 50_000


def generate(cells: int, path: Path) -> None:
    import anndata
    import pandas as pd
    import scipy.sparse as sp

    from nichedose.library import load_library

    library, rng = load_library(), np.random.default_rng(0)
    types = list(library.cell_types)
    named = list(dict.fromkeys([
        *(m for t in library.cell_types.values() for m in t.markers), "FOXP3", "IL2RA",
        *(g for t in library.targets.values() for g in t.genes), *library.signatures["hypoxia"].genes,
        *library.signatures["proliferation"].genes]))
    genes = [*named, *(f"GENE{i}" for i in range(GENES - len(named)))]
    level = np.full((len(types), GENES), 0.05)
    level[:, len(named):] = rng.gamma(1.0, 1.0, GENES - len(named))
    for i, t in enumerate(types):
        level[i, [genes.index(m) for m in library.cell_types[t].markers]] = 2.0
    level /= level.sum(axis=1, keepdims=True)
    side = np.sqrt(cells / CELLS_PER_MM2) * 1e3
    xy = rng.uniform(0.0, side, (cells, 2))
    nest = np.sin(xy[:, 0] / 90.0) + np.sin(xy[:, 1] / 110.0) > 0.2
    in_nest, in_stroma = [0.9, 0.03, 0.01, 0.03, 0.02, 0.01], [0.05, 0.45, 0.12, 0.18, 0.13, 0.07]
    kind = np.where(nest, rng.choice(6, cells, p=in_nest), rng.choice(6, cells, p=in_stroma))
    blocks = []
    for start in range(0, cells, CHUNK):
        part = kind[start:start + CHUNK]
        counts = rng.poisson(TRANSCRIPTS * rng.gamma(4.0, 0.25, len(part)))
        row = np.repeat(np.arange(len(part)), counts)
        column = np.empty(len(row), dtype=np.int64)
        for i in range(len(types)):
            mine = part[row] == i
            column[mine] = rng.choice(GENES, int(mine.sum()), p=level[i])
        blocks.append(sp.coo_matrix((np.ones(len(row), np.float32), (row, column)), shape=(len(part), GENES)).tocsr())
    data = anndata.AnnData(
        X=sp.vstack(blocks).tocsr(), obs=pd.DataFrame(index=pd.Index([f"c{i}" for i in range(cells)], dtype=object)),
        var=pd.DataFrame(index=pd.Index(genes, dtype=object)), obsm={"spatial": xy}, uns={"spatial_units": "um"})
    data.write_h5ad(path)


def work(path: Path) -> None:
    from nichedose.io import read_tissue
    from nichedose.library import load_library
    from nichedose.tissue import build_tissue_map, model_section, profile

    library, times = load_library(), [time.perf_counter()]
    assay = read_tissue(path)
    times.append(time.perf_counter())
    model = model_section(assay, library.cell_types, library.targets, library.signatures, library.aliases)
    build_tissue_map(model, library.tissue, library.targets, spacing_um=50.0)
    times.append(time.perf_counter())
    found = profile(assay, library)
    times.append(time.perf_counter())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2.0**20
    read, mapped, profiled = np.diff(times).tolist()
    area = sum(found.areas_mm2.values())
    print(f"| {assay.n_spots:,} | {area:.0f} | {read:.1f} | {mapped:.1f} | {profiled:.1f} | "
          f"{read + mapped + profiled:.1f} | {1e6 * (read + mapped + profiled) / assay.n_spots:.0f} | {memory:.2f} |",
          flush=True)


def main(sizes: list[int]) -> None:
    print("| cells | mm2 | read (s) | map (s) | profile (s) | all (s) | us per cell | memory (GiB) |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for cells in sizes:
            path = Path(folder) / f"{cells}.h5ad"
            subprocess.run([sys.executable, __file__, "--generate", str(cells), str(path)], check=True)
            subprocess.run([sys.executable, __file__, "--work", str(path)], check=True)
            path.unlink()


def figure(path: Path, table: Path) -> None:
    """Seconds of each part and of all, summed upwards, against cells; dashed: in proportion to the largest section."""
    rows = [[float(v.replace(",", "")) for v in r.strip("| \n").split("|")]
            for r in table.read_text("utf-8").splitlines() if re.match(r"\| [\d,]+ \|", r)]
    most, longest = max(r[0] for r in rows), max(r[5] for r in rows)
    top = 20.0 * np.ceil(1.05 * longest / 20.0)
    drawing = Figure("Read, map and profile a section of single cells", "cells", "seconds")
    for hue, seconds in enumerate(zip(*[np.cumsum(r[2:5]) for r in rows], strict=True)):
        points = [(r[0] / most / 1.05, float(s) / top) for r, s in zip(rows, seconds, strict=True)]
        drawing.line(points, HUES[hue])
        for at, height in points:
            drawing.point(at, height, HUES[hue])
    drawing.line([(0.0, 0.0), (1.0 / 1.05, longest / top)], HUES[3], dash="4 3")
    drawing.ticks({r[0] / most / 1.05: f"{r[0]:,.0f}" for r in rows},
                  {v / top: f"{v:.0f}" for v in np.arange(0.0, top + 1.0, 20.0)})
    drawing.legend(("read", "and mapped", "and profiled"))
    drawing.write(path)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--figure"]:
        figure(Path(sys.argv[2]), Path(sys.argv[3]))
    elif sys.argv[1:2] == ["--generate"]:
        generate(int(sys.argv[2]), Path(sys.argv[3]))
    elif sys.argv[1:2] == ["--work"]:
        work(Path(sys.argv[2]))
    else:
        main([int(v) for v in sys.argv[1:]] or list(CELLS))
