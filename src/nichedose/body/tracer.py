"""A tracer that is another molecule, or another metal, than the form that describes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from nichedose.values import Draw, Value

__all__ = ["TracerDraw"]

DIFFERING = ("target_nmol_per_L", "comorbidity", "internalisation_per_h", "release_per_h")


@dataclass(frozen=True)
class TracerDraw(Draw):
    """Values of ``inner``, those of ``form`` that make uptake and retention times a factor drawn from ``ratio``.

    So a tracer tells of the form only as far as the two are alike. ``also`` names further keys, of lesions. Asked for
    through ``inner``, values and factors are parameters of a fit like any other.

    >>> ratio = Value(median=1.0, geometric_sd=2.0, evidence="assumed")
    >>> rate = Value(median=0.1, geometric_sd=1.5, evidence="assumed")
    >>> inner = Draw()
    >>> TracerDraw(inner=inner, name="68Ga", form="X", ratio=ratio)("form.X.release_per_h", rate)
    0.1
    >>> sorted(inner.used)
    ['form.X.release_per_h', 'tracer.68Ga.form.X.release_per_h']
    """

    inner: Draw = field(default_factory=Draw)
    name: str = ""
    form: str = ""
    ratio: Value | None = None
    also: Sequence[str] = ()

    def __call__(self, key: str, value: Value) -> float:
        found = self.inner(key, value)
        if self.ratio is None or not self._differs(key):
            return found
        return found * self.inner(f"tracer.{self.name}.{key}", self.ratio)

    def _differs(self, key: str) -> bool:
        own = f"form.{self.form}."
        return key in self.also or (
            key.startswith(own) and key.removeprefix(own).removeprefix("body.").split(".")[0] in DIFFERING)
