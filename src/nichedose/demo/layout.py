"""The anatomy of the synthetic section: outline, tumour region, glands, vessels, immune border.

Every length, density and level in this file is assumed. They are chosen to look like an acinar prostate carcinoma with
a cribriform, poorly perfused centre, and to be known exactly: a test object, not a statement about patients.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nichedose.demo.noise import normals, smooth_field, stream
from nichedose.fields.grid import Array, Grid

__all__ = ["CENTRE_UM", "WINDOW_UM", "Gland", "Vessel", "place_glands", "place_vessels", "section_outline",
           "smooth_step", "truth_grid", "tumour_edge"]

WINDOW_UM = 3000.0
CENTRE_UM = (1500.0, 1500.0)
_TUMOUR_CENTRE_UM = (1230.0, 1480.0)
_TUMOUR_RADIUS_UM = 1120.0
_CORE_CENTRE_UM = (1120.0, 1560.0)
_CORE_RADIUS_UM = 350.0
_GAP_UM = 17.0
# (largest radius um, throws): big acini first, so that small ones fill the gaps
_THROWS = ((165.0, 150), (140.0, 500), (115.0, 900), (92.0, 1600), (74.0, 2200), (58.0, 2600), (46.0, 2600))


@dataclass(frozen=True)
class Gland:
    """One nest of tumour epithelium with its lumens; ``wobble`` are (amplitude, phase) of the harmonics 2, 3, 4."""

    x_um: float
    y_um: float
    radius_um: float
    wobble: tuple[tuple[float, float], ...]
    lumens: tuple[tuple[float, float, float], ...]

    def depth_um(self, x_um: Array, y_um: Array) -> Array:
        """Distance inside the outline (um), negative outside; exact along rays from the centre."""
        dx, dy = x_um - self.x_um, y_um - self.y_um
        angle = np.arctan2(dy, dx)
        outline = np.ones_like(angle)
        for harmonic, (amplitude, phase) in enumerate(self.wobble, start=2):
            outline += amplitude * np.cos(harmonic * angle + phase)
        return np.asarray(self.radius_um * outline - np.hypot(dx, dy))

    def lumen(self, x_um: Array, y_um: Array) -> Array:
        """Share of the place that is open lumen, 0 to 1."""
        share = np.zeros(np.broadcast(x_um, y_um).shape)
        scale = 1.0 if len(self.lumens) > 1 else None
        for lx, ly, radius in self.lumens:
            if scale is None:  # a single lumen follows the outline of its gland
                depth = self.depth_um(x_um, y_um) - (self.radius_um - radius)
            else:
                depth = radius - np.hypot(x_um - lx, y_um - ly)
            share = np.maximum(share, smooth_step(depth, 3.0))
        return share


@dataclass(frozen=True)
class Vessel:
    x_um: float
    y_um: float
    radius_um: float


def smooth_step(depth_um: Array, width_um: float) -> Array:
    """0 outside, 1 inside, with a logistic edge."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(depth_um / width_um, -40.0, 40.0))))


def truth_grid(spacing_um: float = 10.0) -> Grid:
    """The fine grid on which the ground truth is held."""
    n = round(WINDOW_UM / spacing_um)
    return Grid((n, n), spacing_um, (spacing_um / 2.0, spacing_um / 2.0))


def section_outline(seed: int, x_um: Array, y_um: Array) -> Array:
    """Distance inside the edge of the tissue (um), roughly; negative where there is no tissue."""
    dx, dy = x_um - CENTRE_UM[0], y_um - CENTRE_UM[1]
    radius = (np.abs(dx) ** 3 + np.abs(dy) ** 3) ** (1.0 / 3.0)
    return np.asarray(1430.0 + 35.0 * smooth_field(seed, "outline", x_um, y_um, 350.0) - radius)


def tumour_edge(seed: int, x_um: Array, y_um: Array) -> Array:
    """Distance inside the invasive border (um), roughly; negative outside the tumour."""
    dx, dy = x_um - _TUMOUR_CENTRE_UM[0], y_um - _TUMOUR_CENTRE_UM[1]
    ripple = 70.0 * smooth_field(seed, "border", x_um, y_um, 260.0)
    return np.asarray(_TUMOUR_RADIUS_UM + ripple - np.hypot(dx / 1.05, dy))


