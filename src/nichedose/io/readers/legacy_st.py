"""Legacy Spatial Transcriptomics: a table of counts with spots "10x13" as rows, and a spot file beside it or none."""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nichedose.errors import BadInput
from nichedose.fields.grid import Array, BoolArray
from nichedose.io.assemble import CountTable, assemble, refuse_swapped_axes
from nichedose.io.headers import TABLE_SUFFIXES, is_table, stem_of
from nichedose.io.reader import Reader, ReadOptions
from nichedose.io.scale import LEGACY_ST_DIAMETER_UM, LEGACY_ST_PITCH_UM, Scale, fit_square, scale_caution
from nichedose.io.tables import read_table, separator_of
from nichedose.tissue.assay import SpatialAssay
from nichedose.values import Flag

__all__ = ["LEGACY_ST", "starts_with_a_spot"]

_SPOT = re.compile(r"X?(-?\d+(?:\.\d+)?)x(-?\d+(?:\.\d+)?)")
_SPOT_FILES = ("_selection", "_coor", "_coords", "_coordinates", "_spots", "_spotfile", "_positions")
_SPOT_FOLDERS = (".", "../spotfiles", "../ST-spotfiles", "../spots")
_LABEL_FOLDERS = (".", "../pathologist_labels", "../ST-pat/lbl", "../labels", "../meta")


def starts_with_a_spot(path: Path) -> bool:
    """True for a table whose first row of values is named like a spot (10x13)."""
    if not is_table(path):
        return False
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            file.readline()
            second = file.readline(64)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error):
        return False
    return _SPOT.match(second.strip().strip('"')) is not None


def _read(path: Path, options: ReadOptions) -> SpatialAssay:
    if path.is_dir():
        raise BadInput(f"{path}: kind = \"legacy_st\" reads the counts file (.tsv or .csv, may be .gz), and this is a "
                       "folder.")
    options.refuse_unused(path, "legacy_st", "layer", "sample_key")
    if options.coordinate_unit == "um":
        raise BadInput(f"{path}: spots of legacy ST are named by array indices; coordinate_unit = \"um\" does not fit.")
    if options.um_per_unit is not None and options.coordinate_unit == "auto":
        raise BadInput(f"{path}: um_per_unit = {options.um_per_unit:g} of what? Say coordinate_unit = \"array\" (um "
                       "per array step) or \"pixel\" (um per pixel of the spot file).")
    table = _read_counts(path)
    array_xy = _array_positions(table.barcodes, path)
    spot_file = _beside(path, _SPOT_FOLDERS, _SPOT_FILES)
    files = [path] if spot_file is None else [path, spot_file]
    kept, scale, flags = _scale(array_xy, spot_file, options, path)
    labels, label_file = _labels(path, array_xy[kept])
    if label_file is not None:
        files.append(label_file)
    annotations: dict[str, Any] = {"array_x": array_xy[kept][:, 0], "array_y": array_xy[kept][:, 1]}
    if labels is not None:
        annotations["pathologist_label"] = labels
    return assemble(
        table.take(kept), scale, path=path, kind="legacy_st", sample=options.sample or stem_of(path),
        aliases=options.aliases, files=files, annotations=annotations, flags=flags)


def _read_counts(path: Path) -> CountTable:
    frame = read_table(path, separator=separator_of(path), index=0)
    rows, columns = tuple(map(str, frame.index)), tuple(map(str, frame.columns))
    table = CountTable(None, rows, columns)
    refuse_swapped_axes(table, str(path))
    if not all(_SPOT.fullmatch(r) for r in rows):
        odd = next(r for r in rows if not _SPOT.fullmatch(r))
        raise BadInput(f"{path}: rows must be spots named by array position, such as 10x13; found '{odd}'. If genes "
                       "are rows, transpose the table.")
    if len(set(rows)) != len(rows):
        raise BadInput(f"{path}: {len(rows) - len(set(rows))} spot names stand there twice.")
    not_numbers = [c for c, t in zip(columns, frame.dtypes, strict=True) if t.kind not in "iufb"]
    if not_numbers:
        raise BadInput(f"{path}: column '{not_numbers[0]}' holds text; every column must be a gene with counts.")
    return CountTable(frame.to_numpy(), rows, columns)


def _array_positions(spots: tuple[str, ...], path: Path) -> Array:
    pairs = []
    for spot in spots:
        match = _SPOT.fullmatch(spot)
        assert match is not None, path
        pairs.append((float(match[1]), float(match[2])))
    return np.array(pairs)


def _beside(path: Path, folders: tuple[str, ...], suffixes: tuple[str, ...]) -> Path | None:
    for folder in folders:
        for suffix in suffixes:
            for extension in TABLE_SUFFIXES:
                candidate = path.parent / folder / f"{stem_of(path)}{suffix}{extension}"
                if candidate.is_file():
                    return candidate
    return None


def _scale(
    array_xy: Array, spot_file: Path | None, options: ReadOptions, path: Path
) -> tuple[BoolArray, Scale, tuple[Flag, ...]]:
    """Which spots are kept, their positions in um, and flags."""
    spots = None if spot_file is None else _read_spots(spot_file)
    if spots is None or spot_file is None or spots.shape[1] == 2:
        if options.coordinate_unit == "pixel":
            raise BadInput(f"{path}: coordinate_unit = \"pixel\", but no spot file with pixel positions was found "
                           "beside it or in ../spotfiles.")
        # array positions without a header stand in the order of the counts
        fine = array_xy if spots is None else spots.to_numpy(float)
        if len(fine) != len(array_xy) or np.abs(fine - array_xy).max() > 0.5:
            raise BadInput(f"{spot_file}: its {len(fine)} positions do not match the {len(array_xy)} spot names of "
                           f"{path.name}.")
        return np.ones(len(array_xy), dtype=bool), _array_scale(fine, options), ()
    rows, under = _under_tissue(array_xy, spots, spot_file, path)
    flags = []
    if not under.all():
        flags.append(Flag("note", "tissue data", f"{int((~under).sum())} of {len(under)} spots are not under tissue by "
                          f"{spot_file.name}; dropped."))
    if options.coordinate_unit == "array":
        return under, _array_scale(array_xy[under], options), tuple(flags)
    scale = _pixel_scale(spots, rows[under], spot_file, options)
    return under, scale, tuple(flags)


