"""Oxygen by physics beside the hypoxia signature: how far they agree, and one rule that combines them."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from nichedose.errors import BadInput
from nichedose.fields.grid import Array, BoolArray
from nichedose.tissue.krogh import OxygenParameters
from nichedose.tissue.map import TissueMap
from nichedose.tissue.oxygen import oxygen
from nichedose.tissue.spots import SpotModel
from nichedose.values import Flag

__all__ = ["combine_oxygen", "oxygen_again", "oxygen_agreement", "signature_share"]

HYPOXIC_mmHg = 10.0  # a usual limit of electrode studies; it only words the comparison
HIGH_SCORE = 2.0  # of the section's mean, as the profile counts hypoxic rows
LEAST_GENES = 0.5  # of the signature's genes that must have been measured
LEAST_COUNTS = 50  # of all its genes: below, the section mean alone is known to 14 %, and nothing is left for a map


def signature_share(model: SpotModel) -> tuple[float, str]:
    """Share of the hypoxia signature's genes that were measured, or 0 with the reason why it abstains."""
    coverage = model.coverage.signatures.get("hypoxia")
    if model.hypoxia is None or coverage is None:
        return 0.0, "none of its genes has counts"
    total = len(coverage.present) + len(coverage.missing)
    share = len(coverage.present) / total
    if share < LEAST_GENES:
        return 0.0, f"only {len(coverage.present)} of its {total} genes were measured"
    if coverage.total_counts < LEAST_COUNTS:
        return 0.0, f"its genes have {coverage.total_counts} transcripts in the whole section"
    return share, ""


def combine_oxygen(physics_mmHg: Array, score: Array, mask: BoolArray, weight: float) -> Array:
    """Oxygen (ny, nx) with the levels of ``physics_mmHg`` and places by physics and ``score`` together.

    Both fields become normal scores by rank, low oxygen like a high ``score``; their weighted sum, (1 - ``weight``) and
    ``weight``, ranks the voxels, and the sorted pressures of physics are dealt out in that order. So the distribution
    of pressure over the tissue, and with it any hypoxic share of the tissue, is that of physics exactly, because a
    score has no unit. Raises `BadInput` for a weight outside 0 to 1 or a score of another shape.

    >>> import numpy as np
    >>> p, s = np.array([[1.0, 5.0, 20.0]]), np.array([[0.1, 3.0, 0.5]])
    >>> combine_oxygen(p, s, np.ones((1, 3), bool), 1.0).tolist()
    [[20.0, 1.0, 5.0]]
    """
    if not 0.0 <= weight <= 1.0:
        raise BadInput(f"weight = {weight:g}; it must lie between 0 and 1.")
    if score.shape != physics_mmHg.shape or not bool(np.isfinite(score[mask]).all()):
        raise BadInput(f"The score must be finite and of shape {physics_mmHg.shape}; it has {score.shape}.")
    if weight == 0.0:
        return physics_mmHg
    pressure = physics_mmHg[mask]
    z = (1.0 - weight) * _normal_score(pressure) - weight * _normal_score(score[mask])
    placed = np.empty_like(pressure)
    placed[np.lexsort((pressure, z))] = np.sort(pressure)
    out = np.zeros_like(physics_mmHg)
    out[mask] = placed
    return out


def _normal_score(values: Array) -> Array:
    return np.asarray(ndtri((_ranks(values) - 0.5) / len(values)))


def _ranks(values: Array) -> Array:
    """Ranks from 1, equal values sharing their mean (scipy.stats takes long to import)."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - 0.5 * (count - 1))[place.ravel()])


def oxygen_agreement(
    physics_mmHg: Array, score: Array, tumour: Array, mask: BoolArray, used_mmHg: Array | None = None
) -> Flag:
    """Hypoxic shares by physics and by signature, and their rank correlation; a caution where it is below 0.

    ``tumour`` (ny, nx) weighs tumour cells; ``used_mmHg`` is the combined field, where one is used.
    """
    p, s, w = physics_mmHg[mask], score[mask], tumour[mask]
    same = float(p.std()) > 0.0 and float(s.std()) > 0.0
    agreement = float(np.corrcoef(_ranks(-p), _ranks(s))[0, 1]) if same else 0.0

    def share(hypoxic: BoolArray) -> str:
        cells = float(w[hypoxic].sum() / w.sum()) if w.sum() > 0.0 else 0.0
        return f"{100 * float(hypoxic.mean()):.0f} % of the tissue and {100 * cells:.0f} % of tumour cells"

    text = (f"By physics {share(p < HYPOXIC_mmHg)} lie below {HYPOXIC_mmHg:g} mmHg; the hypoxia signature is at least "
            f"{HIGH_SCORE:g} times its mean in {share(s >= HIGH_SCORE * s.mean())}; rank correlation of the two "
            f"{agreement:.2f}.")
    if used_mmHg is not None:
        text += f" Combined: {share(used_mmHg[mask] < HYPOXIC_mmHg)}."
    if agreement < 0.0:
        text += " They disagree: results that rest on hypoxia are to be read with care."
    return Flag("caution" if agreement < 0.0 else "note", "oxygen", text)


def oxygen_again(tissue: TissueMap, vessel_surface_per_cm: Array, parameters: OxygenParameters) -> Array:
    """Oxygen of ``tissue`` with other vessels or consumption, placed by the rule that placed it before."""
    solved = oxygen(tissue.grid, tissue.mask, vessel_surface_per_cm, parameters)
    if tissue.hypoxia_score is None:
        return solved
    return combine_oxygen(solved, tissue.hypoxia_score, tissue.mask, tissue.hypoxia_weight)
