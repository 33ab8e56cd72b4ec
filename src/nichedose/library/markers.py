"""Antibody names of multiplex imaging: the gene behind each, and the cell type that it or a phenotype tells."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files

__all__ = ["lineage_of_marker", "lineage_of_phenotype", "marker_symbol", "marker_symbols"]

# what instruments add to a marker's name: the dye, the compartment, the kind of mean
_DYE = re.compile(r"[(\[].*?[)\]]|\b(opal|alexa|af|cy|dylight)[ .]?\d+\b", re.IGNORECASE)
_PLAIN = re.compile(r"[\s\-._+/]+")


@functools.cache
def _tables() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads((files("nichedose.library") / "data" / "protein_markers.toml").read_text(encoding="utf-8"))


def marker_symbol(name: str) -> str:
    """The HGNC symbol behind an antibody's name, or the cleaned name itself where the library does not know it.

    >>> marker_symbol("CD8 (Opal 520)"), marker_symbol("PD-L1"), marker_symbol("Histone H3")
    ('CD8A', 'CD274', 'Histone H3')
    """
    clean = re.sub(r"\s+", " ", _DYE.sub(" ", name.replace("..", " "))).strip(" ._")
    return _tables()["markers"].get(_PLAIN.sub("", clean).upper(), clean or name)


def marker_symbols() -> frozenset[str]:
    """All symbols that an antibody of the library stands for."""
    return frozenset(_tables()["markers"].values())


def lineage_of_marker(symbol: str, markers_by_type: Mapping[str, tuple[str, ...]]) -> str | None:
    """The cell type of a cell that is positive for ``symbol``; ``markers_by_type`` are the library's marker genes."""
    for cell_type, markers in markers_by_type.items():
        if symbol in markers:
            return cell_type
    return _tables()["lineages"].get(symbol)


def lineage_of_phenotype(phenotype: str) -> str | None:
    """The cell type that the name of a phenotype speaks of, or None.

    >>> lineage_of_phenotype("CD8+ T cells"), lineage_of_phenotype("CK+"), lineage_of_phenotype("other")
    ('t_cell', 'tumour', None)
    """
    lowered = phenotype.lower()
    for word, cell_type in _tables()["phenotypes"].items():
        if word in lowered:
            return cell_type
    return None
