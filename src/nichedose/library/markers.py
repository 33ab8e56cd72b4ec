"""Antibody names of multiplex imaging: the gene behind each, and the cell type that it or a phenotype tells."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files

__all__ = ["beside_tumour", "lineage_of_marker", "lineage_of_phenotype", "marker_symbol", "marker_symbols"]

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

    Of other cells in or beside a tumour (cancer-associated fibroblasts, tumour macrophages, normal epithelium) the
    tumour is left out.

    >>> lineage_of_phenotype("CD8+ T cells"), lineage_of_phenotype("CK+"), lineage_of_phenotype("mast cell")
    ('t_cell', 'tumour', None)
    >>> lineage_of_phenotype("tumor-associated macrophages"), lineage_of_phenotype("CD31+ CD3-")
    ('macrophage', 'endothelial')
    >>> lineage_of_phenotype("t_cell"), lineage_of_phenotype("Tumor_CAF")
    ('t_cell', 'fibroblast')
    """
    name = beside_tumour(re.sub(r"[_.\s]+", " ", phenotype.lower()))
    return next((cell_type for pattern, cell_type in _phenotype_patterns() if pattern.search(name)), None)


_GAP = r"[-_. ]"
_OTHER_CELL = (rf"(?:cd\d+[a-z]*\+?{_GAP}*)*(?:endothel|vessel|vascul|pericyte|(?:myo)?fibroblast|[a-z]{{0,2}}cafs?\b|"
               rf"macrophage|monocyte|neutrophil|myeloid|mdsc|lymphocyte|stroma|(?:t|b|nk|plasma|mast|dendritic|immune|"
               rf"lymphoid){_GAP}?cell)")
_NOT_TUMOUR = re.compile(
    rf"(?<![a-z])(non|peri|extra){_GAP}?(tumou?r|cancer|malignant|neoplastic|epithel)[a-z]*"
    rf"|(?<![a-z])(tumou?r|cancer|carcinoma){_GAP}+(associated|infiltrating|adjacent)"
    rf"|(?<![a-z])(tumou?r(al)?|cancer|carcinoma|(?:intra|sub)?{_GAP}?epithelial|stromal?){_GAP}+(?={_OTHER_CELL})")
_HEALTHY = re.compile(r"(?<![a-z])(normal(?![-_ ]?like)|benign|healthy|"
                      r"non[-_. ]?(tumou?r|cancer|malignant|neoplastic))")
_TUMOUR_WORDS = re.compile(r"(tumou?r|cancer|epithel)[a-z]*")


def beside_tumour(name: str) -> str:
    """A lower-case name without what places a cell in or beside a tumour, or says that it is none.

    >>> beside_tumour("cancer-associated fibroblast"), beside_tumour("tumor macrophages"), beside_tumour("tumor cd8+")
    ('fibroblast', 'macrophages', 'tumor cd8+')
    >>> beside_tumour("normal epithelial"), beside_tumour("non-tumour epithelium")
    ('normal', '')
    """
    place = _NOT_TUMOUR.sub(" ", name)
    return (_TUMOUR_WORDS.sub(" ", place) if _HEALTHY.search(name) else place).strip().lstrip("-_. ")


@functools.cache
def _phenotype_patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Words as patterns: a word that begins with one letter stands at a word's start (mast cells are no T cells), one
    that ends with a number ends there (CD31 is not CD3), and does not count as negative."""
    found = []
    for word, cell_type in _tables()["phenotypes"].items():
        pattern = re.escape(word)
        if re.match(r"[a-z](?:[ -]|cell)", word):
            pattern = rf"(?<![a-z]){pattern}"
        if word[-1].isdigit():
            pattern = rf"(?<![a-z0-9]){pattern}(?![0-9])(?!\s?(?:-(?![a-z]|\s?[tb]\b)|-(?=cd)|neg|lo\b))"
        found.append((re.compile(pattern), cell_type))
    return tuple(found)
