"""Which of the library's gene lists plays which part in the tissue model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from nichedose.errors import BadInput, near_miss

__all__ = ["GeneList", "Roles", "roles"]

# the first that the library holds is taken
VESSEL = ("endothelium", "endothelial", "vessel")
MATRIX = ("matrix", "ecm_core", "ecm")
HYPOXIA = ("hypoxia_nonproliferative", "hypoxia_core15", "hypoxia_buffa51", "hypoxia")


class GeneList(Protocol):
    """What the tissue model needs of a signature."""

    @property
    def genes(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Roles:
    """Genes that report vessels, matrix and hypoxia."""

    vessel: tuple[str, ...]
    matrix: tuple[str, ...]
    hypoxia: tuple[str, ...]


def roles(signatures: Mapping[str, GeneList]) -> Roles:
    """Pick the three lists by name; raises `BadInput` when the library holds none for a part."""
    return Roles(*(_first(signatures, names) for names in (VESSEL, MATRIX, HYPOXIA)))


def _first(signatures: Mapping[str, GeneList], names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name in signatures:
            return signatures[name].genes
    raise BadInput(f"The signature library needs one of {', '.join(names)}.{near_miss(names[0], signatures)}")
