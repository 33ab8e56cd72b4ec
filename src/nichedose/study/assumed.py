"""The central run with one part of the effect model taken away."""

from __future__ import annotations

import dataclasses

from nichedose.decide import LesionResponse
from nichedose.study.responses import Change, Responses, lesion_response
from nichedose.study.section_maps import tissue_maps
from nichedose.study.world import World
from nichedose.values import Draw

__all__ = ["variants_of"]


def variants_of(responses: Responses) -> dict[str, LesionResponse]:
    """Central responses without the alpha particles' RBE, without oxygen, and without the quadratic term."""
    setup = responses.setup
    draw = Draw(seed=setup.case.sampling.seed)
    world = World.of_draw(setup, draw, tissue_maps(setup, draw, responses.spacing_um))
    changes: dict[str, Change] = {
        "the RBE of alpha particles and Auger electrons":
            lambda own: dataclasses.replace(own, rbe=dict.fromkeys(own.rbe, 1.0)),
        "the protection by lack of oxygen":
            lambda own: dataclasses.replace(own, oer_max=dict.fromkeys(own.oer_max, 1.0)),
        "the quadratic term": lambda own: dataclasses.replace(own, alpha_beta_Gy=1e6),
    }
    return {label: lesion_response(world, setup.evaluable, change) for label, change in changes.items()}
