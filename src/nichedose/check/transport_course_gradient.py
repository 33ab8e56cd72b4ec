"""The adjoint of a treatment course: what its regimen owes where that has a closed form."""

from __future__ import annotations

import math

import numpy as np

from nichedose.body import PlasmaCurve
from nichedose.check.row import CheckRow
from nichedose.fields import voxel_mesh
from nichedose.transport import Batch, Given, Ligand, differentiate_course
from nichedose.transport.course_gradient import CourseIntegrals

__all__ = ["rows"]

AMPLITUDE, CLEARED, ENTER, LEAVE, VOID = 20.0, 0.4, 1.5, 0.9, 0.3
DECAY, FIRST_H, SECOND_H, END_H = float(np.log(2.0)) / 9.0, 1.0, 5.0, 12.0


def rows() -> list[CheckRow]:
    """Two injections into well-mixed tissue without sites; the second one's integral ends long before it is over."""
    ligand = Ligand("tracer", 100.0, VOID, ENTER, LEAVE)
    batches = [Batch(name, "tracer", Given(PlasmaCurve((AMPLITUDE,), (CLEARED,)), at), {"label": DECAY})
               for name, at in (("first", FIRST_H), ("second", SECOND_H))]  # fmt: skip
    mesh = voxel_mesh(np.ones((1, 1), bool), 20.0)

    def both(maps: CourseIntegrals) -> tuple[float, CourseIntegrals]:
        """The second integral less a third of the first one."""
        signs = {"first": -1.0 / 3.0, "second": 1.0}
        wanted = {(name, "label"): {name: np.full((1, 1), sign)} for name, sign in signs.items()}
        return sum(float(maps[key][key[0]].item()) * signs[key[0]] for key in wanted), wanted

    found = differentiate_course(mesh, [], [ligand], batches, both, end_h=END_H, tolerance=1e-7)
    second, first = found.batches["second"], found.batches["first"]
    source = "closed form of two exponentials, d (integral of the label) / d"
    pairs = {
        "amount": (second.log_amount, _integral(END_H - SECOND_H), "nmol h/L"),
        "start": (second.start_h, -_content(END_H - SECOND_H), "nmol/L"),
        "earlier_start": (first.start_h, _content(END_H - FIRST_H) / 3.0, "nmol/L"),
    }
    return [
        CheckRow(f"transport.course_gradient.{name}", f"{source} {name.replace('_', ' ')}", "analytic", ours, known,
                 1e-6, unit=unit)
        for name, (ours, known, unit) in pairs.items()
    ]  # fmt: skip


def _content(since_h: float) -> float:
    """Label per tissue volume, decay since its start included."""
    washed = LEAVE / VOID
    shape = math.exp(-CLEARED * since_h) - math.exp(-washed * since_h)
    return math.exp(-DECAY * since_h) * ENTER * AMPLITUDE / (washed - CLEARED) * shape


def _integral(until_h: float) -> float:
    washed = LEAVE / VOID
    slow, quick = (-math.expm1(-(r + DECAY) * until_h) / (r + DECAY) for r in (CLEARED, washed))
    return ENTER * AMPLITUDE / (washed - CLEARED) * (slow - quick)
