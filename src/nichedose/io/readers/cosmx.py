"""NanoString CosMx flat files: counts per cell, or the transcripts themselves; positions in instrument pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.io.cells import CellTable, assemble_cells
from nichedose.io.reader import Reader, ReadOptions
from nichedose.io.tables import read_table, separator_of
from nichedose.io.wide import read_wide_counts
from nichedose.tissue.assay import SpatialAssay
from nichedose.values import Flag

__all__ = ["COSMX"]

_PARTS = {"counts": "exprMat_file.csv", "meta": "metadata_file.csv", "fovs": "fov_positions_file.csv",
          "transcripts": "tx_file.csv"}
# um per pixel: CosMx-ReadMe of current instruments; first instruments, whose stage positions are whole um at it
_PIXELS = (0.12028, 0.18)
_ON_STAGE = 0.02  # um by which a stage position may miss a whole one
_GLOBAL = ["x_global_px", "y_global_px"]


@dataclass(frozen=True)
class _Files:
    counts: Path | None
    meta: Path | None
    fovs: Path | None
    transcripts: Path | None

    @property
    def present(self) -> list[Path]:
        return [p for p in (self.counts, self.meta, self.fovs, self.transcripts) if p is not None]


def _files(folder: Path) -> _Files | None:
    """The flat files in ``folder`` or one level below; None when it holds neither counts nor transcripts."""
    for place in (folder, *sorted(p for p in folder.iterdir() if p.is_dir())):
        found = {part: _one(place, ending) for part, ending in _PARTS.items()}
        if found["counts"] is not None or found["transcripts"] is not None:
            return _Files(**found)
    return None


def _one(folder: Path, ending: str) -> Path | None:
    found = sorted([*folder.glob(f"*{ending}"), *folder.glob(f"*{ending}.gz"),
                    *folder.glob(f"*{ending.replace('_file', '-file')}")])
    if len(found) > 1:
        raise BadInput(f"{folder}: several files end in {ending} ({', '.join(p.name for p in found[:4])}); keep one "
                       "slide per folder.")
    return found[0] if found else None


def _claims(path: Path) -> bool:
    return path.is_dir() and any(
        any(place.glob(f"*{_PARTS[part]}*"))
        for place in (path, *(p for p in path.iterdir() if p.is_dir())) for part in ("counts", "transcripts")
    ) and len(_slides(path)) == 1


def _slides(path: Path) -> list[Path]:
    places = (path, *sorted(p for p in path.iterdir() if p.is_dir()))
    return [p for p in places if any(p.glob(f"*{_PARTS['counts']}*")) or any(p.glob(f"*{_PARTS['transcripts']}*"))]


def _read(path: Path, options: ReadOptions) -> SpatialAssay:
    if not path.is_dir():
        raise BadInput(f"{path}: a CosMx slide is a folder (with ..._exprMat_file.csv and ..._metadata_file.csv, or "
                       "..._tx_file.csv); give the folder.")
    options.refuse_unused(path, "cosmx", "layer", "sample_key")
    if options.coordinate_unit not in ("auto", "pixel"):
        raise BadInput(f"{path}: CosMx positions are in pixels; coordinate_unit = \"{options.coordinate_unit}\" does "
                       "not fit.")
    files = _files(path)
    if files is None:
        raise BadInput(f"{path}: neither ..._exprMat_file.csv nor ..._tx_file.csv is there, so there are no counts.")
    flags: list[Flag] = []
    fovs = None if files.fovs is None else _lower(read_table(files.fovs, separator=separator_of(files.fovs)))
    if files.counts is not None:
        table, meta = _from_counts(files, fovs, flags, path)
        used = [p for p in files.present if p != files.transcripts]
        origins = _origins(fovs, None)
    else:
        assert files.transcripts is not None
        table, origins = _from_transcripts(files.transcripts, fovs, flags)
        meta, used = None, [p for p in files.present if p != files.meta]
    um_per_px, evidence = _scale(options.um_per_unit, meta, fovs, origins, path)
    return assemble_cells(table, um_per_px, evidence, path=path, kind="cosmx", sample=options.sample or _name(files),
                          aliases=options.aliases, files=used, flags=flags)


def _name(files: _Files) -> str:
    """What stands before ``_exprMat_file`` or ``_tx_file``; the folder's name when nothing does."""
    main = files.counts or files.transcripts
    assert main is not None
    stem = main.name.split("exprMat")[0].split("tx_file")[0].rstrip("_-")
    return stem or main.resolve().parent.name


