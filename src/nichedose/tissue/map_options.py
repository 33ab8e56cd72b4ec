"""What a map takes into account beyond its plain form: all off unless asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from nichedose.errors import BadInput, near_miss

__all__ = ["HypoxiaCoupling", "MapOptions"]

HypoxiaCoupling = Literal["PSMA", "CAIX"]


@dataclass(frozen=True)
class MapOptions:
    """``hypoxia_couplings``: targets whose density follows oxygen (`couple_targets`).

    ``oxygen``: the field of "physics" alone, or placed by the hypoxia signature as well, "combined"
    (`combine_oxygen`). Raises `BadInput` for names that are not known.
    """

    hypoxia_couplings: tuple[HypoxiaCoupling, ...] = ()
    oxygen: Literal["physics", "combined"] = "physics"

    def __post_init__(self) -> None:
        known = get_args(HypoxiaCoupling)
        for name in self.hypoxia_couplings:
            if name not in known:
                raise BadInput(f"No coupling with hypoxia is known for '{name}'; there is one for {', '.join(known)}."
                               f"{near_miss(name, known)}")
        if self.oxygen not in ("physics", "combined"):
            raise BadInput(f"oxygen = '{self.oxygen}'; it is \"physics\" or \"combined\".")
