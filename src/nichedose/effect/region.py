"""From survival in voxels to the effect on a region: sums first, then logarithms, without underflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nichedose.errors import BadInput, NotComputed
from nichedose.fields.grid import Array, BoolArray

__all__ = [
    "RegionEffect", "dose_volume_histogram", "equivalent_uniform_bed", "region_effect", "survival_histogram", "tcp",
]

_LN10 = float(np.log(10.0))
_DECILE = 0.1


@dataclass(frozen=True)
class RegionEffect:
    """What is left of the clonogens of a region.

    ``log_kill`` is -log10 of (survivors/clonogens); ``log_kill_by_class`` the same within each class that has any.
    ``log_worst_decile_survival`` is the natural log of the mean survival of the tenth of clonogens that survive best.
    """

    log_kill: float
    log_kill_by_class: Mapping[str, float]
    log_worst_decile_survival: float

    @property
    def mean_survival(self) -> float:
        """Survivors per clonogen; reads 0 where ``log_kill`` is above 323, the smallest number a float can hold."""
        return float(np.exp(-self.log_kill * _LN10))

    @property
    def worst_decile_survival(self) -> float:
        return float(np.exp(self.log_worst_decile_survival))


def region_effect(
    log_survival_by_class: Mapping[str, Array],
    clonogens_by_class: Mapping[str, Array],
    *,
    region: BoolArray | None = None,
) -> RegionEffect:
    """Pool classes of clonogens (for example target-positive and target-negative tumour cells) over a region.

    Arrays of one shape per class: natural log of survival, and clonogens per voxel in any unit that all share;
    ``region`` restricts them. Raises `NotComputed` without clonogens, `BadInput` for survival above 1, negative
    clonogens or NaN.
    """
    logs, numbers = _flatten(log_survival_by_class, clonogens_by_class, region)
    by_class = {name: -_log_mean(logs[name], n) / _LN10 for name, n in numbers.items() if n.sum() > 0.0}
    if not by_class:
        raise NotComputed("No clonogens lie in the region, so it has no log kill. Choose a region with tumour cells.")
    every_log, every_number = np.concatenate(list(logs.values())), np.concatenate(list(numbers.values()))
    return RegionEffect(
        log_kill=-_log_mean(every_log, every_number) / _LN10,
        log_kill_by_class=by_class,
        log_worst_decile_survival=_log_mean_of_best(every_log, every_number, _DECILE),
    )


def tcp(log_kill: float, lesion_volume_mm3: float | None, clonogen_density_per_mm3: float | None) -> float:
    """Poisson probability that no clonogen of the lesion survives: exp(-density x volume x 10^-log_kill).

    Because ``log_kill`` averages survival over clonogens first, this equals the product over voxels.
    Raises `NotComputed` without a lesion volume and a clonogen density.
    """
    if lesion_volume_mm3 is None or clonogen_density_per_mm3 is None:
        missing = "lesion volume" if lesion_volume_mm3 is None else "clonogen density"
        raise NotComputed(f"Tumour control probability needs a stated {missing}; give it in the case.")
    if not (lesion_volume_mm3 > 0.0 and clonogen_density_per_mm3 > 0.0 and np.isfinite(log_kill)):
        raise BadInput(f"Tumour control probability needs a finite log kill ({log_kill:g}), and a volume "
                       f"({lesion_volume_mm3:g} mm3) and clonogens ({clonogen_density_per_mm3:g} per mm3) above 0.")
    return float(np.exp(-np.exp(np.log(lesion_volume_mm3 * clonogen_density_per_mm3) - log_kill * _LN10)))


def equivalent_uniform_bed(log_survival: Array, clonogens: Array, alpha_per_Gy: float) -> float:
    """EUBED: the uniform BED that leaves as many survivors, -ln(mean survival)/alpha, Gy."""
    effect = region_effect({"all": log_survival}, {"all": clonogens})
    return effect.log_kill * _LN10 / alpha_per_Gy


def dose_volume_histogram(dose_Gy: Array, edges_Gy: Array, weights: Array | None = None) -> Array:
    """Share of the volume (or of ``weights``) that receives at least each of ``edges_Gy``; same length as the edges."""
    dose = np.ravel(np.asarray(dose_Gy, dtype=float))
    weight = np.ones(dose.shape) if weights is None else np.ravel(np.asarray(weights, dtype=float))
    if weight.shape != dose.shape or not weight.sum() > 0.0:
        raise BadInput("A dose-volume histogram needs one weight per voxel, with a sum above 0.")
    order = np.argsort(dose)
    below = np.concatenate([[0.0], np.cumsum(weight[order])])
    first = np.searchsorted(dose[order], np.asarray(edges_Gy, dtype=float), side="left")
    return np.asarray((below[-1] - below[first]) / below[-1])


def survival_histogram(
    log_survival_by_class: Mapping[str, Array], clonogens_by_class: Mapping[str, Array], edges_log10: Array
) -> Array:
    """Share of clonogens per bin of log10 survival; what lies outside the edges counts in the first or last bin."""
    logs, numbers = _flatten(log_survival_by_class, clonogens_by_class, None)
    every_log = np.concatenate(list(logs.values())) / _LN10
    weight = np.concatenate(list(numbers.values()))
    if not weight.sum() > 0.0:
        raise NotComputed("No clonogens: a survival histogram has no meaning. Choose a region with tumour cells.")
    counts, _ = np.histogram(np.clip(every_log, edges_log10[0], edges_log10[-1]), bins=edges_log10, weights=weight)
    return np.asarray(counts / weight.sum())


def _flatten(
    logs: Mapping[str, Array], numbers: Mapping[str, Array], region: BoolArray | None
) -> tuple[dict[str, Array], dict[str, Array]]:
    if set(logs) != set(numbers) or not logs:
        raise BadInput(f"Survival is for classes {sorted(logs)}, clonogens for {sorted(numbers)}; name the same ones.")
    flat_logs, flat_numbers = {}, {}
    for name in logs:
        survival, number = np.asarray(logs[name], float), np.asarray(numbers[name], float)
        if survival.shape != number.shape:
            raise BadInput(f"Class '{name}': survival has shape {survival.shape}, clonogens {number.shape}.")
        keep = slice(None) if region is None else region
        flat_logs[name], flat_numbers[name] = np.ravel(survival[keep]), np.ravel(number[keep])
        if np.isnan(flat_logs[name]).any() or bool((flat_logs[name] > 1e-9).any()):
            raise BadInput(f"Class '{name}': log survival holds NaN, or survival above 1.")
        if not np.isfinite(flat_numbers[name]).all() or bool((flat_numbers[name] < 0.0).any()):
            raise BadInput(f"Class '{name}': clonogens must be finite and not negative.")
    return flat_logs, flat_numbers


def _log_mean(logs: Array, weights: Array) -> float:
    """Natural log of the weighted mean of exp(logs), safe where every survival is below the smallest float."""
    top = float(np.max(logs, where=weights > 0.0, initial=-np.inf))
    if top == -np.inf:
        return top
    return top + float(np.log(weights @ np.exp(np.minimum(logs - top, 0.0)) / weights.sum()))


def _log_mean_of_best(logs: Array, weights: Array, share: float) -> float:
    order = np.argsort(logs)[::-1]
    before = np.concatenate([[0.0], np.cumsum(weights[order])[:-1]])
    kept = np.clip(share * weights.sum() - before, 0.0, weights[order])
    return _log_mean(logs[order], kept)
