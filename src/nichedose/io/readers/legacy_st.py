"""Legacy Spatial Transcriptomics: a table of counts with spots "10x13" as rows, and a spot file beside it or none."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from nichedose.errors import BadInput
from nichedose.fields.grid import Array, BoolArray
from nichedose.io.assemble import CountTable, assemble, refuse_swapped_axes
from nichedose.io.reader import Reader, ReadOptions
from nichedose.io.scale import LEGACY_ST_DIAMETER_UM, LEGACY_ST_PITCH_UM, Scale, fit_square
from nichedose.io.tables import read_table, separator_of
from nichedose.tissue.assay import SpatialAssay
from nichedose.values import Flag

__all__ = ["LEGACY_ST"]

_SPOT = re.compile(r"X?(-?\d+(?:\.\d+)?)x(-?\d+(?:\.\d+)?)")
_SUFFIXES = (".tsv", ".csv", ".txt", ".tsv.gz", ".csv.gz", ".txt.gz")
_SPOT_FILES = ("_selection", "_coor", "_coords", "_coordinates", "_spots", "_spotfile", "_positions")
_SPOT_FOLDERS = (".", "../spotfiles", "../spots")
_LABEL_FOLDERS = (".", "../pathologist_labels", "../labels", "../meta")


def _claims(path: Path) -> bool:
    return path.is_file() and path.name.lower().endswith(_SUFFIXES)


def _stem(path: Path) -> str:
    name = path.name.removesuffix(".gz")
    return name.rsplit(".", 1)[0]


def _read(path: Path, options: ReadOptions) -> SpatialAssay:
    if path.is_dir():
        raise BadInput(f"{path}: kind = \"legacy_st\" reads the counts file (.tsv or .csv, may be .gz), and this is a "
                       f"folder.")
    options.refuse_unused(path, "legacy_st", "layer", "sample_key")
    if options.coordinate_unit == "um":
        raise BadInput(f"{path}: spots of legacy ST are named by array indices; coordinate_unit = \"um\" does not fit.")
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
        table.take(kept), scale, path=path, kind="legacy_st", sample=options.sample or _stem(path),
        aliases=options.aliases, files=files, annotations=annotations, flags=flags)


def _read_counts(path: Path) -> CountTable:
    frame = read_table(path, separator=separator_of(path), index=0)
    rows, columns = tuple(map(str, frame.index)), tuple(map(str, frame.columns))
    table = CountTable(None, rows, columns)
    refuse_swapped_axes(table, str(path))
    if not all(_SPOT.fullmatch(r) for r in rows):
        odd = next(r for r in rows if not _SPOT.fullmatch(r))
        raise BadInput(f"{path}: rows must be spots named by array position, such as 10x13; found '{odd}'. If genes "
                       f"are rows, "
                       "transpose the table.")
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
            for extension in _SUFFIXES:
                candidate = path.parent / folder / f"{_stem(path)}{suffix}{extension}"
                if candidate.is_file():
                    return candidate
    return None


def _scale(
    array_xy: Array, spot_file: Path | None, options: ReadOptions, path: Path
) -> tuple[BoolArray, Scale, tuple[Flag, ...]]:
    """Which spots are kept, their positions in um, and flags."""
    everything = np.ones(len(array_xy), dtype=bool)
    spots = None if spot_file is None else _read_spots(spot_file)
    if spots is None or options.coordinate_unit == "array":
        if options.coordinate_unit == "pixel":
            raise BadInput(f"{path}: coordinate_unit = \"pixel\", but no spot file with pixel positions was found "
                           f"beside it or in "
                           "../spotfiles.")
        return everything, _array_scale(array_xy, options), ()
    if spots.shape[1] == 2:  # array positions without a header, in the order of the counts
        if len(spots) != len(array_xy) or np.abs(spots.to_numpy(float) - array_xy).max() > 0.5:
            raise BadInput(f"{spot_file}: its {len(spots)} positions do not match the {len(array_xy)} spot names of "
                           f"{path.name}.")
        return everything, _array_scale(spots.to_numpy(float), options), ()
    assert spot_file is not None
    return _pixel_scale(array_xy, spots, spot_file, options, path)


def _array_scale(array_xy: Array, options: ReadOptions) -> Scale:
    pitch = options.um_per_unit or LEGACY_ST_PITCH_UM
    given = "as given" if options.um_per_unit else "the pitch of the legacy ST array (Stahl et al. 2016)"
    return Scale(array_xy * pitch, pitch, LEGACY_ST_DIAMETER_UM, "square", f"array indices from the spot names, one "
                                                                           f"step is {pitch:g} um, {given}")


def _pixel_scale(
    array_xy: Array, spots: Any, spot_file: Path, options: ReadOptions, path: Path
) -> tuple[BoolArray, Scale, tuple[Flag, ...]]:
    index = {key: i for i, key in enumerate(_index(spots[["x", "y"]].to_numpy(float)))}
    rows = np.array([index.get(key, -1) for key in _index(array_xy)], dtype=int)
    found = rows >= 0
    if found.mean() < 0.5:
        raise BadInput(f"{spot_file}: holds positions for only {int(found.sum())} of {len(rows)} spots of "
                       f"{path.name}; the two files "
                       "belong to different sections.")
    under = found.copy()
    if "selected" in spots:
        under[found] = spots["selected"].to_numpy(float)[rows[found]] == 1.0
    if not under.any():
        raise BadInput(f"{spot_file}: zero spots in tissue (selected = 1).")
    flags = () if under.all() else (Flag("note", "tissue data", f"{int((~under).sum())} of {len(under)} spots are not "
                                                                f"under tissue by "
                                         f"{spot_file.name}; dropped."),)
    pixels = spots[["pixel_x", "pixel_y"]].to_numpy(float)
    fine = ["new_x", "new_y"] if {"new_x", "new_y"} <= set(spots.columns) else ["x", "y"]
    array = spots[fine].to_numpy(float)
    fit = fit_square(array[:, 0], array[:, 1], pixels, str(spot_file))
    measured = LEGACY_ST_PITCH_UM / fit.pitch
    evidence = (f"array pitch {fit.pitch:.4g} px, from a lattice through {fit.n_spots} spots (residual "
                f"{fit.residual:.2g} px, directions within "
                f"{100 * fit.spread:.2g} %), is {LEGACY_ST_PITCH_UM:g} um (Stahl et al. 2016): {measured:.4g} um/px")
    um_per_px, pitch = measured, LEGACY_ST_PITCH_UM
    if options.um_per_unit:
        um_per_px, pitch = options.um_per_unit, fit.pitch * options.um_per_unit
        evidence = f"um_per_unit = {um_per_px:g} as given; for comparison, {evidence}"
        if abs(um_per_px / measured - 1.0) > 0.03:
            flags = (*flags, Flag("caution", "scale", f"um_per_unit = {um_per_px:g} differs from {measured:.4g} um/px "
                                                      f"by the spot pitch; "
                                  "um_per_unit is used, as asked."))
    scale = Scale(pixels[rows[under]] * um_per_px, pitch, LEGACY_ST_DIAMETER_UM, "square", evidence)
    return under, scale, flags


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
                   f"positions without a "
                   "header.")


def _labels(path: Path, array_xy: Array) -> tuple[Any, Path | None]:
    """Pathologist labels per spot ("" where there is none), matched by rounded array position."""
    file = _beside(path, _LABEL_FOLDERS, ("_labeled_coordinates", "_labelled_coordinates", "_labels"))
    if file is None:
        return None, None
    frame = read_table(file, separator=separator_of(file))
    if not {"x", "y", "label"} <= set(map(str, frame.columns)):
        raise BadInput(f"{file}: a label file needs the columns x, y and label.")
    frame = frame.dropna(subset=["x", "y"])
    labels = ["" if label != label else str(label) for label in frame["label"]]
    known = dict(zip(_index(frame[["x", "y"]].to_numpy(float)), labels, strict=True))
    return np.array([known.get(key, "") for key in _index(array_xy)], dtype=object), file


def _index(array_xy: Array) -> list[tuple[int, int]]:
    return [(int(x), int(y)) for x, y in np.rint(array_xy)]


LEGACY_ST = Reader("legacy_st", "a counts table (.tsv or .csv, may be .gz) of legacy Spatial Transcriptomics, spots "
                                "(10x13) as rows",
                   _claims, _read)
