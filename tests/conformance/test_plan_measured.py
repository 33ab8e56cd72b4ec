"""`nichedose plan` with measured activity: the lesion holds what was measured, organs have their own dose."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from plan_cases import demo_case

from nichedose.case import MeasuredActivityTable
from nichedose.study.responses import prepare
from nichedose.study.section_maps import tissue_maps
from nichedose.study.world import World

TIMES, MBQ = (24.0, 96.0), (20.0, 9.0)


def test_a_plan_takes_uptake_plasma_and_organs_from_what_was_measured(tmp_path: Path) -> None:
    case, path = demo_case(tmp_path / "demo", draws=2)
    rows = [f"lesion,{t},{a},MBq,false" for t, a in zip(TIMES, MBQ, strict=True)]
    rows += ["kidney,24,400,MBq,false", "kidney,96,60,MBq,false"]
    (path.parent / "scans.csv").write_text("\n".join(["place,time_h,value,unit,decay_corrected", *rows]))
    table = MeasuredActivityTable.model_validate(
        {"path": "scans.csv", "form": "PSMA-617", "radionuclide": "177Lu", "injected": "7.4 GBq"})
    plain = prepare(case, path)
    setup = prepare(case.model_copy(update={"measured_activity": (table,)}), path)
    assert plain.measured is None and setup.measured is not None
    mine = next(c for c in setup.candidates if c.name == "177Lu-PSMA-617")

    world = World(setup, setup.draw(), tissue_maps(setup, setup.draw(), 60.0), pairs=None)
    assert world.maps[0].targets["PSMA"].anchor == "60 nmol/L, uptake of PSMA-617 as measured"
    runs = world.runs(mine)
    weights = [m.mask.sum() for m in world.maps]
    volume_mL = math.pi / 6.0 * case.lesion.diameter**3 * 1e-3
    ratios = []
    for time, amount in zip(TIMES, MBQ, strict=True):
        held = sum(w * r.percent_per_mL(time, m.mask) for w, r, m in zip(weights, runs, world.maps, strict=True))
        measured = 100.0 * amount * math.exp(math.log(2.0) / 159.5 * time) / 7400.0 / volume_mL
        ratios.append(math.log(runs[0].uptake_factor * held / sum(weights) / measured))
    assert sum(ratios) == pytest.approx(0.0, abs=2e-3)  # half-life of the library against 159.5 h

    kidney = next(c for c in setup.form_in_patient(mine).dose_coefficients
                  if (c.organ, c.radionuclide) == ("kidney", "177Lu"))
    assert kidney.derived_from == "this patient's measurements"
    assert kidney.Gy_per_GBq.geometric_sd is not None and 1.0 < kidney.Gy_per_GBq.geometric_sd < 1.5
    key = "form.PSMA-617.body.target_nmol_per_L.kidney"
    value = setup.measured.names.index(key)
    assert setup.draw().scores[key] == setup.measured.most_probable[value]  # type: ignore[attr-defined]
    assert setup.draw(0).scores[key] != setup.draw(1).scores[key]  # type: ignore[attr-defined]
    assert setup.measured.falling == {"177Lu-PSMA-617", "225Ac-PSMA-617"} & {c.name for c in setup.candidates}
    world.tolerance(mine)
    assert "answer.uptake_cycle_2" in world.draw.used  # the fall of the target over cycles, told with its source
    other = next(c for c in setup.candidates if c.form.name == "FAP-2286")
    assert setup.form_in_patient(other) == plain.form_in_patient(other)
