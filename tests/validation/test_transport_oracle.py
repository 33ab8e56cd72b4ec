"""Label integrals of a patchy section against an independent solver: other code, other method, other layout.

The oracle is SciPy's BDF on the plain equations, with the label integrals as further unknowns. Its own error at
rtol 1e-7 is below 1e-5 (its total against rtol 1e-8), a hundredth of what is asked of ours.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from nichedose.body import PlasmaCurve
from nichedose.transport import LigandKinetics
from transport_cases import ANTIBODY, LABELS, PEPTIDE, SLOW, SMALL, TIGHT, independent_rhs, run, section, total

CASES = [
    pytest.param(PEPTIDE, SMALL, 2.0, 24, id="peptide"),
    pytest.param(TIGHT, SMALL, 2.0, 16, id="tight"),
    pytest.param(ANTIBODY, SLOW, 0.07, 16, id="antibody"),
]


@pytest.mark.parametrize(("ligand", "plasma", "exchange", "n"), CASES)
def test_label_integrals(ligand: LigandKinetics, plasma: PlasmaCurve, exchange: float, n: int) -> None:
    """Every voxel and label to 1e-3 at the default tolerance (voxels holding under 1e-3 of the mean: of that)."""
    mask = np.hypot(*(np.mgrid[:n, :n] - (n - 1) / 2)) < 0.48 * n
    mask[n // 2 : n // 2 + 2, n // 3] = False
    tissue = section(n, seed=7, exchange=exchange, mask=mask)
    names = ("177Lu", "211At")
    rhs, jacobian = independent_rhs(tissue, ligand, plasma, np.array([LABELS[k] for k in names]))
    voxels = int(mask.sum())
    scale = 1e-6 * np.r_[np.ones(3 * voxels), np.full(2 * voxels, 10.0)]
    oracle = solve_ivp(rhs, (0.0, 480.0), np.zeros(5 * voxels), method="BDF", jac=jacobian, rtol=1e-7, atol=scale)
    solution = run(tissue, ligand, plasma)
    for k, name in enumerate(names):
        exact = oracle.y[(3 + k) * voxels : (4 + k) * voxels, -1]
        ours = total(solution, name)[mask]
        error = np.abs(ours - exact) / np.maximum(exact, 1e-3 * exact.mean())
        assert error.max() < 1e-3
        assert ours.sum() == pytest.approx(exact.sum(), rel=3e-4)