def _lower(frame: Any) -> Any:
    return frame.rename(columns={c: str(c).strip().lower() for c in frame.columns})


def _from_counts(files: _Files, fovs: Any, flags: list[Flag], path: Path) -> tuple[CellTable, Any]:
    if files.meta is None:
        raise BadInput(f"{path}: ..._metadata_file.csv is missing, so the cells have no positions.")
    assert files.counts is not None
    ids, counts, genes = read_wide_counts(files.counts, ["fov", "cell_ID", "cell", "cell_id"])
    if "fov" not in ids or "cell_ID" not in ids:
        raise BadInput(f"{files.counts}: not a CosMx count table: the columns fov and cell_ID are needed.")
    meta = read_table(files.meta, separator=separator_of(files.meta))
    lowered = {str(c).strip().lower(): c for c in meta.columns}
    wanted = {"fov": "fov", "cell_id": "cell_ID", "centerx_global_px": "x", "centery_global_px": "y"}
    # early metadata name the cell "cell_ID", later ones repeat it as fov_cell in "cell_id"
    missing = [c for c in ("fov", "centerx_global_px", "centery_global_px") if c not in lowered]
    if missing or "cell_ID" not in meta.columns:
        raise BadInput(f"{files.meta}: not a CosMx cell table: {', '.join(missing) or 'cell_ID'} missing.")
    meta = meta.rename(columns={lowered[k]: v for k, v in wanted.items() if k in lowered and k != "cell_id"})
    inside = ids["cell_ID"].astype(float).to_numpy() != 0  # cell 0 holds what lies outside all cells
    if not inside.all():
        flags.append(Flag("note", "tissue data", f"{int((~inside).sum())} rows of cell_ID 0 (transcripts outside "
                                                 "cells) were dropped."))
    names = _cell_names(ids["fov"], ids["cell_ID"])[inside]
    place = {name: i for i, name in enumerate(_cell_names(meta["fov"], meta["cell_ID"]))}
    rows = np.array([place.get(n, -1) for n in names], dtype=int)
    if (rows < 0).any():
        raise BadInput(f"{files.meta}: {int((rows < 0).sum())} of {len(rows)} cells of {files.counts.name} are not in "
                       f"it (for example {names[int(np.flatnonzero(rows < 0)[0])]}); the files come from different "
                       "versions of the export.")
    kept = meta.iloc[rows]
    _empty_fovs(fovs, kept["fov"], flags)
    notes = {"fov": kept["fov"].to_numpy()}
    notes |= {c: kept[c].to_numpy() for c in meta.columns if str(c).startswith("Mean.")}
    area = kept["Area"].to_numpy(float) if "Area" in kept else None
    return CellTable(names, kept[["x", "y"]].to_numpy(float), counts[np.flatnonzero(inside)], genes, area=area,
                     annotations=notes), kept


def _from_transcripts(path: Path, fovs: Any, flags: list[Flag]) -> tuple[CellTable, list[float]]:
    """Counts per cell from the transcripts; a cell stands at the mean position of its transcripts."""
    frame = read_table(path, separator=separator_of(path))
    wanted = ("fov", "cell_ID", *_GLOBAL, "target")
    missing = [c for c in wanted if c not in frame]
    if missing:
        raise BadInput(f"{path}: not a CosMx transcript table: {', '.join(missing)} missing.")
    outside = frame["cell_ID"].to_numpy() == 0
    flags.append(Flag("note", "tissue data", f"Cells were counted from the transcripts; {int(outside.sum())} of "
                      f"{len(outside)} lie outside all cells and were dropped. A cell stands at the mean position of "
                      "its transcripts, and its area is not known."))
    origins = _origins(fovs, frame)
    _empty_fovs(fovs, frame["fov"], flags)
    inside = frame[~outside]
    if not len(inside):
        raise BadInput(f"{path}: no transcript lies in a cell (all cell_ID are 0); has the section been segmented?")
    import pandas as pd

    names, cells = np.unique(_cell_names(inside["fov"], inside["cell_ID"]), return_inverse=True)
    gene, genes = pd.factorize(inside["target"].astype(str), sort=True)
    counts = sp.csr_matrix((np.ones(len(inside), np.int64), (cells, gene)), shape=(len(names), len(genes)))
    total = np.bincount(cells, minlength=len(names))
    xy = np.column_stack([np.bincount(cells, inside[c].to_numpy(float), len(names)) / total for c in _GLOBAL])
    fov = np.array([n.split("_")[1] for n in names], dtype=int)
    return CellTable(list(names), xy, counts, tuple(map(str, genes)), annotations={"fov": fov}), origins


