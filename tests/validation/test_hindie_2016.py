"""177Lu in spheres of 10 um to 10 mm, against CELLDOSE (Hindie et al. 2016).

Values as tabulated in the 177Lu notebook of qurit/PyCNO. Tolerance 3 %: they carry three digits, the code is of another
kind (track structure), and its list of Auger electrons is another one.
"""

from __future__ import annotations

import pytest

from nichedose.dose import sphere_s_value

GY_PER_DECAY = {10: 1.11e-3, 20: 2.33e-4, 50: 3.18e-5, 100: 6.93e-6, 200: 1.48e-6, 500: 1.69e-7, 1000: 2.94e-8,
                2000: 4.54e-9, 5000: 3.29e-10, 10000: 4.30e-11}


@pytest.mark.parametrize("diameter_um", GY_PER_DECAY)
def test_sphere(diameter_um: int) -> None:
    assert sphere_s_value("177Lu", float(diameter_um)) == pytest.approx(GY_PER_DECAY[diameter_um], rel=0.03)
