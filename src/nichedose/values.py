"""Values with a source: a number or a distribution, how it is known, and one joint draw of all of them."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator
from scipy.special import ndtri

__all__ = ["Draw", "Evidence", "Flag", "Reading", "Source", "Value", "ValueUse", "uniform_from_key"]

Evidence = Literal["measured", "fitted", "derived", "definition", "assumed"]
Reading = Literal["full text", "table", "abstract", "label", "dataset", "code", "secondary", "none"]


class Source(BaseModel):
    """One citable work. ``key`` is how library entries refer to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    key: str
    citation: str
    doi: str | None = None
    url: str | None = None
    licence: str | None = None


class Value(BaseModel):
    """A library value: exactly one of ``value``; ``median`` + ``geometric_sd``; ``mean`` + ``sd``; ``low`` + ``high``.

    The unit stands in the name of the field that holds it. ``mean``/``sd`` is a normal truncated at zero
    (both tails are kept symmetric in probability); ``low``/``high`` is uniform, or log-uniform with ``log = true``.
    ``spread`` says what the distribution describes: doubt about the value, or variation between patients.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    value: float | None = None
    median: float | None = None
    geometric_sd: float | None = None
    mean: float | None = None
    sd: float | None = None
    low: float | None = None
    high: float | None = None
    log: bool = False
    evidence: Evidence
    read: Reading = "none"
    source: str | None = None
    locator: str | None = None
    note: str | None = None
    spread: Literal["uncertainty", "patients", "both"] = "uncertainty"

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        forms = {
            "value": self.value is not None,
            "median + geometric_sd": self.median is not None and self.geometric_sd is not None,
            "mean + sd": self.mean is not None and self.sd is not None,
            "low + high": self.low is not None and self.high is not None,
        }
        given = [name for name, present in forms.items() if present]
        numbers = [self.value, self.median, self.geometric_sd, self.mean, self.sd, self.low, self.high]
        expected = {"value": 1}.get(given[0], 2) if given else 0
        if len(given) != 1 or sum(n is not None for n in numbers) != expected:
            raise ValueError(f"give exactly one of {', '.join(forms)}")
        if not all(math.isfinite(n) for n in numbers if n is not None):
            raise ValueError("numbers must be finite")
        if self.geometric_sd is not None and (self.geometric_sd < 1.0 or (self.median or 0.0) <= 0.0):
            raise ValueError("geometric_sd must be at least 1 and median above 0")
        if self.sd is not None and (self.sd < 0.0 or (self.mean or 0.0) <= 0.0):
            raise ValueError("sd must not be negative and mean must be above 0")
        if self.low is not None and self.high is not None and not self.low <= self.high:
            raise ValueError("low must not exceed high")
        if self.log and not (self.low is not None and self.low > 0.0):
            raise ValueError("log = true needs low and high above 0")
        if self.evidence not in ("assumed", "definition") and self.source is None:
            raise ValueError(f"evidence '{self.evidence}' needs a source; without one say 'assumed'")
        return self

    @property
    def central(self) -> float:
        """The median."""
        return self.quantile(0.5)

    @property
    def is_fixed(self) -> bool:
        return self.value is not None

    def times(self, factor: float) -> Value:
        """The distribution of ``factor`` (above 0) times the quantity."""
        numbers = {n: getattr(self, n) for n in ("value", "median", "mean", "sd", "low", "high")}
        return self.model_copy(update={n: x * factor for n, x in numbers.items() if x is not None})

    def quantile(self, u: float) -> float:
        """The value at cumulative probability ``u`` in (0, 1)."""
        if self.value is not None:
            return self.value
        if self.median is not None and self.geometric_sd is not None:
            return float(self.median * self.geometric_sd ** ndtri(u))
        if self.mean is not None and self.sd is not None:
            if self.sd == 0.0:
                return self.mean
            # truncate both tails at the same depth, so that the median stays the mean
            cut = 0.5 * math.erfc(self.mean / self.sd / math.sqrt(2.0))
            return float(self.mean + self.sd * ndtri(cut + u * (1.0 - 2.0 * cut)))
        assert self.low is not None and self.high is not None
        if self.log:
            return float(self.low * (self.high / self.low) ** u)
        return self.low + u * (self.high - self.low)


@dataclass(frozen=True)
class Flag:
    """Something a reader must know: a ``note``, a ``caution``, or why a part (``about``) is ``not evaluable``."""

    level: Literal["note", "caution", "not evaluable"]
    about: str
    text: str


@dataclass(frozen=True)
class ValueUse:
    """A library value that a run used, under the name by which all candidates share it."""

    key: str
    value: Value


def uniform_from_key(seed: int, index: int, key: str) -> float:
    """A uniform number in (0, 1) that depends on nothing but its three arguments (not on order or workers)."""
    digest = hashlib.blake2b(f"{seed}|{index}|{key}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") + 0.5) / 2.0**64


@dataclass(frozen=True)
class Draw:
    """One joint sample of all uncertain values; ``index`` None is the central run (all medians).

    A value is drawn by its key, so candidates that share a key share the value, in any order of asking.
    ``used`` collects what was asked for; it is a record, not state that any result depends on.
    """

    seed: int = 0
    index: int | None = None
    used: dict[str, Value] = field(default_factory=dict, compare=False, repr=False)

    def __call__(self, key: str, value: Value) -> float:
        self.used[key] = value
        if self.index is None:
            return value.central
        return value.quantile(uniform_from_key(self.seed, self.index, key))

    def generator(self, key: str) -> np.random.Generator | None:
        """A random generator for a field-like quantity, or None in the central run."""
        if self.index is None:
            return None
        return np.random.default_rng(int(uniform_from_key(self.seed, self.index, key) * 2**63))
