"""Whatever a mapping holds, ready to print; gene coverage as the table that it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nichedose.report.format import cell_words, count, humanise, number

__all__ = ["Node", "coverage", "describe"]


@dataclass(frozen=True)
class Node:
    """Anything a mapping held, ready to print: a text, named parts, or a table."""

    text: str = ""
    parts: tuple[tuple[str, Node], ...] = ()
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def describe(value: Any) -> Node:
    """A `Node` for nested mappings, sequences and scalars; a mapping of like mappings becomes a table."""
    if isinstance(value, Mapping):
        inner = list(value.values())
        heads = {tuple(v) for v in inner if isinstance(v, Mapping)}
        flat = all(isinstance(v, Mapping) and not any(isinstance(w, Mapping) for w in v.values()) for v in inner)
        if len(inner) > 1 and flat and len(heads) == 1:
            head = next(iter(heads))
            rows = tuple((str(k), *(_scalar(v[h]) for h in head)) for k, v in value.items())
            return Node(head=("", *(humanise(str(h)) for h in head)), rows=rows)
        return Node(parts=tuple((humanise(str(k)), describe(v)) for k, v in value.items()))
    if isinstance(value, (list, tuple, set, frozenset)) and any(isinstance(v, Mapping) for v in value):
        return Node(parts=tuple((str(i), describe(v)) for i, v in enumerate(value, start=1)))
    return Node(text=_scalar(value))


def _scalar(value: Any) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None:
        return "not stated"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, (list, tuple)):
        return ", ".join(_scalar(v) for v in value) or "none"
    if isinstance(value, (set, frozenset)):
        return ", ".join(sorted(_scalar(v) for v in value)) or "none"
    return str(value)


def coverage(groups: Mapping[str, Any]) -> Node:
    """Genes that were measured, list by list, from `SectionResult.gene_coverage`; anything else as it stands."""
    if not all(_is_group(group) for group in groups.values()):
        return describe(groups)
    return Node(parts=tuple((humanise(str(name)), _coverage_table(str(name), group)) for name, group in groups.items()))


def _is_group(group: Any) -> bool:
    return isinstance(group, Mapping) and all(
        isinstance(entry, Mapping) and {"present", "missing", "counts"} <= set(entry) for entry in group.values()
    )


def _coverage_table(kind: str, group: Mapping[str, Mapping[str, Any]]) -> Node:
    rows = []
    for name, entry in group.items():
        present, missing = list(entry["present"]), list(entry["missing"])
        counts = int(sum(entry["counts"].values()))
        spots = max((int(n) for n in entry.get("positive_spots", {}).values()), default=0)
        measured = f"{len(present)} of {len(present) + len(missing)}"
        if present:
            numbers = (count(counts), count(spots))
        else:
            numbers = ("unknown", "unknown") if kind == "targets" else ("none", "none")
        rows.append((cell_words(name), measured, *numbers, ", ".join(missing) or "none"))
    head = ("", "genes measured", "counts", "spots with the most frequent gene", "not measured")
    return Node(head=head, rows=tuple(rows))
