"""Gene names: symbols not ids, control probes out, old symbols to new ones, duplicates summed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import scipy.sparse as sp

from nichedose.errors import BadInput
from nichedose.fields.grid import BoolArray
from nichedose.values import Flag

__all__ = ["clean_genes", "look_like_barcodes", "look_like_ids"]

_ENSEMBL = re.compile(r"ENS[A-Z]{0,4}G\d{11}(\.\d+)?")
_BARCODE = re.compile(r"([ACGT]{12,}(-\d+)?(_\d+)?)|(X?-?\d+(\.\d+)?x-?\d+(\.\d+)?)")
_CONTROL = re.compile(r"(NegControl|NegPrb|Negative|BLANK|Blank|SystemControl|FalseCode|DEPRECATED_|DeprecatedCodeword"
                      r"|Unassigned|Intergenic_|GenomicControl|antisense_)\S*"
                      r"|ERCC-\d{5}")
_UNIQUE_SUFFIX = re.compile(r"(.+)[-.](\d+)")
_MOUSE = re.compile(r"[A-Z][a-z]+[a-z0-9]*")
# IGHV3-30-2 and the like are genes of their own beside IGHV3-30
_NUMBERED_FAMILY = re.compile(r"(IG[HKL]|TR[ABGD])[VDJ]")
# R turns '-' into '.'; only where the hyphen is certain (HLA-A, NKX2-1, MT-ND1, X-AS1, X-IT1, X-OT1)
_R_HYPHEN = re.compile(r"^(HLA|MT|NKX\d|ERV[A-Z0-9]*)\.(?=\w)|\.(?=(AS|IT|OT)\d?$)")


def look_like_ids(names: Sequence[str]) -> bool:
    """True when most names are Ensembl gene ids."""
    return bool(names) and sum(_ENSEMBL.fullmatch(n) is not None for n in names) > 0.5 * len(names)


def look_like_barcodes(names: Sequence[str]) -> bool:
    """True when most names are spot barcodes (ACGT...-1) or array positions (10x13)."""
    return bool(names) and sum(_BARCODE.fullmatch(n) is not None for n in names) > 0.5 * len(names)


def clean_genes(
    counts: sp.csr_matrix,
    names: Sequence[str],
    is_gene: BoolArray | None,
    aliases: Mapping[str, str],
    where: str,
) -> tuple[sp.csr_matrix, tuple[str, ...], tuple[Flag, ...]]:
    """Counts (n_spots, n_symbols), current symbols in the order of first appearance, and what was done to get there.

    ``is_gene`` False marks features that are no genes (antibodies, controls). Raises `BadInput` for gene ids, and when
    nothing is left.
    """
    flags: list[Flag] = []
    symbols = np.array([str(n).strip() for n in names], dtype=object)
    keep = np.array([bool(s) and s != "nan" and _CONTROL.fullmatch(s) is None for s in symbols], dtype=bool)
    if is_gene is not None:
        keep &= is_gene
    if not keep.all():
        flags.append(_note(f"{int((~keep).sum())} features that are not genes (control probes, antibodies, no name) "
                           "were dropped."))
    counts, symbols = counts[:, np.flatnonzero(keep)], symbols[keep]
    if symbols.size == 0:
        raise BadInput(f"{where}: no gene is left after dropping control features.")
    if look_like_ids(list(symbols)):
        raise BadInput(f"{where}: genes are named by Ensembl ids (for example {symbols[0]}), but symbols such as FAP "
                       "are needed and the file holds none. Add them as var['gene_symbols'], or map the ids before.")
    current = _current_symbols(list(symbols), aliases, flags)
    merged, unique = _merge(counts, current, flags)
    if sum(_MOUSE.fullmatch(g) is not None for g in unique) > 0.5 * len(unique):
        flags.append(Flag("caution", "tissue data", "Gene symbols look like mouse (Fap, not FAP); they are not "
                                                    "translated, so human targets will be reported as not measured."))
    return merged, unique, tuple(flags)


def _current_symbols(symbols: list[str], aliases: Mapping[str, str], flags: list[Flag]) -> list[str]:
    symbols = _undo_unique_suffix(symbols)
    symbols = _undo_r_names(symbols, flags)
    present = set(symbols)
    # where the current symbol is measured too, the old one may be another gene: leave it
    used = {s: aliases[s] for s in dict.fromkeys(symbols) if s in aliases and aliases[s] not in present}
    if used:
        shown = ", ".join(f"{old} -> {new}" for old, new in list(used.items())[:5])
        flags.append(_note(f"{len(used)} old gene symbols were mapped to current ones "
                           f"({shown}{', ...' if len(used) > 5 else ''})."))
    return [used.get(s, s) for s in symbols]


def _undo_unique_suffix(symbols: list[str]) -> list[str]:
    """'TBCE-1' or 'TBCE.1' beside 'TBCE' was made by a reader that wanted unique names; it is TBCE again."""
    present = set(symbols)
    out = []
    for symbol in symbols:
        match = _UNIQUE_SUFFIX.fullmatch(symbol)
        made = match is not None and match[1] in present and _NUMBERED_FAMILY.match(symbol) is None
        out.append(match[1] if made and match is not None else symbol)
    return out


def _undo_r_names(symbols: list[str], flags: list[Flag]) -> list[str]:
    """R's make.names leaves no hyphen anywhere; put it back where it is certain."""
    if any("-" in s for s in symbols) or not any("." in s for s in symbols):
        return symbols
    repaired = [_R_HYPHEN.sub(lambda m: m[0].replace(".", "-"), s) for s in symbols]
    changed = sum(a != b for a, b in zip(symbols, repaired, strict=True))
    if changed:
        flags.append(_note("Gene symbols went through R, which writes HLA-A as HLA.A; the hyphen was put back in "
                           f"{changed}."))
    return repaired


def _merge(counts: sp.csr_matrix, symbols: list[str], flags: list[Flag]) -> tuple[sp.csr_matrix, tuple[str, ...]]:
    unique = tuple(dict.fromkeys(symbols))
    if len(unique) == len(symbols):
        return counts, unique
    index = {s: i for i, s in enumerate(unique)}
    columns = np.array([index[s] for s in symbols])
    ones = np.ones(len(symbols), dtype=np.int64)
    merge = sp.csr_matrix((ones, (np.arange(len(symbols)), columns)), shape=(len(symbols), len(unique)))
    tally = np.bincount(columns)
    twice = [unique[i] for i in np.flatnonzero(tally > 1)]
    flags.append(_note(f"{len(twice)} gene symbols stood in several columns, which were summed "
                       f"({', '.join(twice[:5])}{', ...' if len(twice) > 5 else ''})."))
    return sp.csr_matrix(counts @ merge), unique


def _note(text: str) -> Flag:
    return Flag("note", "tissue data", text)
