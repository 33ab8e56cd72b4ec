"""Small lesions for tests of courses and decisions: a few voxels, two or three agents, organs with limits."""

from __future__ import annotations

import numpy as np

from nichedose.decide import AgentResponse, LesionResponse, OrganTerm

TIMES_H = np.linspace(0.0, 1500.0, 6001)


def agent(
    name: str, seed: int, n: int = 40, *, target: str = "PSMA", half_life_h: float = 50.0, alpha: bool = False,
    kidney: float = 4e-4, quadratic_organ: float = 0.0, prescribed_MBq: float = 5000.0,
) -> AgentResponse:
    rng = np.random.default_rng(seed)
    linear = rng.lognormal(0.0, 0.6, (2, n)) * 2e-4
    linear[1] *= 0.4
    quadratic = np.zeros((2, n)) if alpha else 1e-9 * rng.lognormal(0.0, 0.6, (2, n))
    rate = np.exp(-np.log(2.0) / half_life_h * TIMES_H)
    organs = (OrganTerm("kidney", "absorbed_dose", kidney, 0.0, 20.0, 0.0),
              OrganTerm("marrow", "absorbed_dose", 3e-5, quadratic_organ, 2.0, 0.0))
    return AgentResponse(name, target, linear, quadratic, 2e-3, prescribed_MBq, TIMES_H, rate, organs)


def lesion(seed: int = 0, n: int = 40, **more: AgentResponse) -> LesionResponse:
    rng = np.random.default_rng(seed)
    agents = {"A": agent("A", seed + 1, n), "B": agent("B", seed + 2, n, target="FAP", half_life_h=30.0, kidney=1e-4),
              "C": agent("C", seed + 3, n, alpha=True, half_life_h=200.0)} | more
    return LesionResponse(agents, rng.uniform(0.5, 2.0, n), {"PSMA": 0.8, "FAP": 0.0}, np.log(2.0) / 1.5, 1e6)
