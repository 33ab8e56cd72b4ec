"""`read_tissue`: any supported spatial assay to a `SpatialAssay` in um."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nichedose.errors import BadInput, near_miss
from nichedose.io.reader import CoordinateUnit, Reader, ReadOptions
from nichedose.io.readers import READERS
from nichedose.io.section_paths import section_paths
from nichedose.library import load_library
from nichedose.tissue.assay import SpatialAssay

__all__ = ["READERS", "read_options", "read_tissue", "reader_for"]


def read_tissue(
    path: str | Path,
    kind: str = "auto",
    *,
    sample: str | None = None,
    sample_key: str | None = None,
    coordinate_unit: CoordinateUnit = "auto",
    um_per_unit: float | None = None,
    layer: str | None = None,
    aliases: Mapping[str, str] | None = None,
) -> SpatialAssay:
    """Read one tissue section: raw counts, gene symbols, and spot positions in um with the evidence for the scale.

    ``kind`` is ``auto`` or the name of a reader in ``READERS``. ``sample`` picks one of several samples in an ``.h5ad``
    (``sample_key`` names the obs column) and otherwise names the section. ``coordinate_unit`` and ``um_per_unit``
    (um per pixel or per array step) are needed only where the file cannot tell. ``layer`` holds raw counts when X does
    not. ``aliases`` maps old gene symbols to current ones; the library's are taken when it is absent.

    Raises `BadInput` when the file is missing, damaged, not of the stated kind, holds several samples, has no
    positions, a scale that cannot be told, or counts that are not raw; the message says what to do.
    """
    options = read_options(path, sample, sample_key, coordinate_unit, um_per_unit, layer, aliases)
    place = Path(path).expanduser()
    return reader_for(place, kind).read(place, options)


def read_options(
    path: str | Path, sample: str | None, sample_key: str | None, coordinate_unit: CoordinateUnit,
    um_per_unit: float | None, layer: str | None, aliases: Mapping[str, str] | None,
) -> ReadOptions:
    """The options, checked; without ``aliases`` the library's are taken."""
    _must_exist(Path(path).expanduser())
    if coordinate_unit not in ("auto", "um", "pixel", "array"):
        raise BadInput(f"coordinate_unit = '{coordinate_unit}' is not "
                       f"known.{near_miss(coordinate_unit, ('auto', 'um', 'pixel', 'array'))}")
    if um_per_unit is not None and not (np.isfinite(um_per_unit) and um_per_unit > 0.0):
        raise BadInput(f"um_per_unit must be a number above 0; got {um_per_unit}.")
    if coordinate_unit == "um" and um_per_unit not in (None, 1.0):
        raise BadInput(f"coordinate_unit = \"um\" and um_per_unit = {um_per_unit} contradict each other; give one of "
                       "them.")
    known = load_library().aliases if aliases is None else aliases
    return ReadOptions(sample, sample_key, coordinate_unit, um_per_unit, layer, dict(known))


def _must_exist(place: Path) -> None:
    if not place.exists():
        siblings = [p.name for p in place.parent.iterdir()] if place.parent.is_dir() else []
        close = difflib.get_close_matches(place.name, siblings, n=2, cutoff=0.6)
        hint = f" Did you mean {' or '.join(repr(c) for c in close)}?" if close else ""
        raise BadInput(f"{place}: no such file or folder.{hint} Paths in a case are relative to the case file.")
    if place.is_file() and place.stat().st_size == 0:
        raise BadInput(f"{place}: the file is empty; copy or download it again.")


def reader_for(place: Path, kind: str) -> Reader:
    """The reader of that kind, or the one that recognises the path; raises `BadInput` when none or several do."""
    if kind != "auto":
        for reader in READERS:
            if reader.kind == kind:
                return reader
        raise BadInput(f"Unknown kind of tissue data '{kind}'.{near_miss(kind, [r.kind for r in READERS] + ['auto'])}")
    claimed = [reader for reader in READERS if reader.claims(place)]
    if len(claimed) > 1:  # any table may be one of legacy ST; a header of its own says more
        claimed = [reader for reader in claimed if reader.kind != "legacy_st"]
    if len(claimed) == 1:
        return claimed[0]
    if claimed:
        raise BadInput(f"{place}: could be {' or '.join(r.kind for r in claimed)}; say which with kind.")
    inside = section_paths(place) if place.is_dir() else ()
    if inside:
        shown = ", ".join(str(p.relative_to(place)) for p in inside[:6]) + (", ..." if len(inside) > 6 else "")
        raise BadInput(f"{place}: a folder that holds {len(inside)} of what can be read ({shown}). Give one of "
                       "them, or take all: read_sections in Python, --sample all on the command line, sample = \"all\" "
                       "in a case.")
    known = "\n".join(f"  {r.kind}: {r.describes}" for r in READERS)
    what = f"a folder that holds {_listing(place)}" if place.is_dir() else "a file"
    raise BadInput(f"{place}: not recognised ({what}); it is not one of\n{known}\nPoint to the right file or folder, "
                   "or state the kind.")


def _listing(folder: Path) -> str:
    names = sorted(p.name + ("/" if p.is_dir() else "") for p in folder.iterdir())
    return (", ".join(names[:6]) + (", ..." if len(names) > 6 else "")) or "nothing"
