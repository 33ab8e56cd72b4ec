"""Which files and folders below a path are sections that can be read."""

from __future__ import annotations

from pathlib import Path

from nichedose.io.headers import column_names
from nichedose.io.readers import READERS
from nichedose.io.readers.legacy_st import starts_with_a_spot

__all__ = ["section_paths"]

DEEPEST = 3  # levels of folders that are looked through; deeper lie the vendors' own


def section_paths(path: str | Path) -> tuple[Path, ...]:
    """What can be read in ``path``: itself, or the files and folders in it that a reader recognises, sorted by name."""
    place = Path(path).expanduser()
    if _claimed(place):
        return (place,)
    return tuple(_inside(place, DEEPEST)) if place.is_dir() else (place,)


def _claimed(place: Path) -> bool:
    """By any reader that knows its files by more than being a table."""
    return any(r.claims(place) for r in READERS if r.kind != "legacy_st")


def _inside(folder: Path, levels: int) -> list[Path]:
    found: list[Path] = []
    for child in sorted(folder.iterdir()):
        if child.name.startswith("."):
            continue
        if _claimed(child) or (child.is_file() and _looks_like_legacy(child)):
            found.append(child)
        elif child.is_dir() and levels > 1:
            found += _inside(child, levels - 1)
    return found


def _looks_like_legacy(path: Path) -> bool:
    # labels and positions of spots stand beside their counts
    return starts_with_a_spot(path) and not {"label", "pixel_x"} & set(column_names(path))
