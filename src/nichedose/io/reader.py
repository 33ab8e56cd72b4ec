"""What a tissue reader is: one file under `readers/` that says which paths it knows and how it reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from nichedose.errors import BadInput
from nichedose.tissue.assay import SpatialAssay

__all__ = ["CoordinateUnit", "ReadOptions", "Reader"]

CoordinateUnit = Literal["auto", "um", "pixel", "array"]


@dataclass(frozen=True)
class ReadOptions:
    """What the user said about a file; what a reader cannot use it must refuse with `refuse_unused`.

    ``um_per_unit`` um per unit of the file's coordinates; ``aliases`` old gene symbol -> new one.
    """

    sample: str | None = None
    sample_key: str | None = None
    coordinate_unit: CoordinateUnit = "auto"
    um_per_unit: float | None = None
    layer: str | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)

    def refuse_unused(self, path: Path, kind: str, *names: str) -> None:
        """Raise `BadInput` for an option that means nothing to this kind of file, rather than ignore it."""
        for name in names:
            if getattr(self, name) is not None:
                raise BadInput(f"{path}: '{name}' has no meaning for kind = \"{kind}\"; leave it out.")


@dataclass(frozen=True)
class Reader:
    """``claims`` looks at names and at the first line of a table (fast); ``read`` raises `BadInput` for whatever it
    cannot defend.

    ``samples`` lists the sections that a path holds, for readers of files that may hold several; none stands for one.
    """

    kind: str
    describes: str
    claims: Callable[[Path], bool]
    read: Callable[[Path, ReadOptions], SpatialAssay]
    samples: Callable[[Path, ReadOptions], Sequence[str]] = field(default=lambda path, options: ())