def place_glands(seed: int) -> tuple[Gland, ...]:
    """The cribriform core first, then acini of falling size thrown into what is left of the tumour region."""
    rng = stream(seed, "glands")
    glands = [_core(seed)]
    for largest, throws in _THROWS:
        x, y = rng.random(throws) * WINDOW_UM, rng.random(throws) * WINDOW_UM
        size = largest * (0.84 + 0.16 * rng.random(throws))
        lumen_share = 0.34 + 0.28 * rng.random(throws)
        wobbles = [_wobble(rng, 0.13) for _ in range(throws)]
        room = (tumour_edge(seed, x, y) > 0.6 * size) & (section_outline(seed, x, y) > 0.7 * size)
        for i in np.flatnonzero(room):
            if _is_clear(glands, x[i], y[i], size[i], wobbles[i]):
                lumen = ((float(x[i]), float(y[i]), float(size[i] * lumen_share[i])),) if size[i] > 50.0 else ()
                glands.append(Gland(float(x[i]), float(y[i]), float(size[i]), wobbles[i], lumen))
    return tuple(glands)


def _core(seed: int) -> Gland:
    rng = stream(seed, "core")
    lumens: list[tuple[float, float, float]] = []
    while len(lumens) < 13:
        angle, reach = 2.0 * np.pi * rng.random(), 0.78 * _CORE_RADIUS_UM * np.sqrt(rng.random())
        x, y = _CORE_CENTRE_UM[0] + reach * np.cos(angle), _CORE_CENTRE_UM[1] + reach * np.sin(angle)
        radius = 20.0 + 18.0 * float(rng.random())
        if all(np.hypot(x - lx, y - ly) > radius + lr + 45.0 for lx, ly, lr in lumens):
            lumens.append((float(x), float(y), radius))
    return Gland(*_CORE_CENTRE_UM, _CORE_RADIUS_UM, _wobble(rng, 0.16), tuple(lumens))


def _wobble(rng: np.random.Generator, size: float) -> tuple[tuple[float, float], ...]:
    amplitudes = np.clip(np.abs(normals(rng, 3)), 0.2, 1.8) * size / np.array([1.0, 1.6, 2.5])
    phases = 2.0 * np.pi * rng.random(3)
    return tuple((float(a), float(p)) for a, p in zip(amplitudes, phases, strict=True))


def _is_clear(glands: list[Gland], x: float, y: float, size: float, wobble: tuple[tuple[float, float], ...]) -> bool:
    """True where a new outline keeps the gap to all others, tested at 24 points of the outline."""
    angle = 2.0 * np.pi * np.arange(24) / 24
    reach = size * (1.0 + sum(a * np.cos(n * angle + phase) for n, (a, phase) in enumerate(wobble, start=2)))
    px, py = x + reach * np.cos(angle), y + reach * np.sin(angle)
    for other in glands:
        near = np.hypot(other.x_um - x, other.y_um - y) < 1.5 * (other.radius_um + size) + _GAP_UM
        if near and float(other.depth_um(np.append(px, x), np.append(py, y)).max()) > -_GAP_UM:
            return False
    return True


def place_vessels(seed: int, glands: tuple[Gland, ...]) -> tuple[Vessel, ...]:
    """Vessels in the stroma: dense at the invasive border, none inside nests, few around the core."""
    rng = stream(seed, "vessels")
    tries = 9000
    x, y = rng.random(tries) * WINDOW_UM, rng.random(tries) * WINDOW_UM
    keep, size = rng.random(tries), rng.random(tries)
    depth = np.max([g.depth_um(x, y) for g in glands], axis=0)
    edge = tumour_edge(seed, x, y)
    from_core = np.hypot(x - _CORE_CENTRE_UM[0], y - _CORE_CENTRE_UM[1]) - _CORE_RADIUS_UM
    wanted = np.where(edge > 0.0, 0.75, 0.40) + 0.25 * np.exp(-((edge / 120.0) ** 2))
    wanted *= 0.12 + 0.88 * smooth_step(from_core - 190.0, 60.0)
    wanted *= np.clip(1.0 + 0.35 * smooth_field(seed, "vessel density", x, y, 300.0), 0.1, 2.0)
    usable = (depth < -7.0) & (section_outline(seed, x, y) > 25.0) & (keep < wanted)
    vessels: list[Vessel] = []
    for i in np.flatnonzero(usable):
        radius = 5.0 + 5.0 * float(size[i]) if size[i] < 0.94 else 14.0 + 150.0 * float(size[i] - 0.94)
        if all(np.hypot(x[i] - v.x_um, y[i] - v.y_um) > 26.0 + radius + v.radius_um for v in vessels):
            vessels.append(Vessel(float(x[i]), float(y[i]), radius))
    return tuple(vessels)