def _array_scale(array_xy: Array, options: ReadOptions) -> Scale:
    pitch = options.um_per_unit or LEGACY_ST_PITCH_UM
    given = "as given" if options.um_per_unit else "the pitch of the legacy ST array (Stahl et al. 2016)"
    evidence = f"array indices, one step is {pitch:g} um, {given}"
    return Scale(array_xy * pitch, pitch, LEGACY_ST_DIAMETER_UM, "square", evidence)


def _under_tissue(
    array_xy: Array, spots: Any, spot_file: Path, path: Path
) -> tuple[NDArray[np.intp], BoolArray]:
    """Row of the spot file for each spot (-1 without one), and whether the spot is under tissue."""
    index = {key: i for i, key in enumerate(_index(spots[["x", "y"]].to_numpy(float)))}
    rows = np.array([index.get(key, -1) for key in _index(array_xy)], dtype=np.intp)
    found = rows >= 0
    if found.mean() < 0.5:
        raise BadInput(f"{spot_file}: holds positions for only {int(found.sum())} of {len(rows)} spots of {path.name}; "
                       "the two files belong to different sections.")
    under = found.copy()
    if "selected" in spots:
        under[found] = spots["selected"].to_numpy(float)[rows[found]] == 1.0
    if not under.any():
        raise BadInput(f"{spot_file}: zero spots in tissue (selected = 1).")
    return rows, under


def _pixel_scale(spots: Any, rows: NDArray[np.intp], spot_file: Path, options: ReadOptions) -> Scale:
    pixels = spots[["pixel_x", "pixel_y"]].to_numpy(float)
    fine = ["new_x", "new_y"] if {"new_x", "new_y"} <= set(spots.columns) else ["x", "y"]
    array = spots[fine].to_numpy(float)
    fit = fit_square(array[:, 0], array[:, 1], pixels, str(spot_file))
    measured = LEGACY_ST_PITCH_UM / fit.pitch
    evidence = (f"array pitch {fit.pitch:.4g} px, from a lattice through {fit.n_spots} spots (residual "
                f"{fit.residual:.2g} px, directions within {100 * fit.spread:.2g} %), is {LEGACY_ST_PITCH_UM:g} um "
                f"(Stahl et al. 2016): {measured:.4g} um/px")
    if not options.um_per_unit:
        return Scale(pixels[rows] * measured, LEGACY_ST_PITCH_UM, LEGACY_ST_DIAMETER_UM, "square", evidence)
    given = options.um_per_unit
    flags = () if abs(given / measured - 1.0) <= 0.03 else (scale_caution(
        f"um_per_unit = {given:g} differs from {measured:.4g} um/px by the spot pitch; it is used, as asked."),)
    evidence = f"um_per_unit = {given:g} as given; for comparison, {evidence}"
    return Scale(pixels[rows] * given, fit.pitch * given, LEGACY_ST_DIAMETER_UM, "square", evidence, flags)


def _read_spots(path: Path) -> Any:
    """Spot table with x, y, pixel_x, pixel_y; or two columns of array positions without a header."""
    frame = read_table(path, separator=separator_of(path), header=None)
    if {"x", "y", "pixel_x", "pixel_y"} <= {str(v).strip() for v in frame.iloc[0]}:
        frame = read_table(path, separator=separator_of(path))
        frame.columns = [str(c).strip() for c in frame.columns]
        return frame.dropna(subset=["x", "y", "pixel_x", "pixel_y"]).reset_index(drop=True)
    if frame.shape[1] == 2 and all(t.kind in "iuf" for t in frame.dtypes):
        return frame
    raise BadInput(f"{path}: not a spot file: columns x, y, pixel_x, pixel_y are needed, or two columns of array "
                   "positions without a header.")


def _labels(path: Path, array_xy: Array) -> tuple[Any, Path | None]:
    """Pathologist labels per spot ("" where there is none), matched by rounded array position."""
    file = _beside(path, _LABEL_FOLDERS, ("_labeled_coordinates", "_labelled_coordinates", "_labels"))
    if file is None:
        return None, None
    frame = read_table(file, separator=separator_of(file))
    if not {"x", "y", "label"} <= set(map(str, frame.columns)):
        raise BadInput(f"{file}: a label file needs the columns x, y and label.")
    frame = frame.dropna(subset=["x", "y"])
    labels = frame["label"].fillna("").astype(str)
    known = dict(zip(_index(frame[["x", "y"]].to_numpy(float)), labels, strict=True))
    return np.array([known.get(key, "") for key in _index(array_xy)], dtype=object), file


def _index(array_xy: Array) -> list[tuple[int, int]]:
    return [(int(x), int(y)) for x, y in np.rint(array_xy)]


LEGACY_ST = Reader("legacy_st", "a counts table (.tsv or .csv, may be .gz) of legacy Spatial Transcriptomics, spots "
                                "(10x13) as rows",
                   is_table, _read)