def _cell_names(fov: Any, cell: Any) -> np.ndarray:
    return np.array([f"c_{int(float(f))}_{int(float(c))}" for f, c in zip(fov, cell, strict=True)], dtype=object)


def _origins(fovs: Any, transcripts: Any) -> list[float]:
    """Stage positions of the fields of view in pixels, as listed, and as global minus local position tells."""
    found: list[float] = []
    if fovs is not None:
        found += [float(v) for c in _GLOBAL if c in fovs for v in fovs[c]]
    if transcripts is not None and "x_local_px" in transcripts:
        offset = (transcripts["x_global_px"] - transcripts["x_local_px"]).groupby(transcripts["fov"]).median()
        found += [float(v) for v in offset]
    return found


def _empty_fovs(fovs: Any, used: Any, flags: list[Flag]) -> None:
    """Fields of view that are listed and hold no cell, or the other way round."""
    if fovs is None or "fov" not in fovs:
        return
    listed, seen = {int(v) for v in fovs["fov"]}, {int(v) for v in np.unique(used)}
    empty, strange = sorted(listed - seen), sorted(seen - listed)
    if empty:
        flags.append(Flag("note", "tissue data", f"{len(empty)} of {len(listed)} fields of view hold no cell "
                          f"({_some(empty)})."))
    if strange:
        flags.append(Flag("caution", "tissue data", f"The list of fields of view does not name {_some(strange)}, which "
                          "the cells are in; positions were taken from the cells themselves."))


def _some(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:6])) + (", ..." if len(numbers) > 6 else "")


def _scale(given: float | None, meta: Any, fovs: Any, origins: list[float], path: Path) -> tuple[float, str]:
    if given is not None:
        return given, f"um_per_unit = {given:g} um per pixel, as given"
    if meta is not None and "Area" in meta and "Area.um2" in meta:
        ratio = (meta["Area.um2"] / meta["Area"]).to_numpy(float)
        ratio = ratio[np.isfinite(ratio) & (ratio > 0.0)]
        if ratio.size and np.ptp(np.quantile(ratio, [0.05, 0.95])) < 0.01 * np.median(ratio):
            um = float(np.sqrt(np.median(ratio)))
            return um, f"Area.um2 over Area gives {um:.5g} um per pixel in {ratio.size} cells"
    measured = _from_mm(fovs)
    if measured is not None:
        return measured, f"positions of the fields of view in mm and in pixels give {measured:.5g} um per pixel"
    stage = _from_stage(np.asarray(origins))
    if stage is not None:
        others = ", ".join(f"{p:g}" for p in _PIXELS if p != stage)
        return stage, (f"the fields of view stand at whole um for {stage:g} um per pixel ({len(origins)} stage "
                       f"coordinates within {_ON_STAGE:g} um) and not for {others}")
    raise BadInput(f"{path}: the size of a pixel is not known: neither Area.um2 in the metadata nor positions in mm "
                   "tell. It is 0.12028 um on current instruments and 0.18 um on the first ones; say um_per_unit.")


def _from_mm(fovs: Any) -> float | None:
    """um per pixel from fields of view that are listed in both units."""
    if fovs is None or len(fovs) < 2:
        return None
    for px, mm in (("x_global_px", "x_global_mm"), ("y_global_px", "y_global_mm"), ("x_global_px", "x_mm")):
        if px in fovs and mm in fovs and np.ptp(fovs[px]) > 0:
            slope = float(np.polyfit(fovs[px].to_numpy(float), fovs[mm].to_numpy(float), 1)[0])
            if slope != 0.0:
                return abs(1000.0 * slope)
    return None


def _from_stage(origins: Array) -> float | None:
    """The one pixel size for which every stage position is a whole number of um, when positions can tell."""
    origins = np.unique(origins[np.isfinite(origins)])
    # a whole number of pixels would be a rounded one, and tells nothing
    if origins.size < 3 or (np.abs(origins - np.rint(origins)) < 1e-6).all():
        return None
    fits = [p for p in _PIXELS if (np.abs(origins * p - np.rint(origins * p)) < _ON_STAGE).all()]
    return fits[0] if len(fits) == 1 else None


COSMX = Reader("cosmx", "a NanoString CosMx folder with ..._exprMat_file.csv and ..._metadata_file.csv, or with "
                        "..._tx_file.csv", _claims, _read)
