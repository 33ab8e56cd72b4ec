"""Alpha hits of a cell nucleus: how many, how large, and survival averaged over what each nucleus receives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from scipy import fft

from nichedose.dose.cells import check_radii
from nichedose.dose.geometry import sphere_volume_um3
from nichedose.dose.hits import SiteHits, SiteKind, alphas_by_mass, largest_hit_MeV, site_hits
from nichedose.dose.kernels import Daughters
from nichedose.dose.numbers import one_number
from nichedose.dose.units import GY_PER_MEV_PER_UM3
from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array
from nichedose.nuclide import Source

__all__ = ["HitSource", "HitStatistics", "hit_statistics"]

HitSource = Literal["surface", "cytoplasm", "nucleus", "cell"]
_FINEST, _COARSEST = 512, 24  # bins of specific energy up to the largest single hit
_TAIL_SD, _TAIL_HITS = 9.0, 6.0  # the grid ends so many standard deviations and largest hits above the mean
_MOST_BINS = 2**17


@dataclass(frozen=True)
class HitStatistics:
    """What alphas do to one nucleus of many like it; specific energy on grids that start at 0 in even steps.

    ``mean_hits``: tracks that enter (or start in) the nucleus; ``zero_hit_probability``: none at all.
    ``single_hit_Gy``, ``single_hit_per_Gy`` (m,): spectrum f1 of one track, sum times step 1.
    ``specific_energy_Gy``, ``probability`` (n,): distribution over nuclei, sum 1; the first bin holds the nuclei
    without a hit and the faintest grazing tracks. ``mean_specific_energy_Gy`` is the mean dose of the alphas.
    """

    mean_hits: float
    zero_hit_probability: float
    mean_specific_energy_Gy: float
    single_hit_Gy: Array
    single_hit_per_Gy: Array
    specific_energy_Gy: Array
    probability: Array
    _events: tuple[_Events, ...] = field(default=(), repr=False)

    @property
    def single_hit_mean_Gy(self) -> float:
        """Frequency mean of f1: mean specific energy per hit."""
        return float(np.average(self.single_hit_Gy, weights=self.single_hit_per_Gy)) if self.mean_hits else 0.0

    @property
    def single_hit_dose_mean_Gy(self) -> float:
        """Dose mean of f1: its second moment over its first."""
        z, f = self.single_hit_Gy, self.single_hit_per_Gy
        return float((z * z) @ f / (z @ f)) if self.mean_hits else 0.0

    def survival(self, per_Gy: float, per_Gy2: float = 0.0) -> float:
        """Mean over nuclei of exp(-``per_Gy`` z - ``per_Gy2`` z^2); ``per_Gy`` is 1/z0 of a nucleus, not of a dose.

        Never below the survival of the mean dose. Without progeny and quadratic term it is exp(-mean_hits (1 - L)), L
        the Laplace transform of f1 at 1/z0: exponential in dose, with a slope below 1/z0. Right to rounding however
        small: the linear factor is put into the distribution before it is summed.
        """
        for name, value in (("per_Gy", per_Gy), ("per_Gy2", per_Gy2)):
            if not 0.0 <= one_number(name, value, "0 or above") < np.inf:
                raise BadInput(f"{name} = {value}; it must be finite, 0 or above.")
        step = float(self.specific_energy_Gy[1])
        log_linear = sum(_log_survival(e, step, per_Gy) for e in self._events)
        if per_Gy2 == 0.0:
            return math.exp(log_linear)
        tilted = _distribution(self._events, step, len(self.probability), per_Gy)
        return math.exp(log_linear) * float(tilted @ np.exp(-per_Gy2 * self.specific_energy_Gy**2))


@dataclass(frozen=True)
class _Events:
    """``number`` decays (or decays/um3) at the ``sites``."""

    number: float
    sites: SiteHits


def hit_statistics(
    nuclide: str,
    decays_by_source: Mapping[HitSource, float],
    cell_radius_um: float,
    nucleus_radius_um: float,
    daughters: Daughters = "none",
    outside_decays_per_um3: float = 0.0,
    longest_half_life_h: float = math.inf,
    decay_data: Source | None = None,
) -> HitStatistics:
    """Number and size of the alpha hits of a nucleus in the middle of its cell.

    ``decays_by_source``: mean decays of the parent on the cell's ``surface``, in its ``cytoplasm``, ``nucleus`` or
    whole ``cell``, evenly spread; ``outside_decays_per_um3``: in the tissue around the cell, uniform to beyond the
    alphas' range (1 MBq.h/L is 3.6e-6 decays/um3).

    Decays are Poisson; tracks are straight, in independent directions. With ``daughters="equilibrium"`` the alphas of
    one chain start at the same site, so that hits cluster and more nuclei go without any than independent hits would
    leave. Recoils and electrons are not counted. Raises `BadInput` for unknown sources, numbers below 0, nuclides
    without alphas, and doses of so many hits that the mean says it all.

    >>> hits = hit_statistics("211At", {"surface": 10.0}, 7.0, 5.0, "equilibrium")
    >>> f"{hits.mean_hits:.2f} hits, {hits.zero_hit_probability:.2f} without"
    '1.50 hits, 0.22 without'
    """
    check_radii(cell_radius_um, nucleus_radius_um)
    groups = alphas_by_mass(nuclide, daughters, longest_half_life_h, decay_data)
    decays = _by_kind(decays_by_source, outside_decays_per_um3, cell_radius_um, nucleus_radius_um)
    gy_per_MeV = GY_PER_MEV_PER_UM3 / sphere_volume_um3(nucleus_radius_um)
    largest = largest_hit_MeV(groups, nucleus_radius_um)

    def events(per_hit: int) -> tuple[_Events, ...]:
        return tuple(
            _Events(n, site_hits(kind, groups, cell_radius_um, nucleus_radius_um, largest / per_hit, per_hit + 2))
            for kind, n in decays.items() if n > 0.0)

    found, per_hit = events(_FINEST), _FINEST
    needed = _top_MeV(found, largest) / largest
    if needed * per_hit > _MOST_BINS:
        per_hit = int(_MOST_BINS / needed)
        if per_hit < _COARSEST:
            raise BadInput(f"The nucleus would receive about {_moments(found)[0] * gy_per_MeV:.3g} Gy, in more hits "
                           "than the distribution can resolve; it hardly spreads then, so use the mean dose.")
        found = events(per_hit)
    bins = fft.next_fast_len(int(needed * per_hit) + 1, real=True)
    return _statistics(found, largest / per_hit * gy_per_MeV, per_hit + 2, bins)


def _by_kind(
    decays_by_source: Mapping[HitSource, float], outside_per_um3: float, cell_um: float, nucleus_um: float
) -> dict[SiteKind, float]:
    """Decays by place. Decays spread over the whole cell are Poisson in nucleus and cytoplasm, by volume."""
    allowed = get_args(HitSource)
    if not isinstance(decays_by_source, Mapping):
        raise BadInput(f"decays_by_source = {decays_by_source!r}; give the decays by place, as {{'surface': 10.0}}.")
    numbers: dict[str, float] = {str(name): number for name, number in decays_by_source.items()}
    for name in numbers:
        if name not in allowed:
            raise BadInput(f"Source '{name}'.{near_miss(name, allowed)}")
    for name, number in {**numbers, "outside_decays_per_um3": outside_per_um3}.items():
        if not (np.isfinite(one_number(f"Decays of '{name}'", number, "a mean")) and number >= 0.0):
            raise BadInput(f"Decays of '{name}' are {number}; they must be finite, 0 or above.")
    share = (nucleus_um / cell_um) ** 3
    whole = decays_by_source.get("cell", 0.0)
    return {
        "surface": decays_by_source.get("surface", 0.0),
        "cytoplasm": decays_by_source.get("cytoplasm", 0.0) + whole * (1.0 - share),
        "nucleus": decays_by_source.get("nucleus", 0.0) + whole * share,
        "outside": outside_per_um3,
    }


def _moments(events: tuple[_Events, ...]) -> tuple[float, float]:
    """Mean and variance of the energy left in the nucleus: MeV, MeV2."""
    mean = variance = 0.0
    for e in events:
        energy = np.arange(e.sites.per_decay.shape[2]) * e.sites.step_MeV
        first, second = e.sites.per_decay @ energy, e.sites.per_decay @ energy**2
        whole = first.sum(axis=1)
        square = second.sum(axis=1) + whole**2 - (first**2).sum(axis=1)
        mean += e.number * float(e.sites.weight @ whole)
        variance += e.number * float(e.sites.weight @ square)
    return mean, variance


def _top_MeV(events: tuple[_Events, ...], largest_MeV: float) -> float:
    mean, variance = _moments(events)
    return mean + _TAIL_SD * math.sqrt(variance) + _TAIL_HITS * largest_MeV


def _statistics(events: tuple[_Events, ...], step_Gy: float, hit_bins: int, bins: int) -> HitStatistics:
    single = np.zeros(hit_bins)
    for e in events:
        single += e.number * (e.sites.weight @ e.sites.per_decay.sum(axis=1))
    hits = float(single.sum())
    z = np.asarray(np.arange(bins) * step_Gy, dtype=np.float64)
    return HitStatistics(
        mean_hits=hits,
        zero_hit_probability=math.exp(sum(_log_survival(e, 0.0, math.inf) for e in events)),
        mean_specific_energy_Gy=float(single @ z[:hit_bins]),
        single_hit_Gy=z[:hit_bins],
        single_hit_per_Gy=single / (hits * step_Gy) if hits else single,
        specific_energy_Gy=z,
        probability=_distribution(events, step_Gy, bins),
        _events=events,
    )


def _log_survival(events: _Events, step_Gy: float, per_Gy: float) -> float:
    """Logarithm of the mean of exp(-per_Gy z) over nuclei; infinite ``per_Gy``: of the share without any track."""
    bins = np.arange(events.sites.per_decay.shape[2])
    lost = np.ones(len(bins)) if math.isinf(per_Gy) else -np.expm1(-per_Gy * step_Gy * bins)
    spared = np.prod(1.0 - events.sites.per_decay @ lost, axis=1)
    return events.number * float(events.sites.weight @ (spared - 1.0))


def _distribution(events: tuple[_Events, ...], step_Gy: float, bins: int, per_Gy: float = 0.0) -> Array:
    """Distribution of specific energy, weighted with exp(-per_Gy z) and scaled to sum 1, (bins,).

    Decays are Poisson, so the transforms of what each adds go into an exponential; at one site the alphas of a chain
    multiply.
    """
    exponent = np.zeros(bins // 2 + 1, dtype=complex)
    for e in events:
        for weight, spectra in zip(e.sites.weight, e.sites.per_decay, strict=True):
            none = 1.0 - spectra.sum(axis=1, keepdims=True)
            tilted = spectra * np.exp(-per_Gy * step_Gy * np.arange(spectra.shape[1]))
            each = np.prod(none + fft.rfft(tilted, bins, axis=1), axis=0)
            exponent += e.number * weight * (each - each[0])
    return np.asarray(np.maximum(fft.irfft(np.exp(exponent), bins), 0.0))
