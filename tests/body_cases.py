"""Bodies for the tests of whole-body kinetics."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from nichedose.body import BodyLigand, BodyModel, Patient, Tumour, anatomy, body_ligand, body_model
from nichedose.fields.grid import Array
from nichedose.library import load_library
from nichedose.library.bodies import load_bodies
from nichedose.values import Draw

BODIES = load_bodies()
PHYSIOLOGY = BODIES.physiology
LU177 = math.log(2.0) / 159.5
LESION = Tumour("tumour", 100.0, 0.26, 0.6, 50.0)


def ligand(form: str = "PSMA-617", draw: Draw | None = None, **changes: Any) -> BodyLigand:
    made = body_ligand(load_library().forms[form], BODIES.of_form(form), PHYSIOLOGY.antibody, draw)
    return dataclasses.replace(made, **changes)


def patient(*tumours: Tumour, **changes: Any) -> Patient:
    return Patient(weight_kg=80.0, tumours=tumours or (LESION,), **changes)


def model(form: str = "PSMA-617", who: Patient | None = None, **changes: Any) -> BodyModel:
    who = who if who is not None else patient()
    return body_model(who, anatomy(who, PHYSIOLOGY), ligand(form, **changes))


def right_hand_side(body: BodyModel, y: Array, taken: Array | None = None) -> Array:
    """The equations, state by state, written without the engine; ``taken`` are the amounts that occupy sites."""
    taken = y if taken is None else taken
    net = body.network
    out = np.zeros_like(y)
    for t in net.transfers:
        flux = body.rates[t.rate] * y[net.index(t.source)]
        out[net.index(t.source)] -= flux
        out[net.index(t.destination)] += flux
    for b in net.bindings:
        used = sum(taken[net.index(o.bound)] for o in net.bindings if o.sites == b.sites)
        flux = body.rates[b.on] * y[net.index(b.free)] * (body.sites[b.sites] - used)
        out[net.index(b.free)] -= flux
        out[net.index(b.bound)] += flux
    return out


def linear_matrix(body: BodyModel) -> Array:
    """dy/dt = matrix y where nothing binds."""
    net = body.network
    matrix = np.zeros((len(net.states), len(net.states)))
    for t in net.transfers:
        matrix[net.index(t.source), net.index(t.source)] -= body.rates[t.rate]
        matrix[net.index(t.destination), net.index(t.source)] += body.rates[t.rate]
    return matrix
