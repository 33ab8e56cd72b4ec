"""Whole-body kinetics: patients per second and core, beside SciPy's BDF and libRoadRunner at equal accuracy.

1,000 virtual patients with 177Lu-PSMA-617, 30 days, one time integral per organ. Every tool runs at the loosest of its
tolerances whose worst organ integral, over a sample of patients, is within the error wanted of a run of 2,560 steps.
Seconds are those of the processor, on one thread, the best of five runs of each.

    python benchmarks/body.py [--roadrunner PYTHON]

``--roadrunner`` names a Python that has libroadrunner and antimony; without it that line is left out.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp
from threadpoolctl import threadpool_limits

from nichedose.body import BodyModel, Injection, Regimen, anatomy, body_ligand, body_model, integrate_population
from nichedose.library import load_library
from nichedose.library.bodies import load_bodies
from nichedose.study.whole_body import reference_patient
from nichedose.values import Draw

DECAY = math.log(2.0) / 159.5
END_H = 720.0
NMOL = 57.0
REGIMEN = Regimen((Injection(NMOL, 7400.0),))
PATIENTS, SAMPLE, REPEAT = 1000, 8, 5
TOLERANCES = [1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6, 3e-7, 1e-7, 3e-8, 1e-8, 3e-9, 1e-9]

ROADRUNNER = """
import json, sys, time
import numpy as np, antimony, roadrunner
task = json.load(open(sys.argv[1]))
antimony.loadAntimonyString(task["model"])
rr = roadrunner.RoadRunner(antimony.getSBMLString(antimony.getMainModuleName()))
names = task["names"]
rr.timeCourseSelections = ["time", *task["integrals"]]
ids = list(rr.model.getGlobalParameterIds())
index = [ids.index(n) for n in names]
out = []
for rtol, atol, patients in task["runs"]:
    rr.integrator.setValue("relative_tolerance", rtol)
    rr.integrator.setValue("absolute_tolerance", atol)
    rr.integrator.setValue("maximum_num_steps", 200000)
    seconds = []
    for _ in range(task["repeat"]):
        found = []
        begin = time.process_time()
        for values in patients:
            rr.resetAll()
            rr.model.setGlobalParameterValues(index, values)
            try:
                found.append(list(np.asarray(rr.simulate(0.0, task["end"], 2))[-1][1:]))
            except RuntimeError:  # too loose a tolerance for it
                found.append([float("nan")] * len(task["integrals"]))
        seconds.append(time.process_time() - begin)
    out.append([min(seconds), found])
json.dump(out, open(sys.argv[2], "w"))
"""


def population(n: int) -> list[BodyModel]:
    bodies, form = load_bodies(), load_library().forms["PSMA-617"]
    models = []
    for index in range(n):
        draw = Draw(seed=3, index=index)
        who = reference_patient(form, draw)
        ligand = body_ligand(form, bodies.of_form(form.name), bodies.physiology.antibody, draw)
        models.append(body_model(who, anatomy(who, bodies.physiology, draw), ligand))
    return models


def organ_rows(model: BodyModel) -> list[list[int]]:
    states = model.network.states
    return [[i for i, s in enumerate(states) if s.organ == organ] for organ in model.network.organs]


def ours(models: list[BodyModel], steps: int, threads: int = 1) -> tuple[float, np.ndarray]:
    begin = time.process_time()
    run = integrate_population(models, REGIMEN, decay_per_h={"177Lu": DECAY}, end_h=END_H, steps=steps, threads=threads)
    seconds = time.process_time() - begin
    integrals = run.integrals_nmol_h[:, 0, 0]
    return seconds, np.stack([integrals[:, rows].sum(axis=1) for rows in organ_rows(models[0])], axis=1)


def scipy_bdf(models: list[BodyModel], rtol: float) -> tuple[float, np.ndarray]:
    """Amounts and one integral per organ, with the analytic Jacobian."""
    net, rows = models[0].network, organ_rows(models[0])
    n = len(net.states)
    names = {name: i for i, name in enumerate(net.names)}
    free = np.array([names[b.free] for b in net.bindings])
    bound = np.array([names[b.bound] for b in net.bindings])
    gather = np.zeros((len(rows), n))
    for k, mine in enumerate(rows):
        gather[k, mine] = 1.0
    seconds, found = 0.0, []
    for model in models:
        matrix = np.zeros((n, n))
        for t in net.transfers:
            matrix[names[t.source], names[t.source]] -= model.rates[t.rate]
            matrix[names[t.destination], names[t.source]] += model.rates[t.rate]
        on = np.array([model.rates[b.on] for b in net.bindings])
        sites = np.array([model.sites[b.sites] for b in net.bindings])

        def right(t: float, y: np.ndarray, matrix=matrix, on=on, sites=sites) -> np.ndarray:
            out = matrix @ y[:n]
            flux = on * y[free] * (sites - y[bound])
            out[free] -= flux
            out[bound] += flux
            return np.concatenate([out, math.exp(-DECAY * t) * (gather @ y[:n])])

        def jacobian(t: float, y: np.ndarray, matrix=matrix, on=on, sites=sites) -> np.ndarray:
            full = np.zeros((y.size, y.size))
            full[:n, :n] = matrix
            open_sites, slope = on * (sites - y[bound]), on * y[free]
            full[free, free] -= open_sites
            full[bound, free] += open_sites
            full[free, bound] += slope
            full[bound, bound] -= slope
            full[n:, :n] = math.exp(-DECAY * t) * gather
            return full

        start = np.zeros(n + len(rows))
        start[names["plasma"]] = NMOL
        begin = time.process_time()
        done = solve_ivp(right, (0.0, END_H), start, method="BDF", jac=jacobian, rtol=rtol, atol=rtol * 1e-3 * NMOL,
                         t_eval=[END_H])
        seconds += time.process_time() - begin
        found.append(done.y[n:, -1])
    return seconds, np.array(found)


def roadrunner(
    python: str, models: list[BodyModel], runs: list[tuple[float, int]], repeat: int = 1
) -> list[tuple[float, np.ndarray]]:
    """(rtol, patients) -> seconds (the best of ``repeat``) and integrals, in the other interpreter."""
    net, rows = models[0].network, organ_rows(models[0])
    state = {name: f"s{i}" for i, name in enumerate(net.names)}
    lines = ["model body()"]
    lines += [f"  species {s} = {NMOL if name == 'plasma' else 0};" for name, s in state.items()]
    rate = {key: f"k{i}" for i, key in enumerate(models[0].rates)}
    sites = {key: f"r{i}" for i, key in enumerate(models[0].sites)}
    for t in net.transfers:
        lines.append(f"  {state[t.source]} -> {state[t.destination]}; {rate[t.rate]}*{state[t.source]};")
    for b in net.bindings:
        left = f"({sites[b.sites]} - {state[b.bound]})"
        lines.append(f"  {state[b.free]} -> {state[b.bound]}; {rate[b.on]}*{state[b.free]}*{left};")
    for k, mine in enumerate(rows):
        total = " + ".join(state[net.names[i]] for i in mine)
        lines += [f"  q{k} = 0;", f"  q{k}' = exp(-{DECAY!r}*time)*({total});"]
    lines += [f"  {name} = 1;" for name in (*rate.values(), *sites.values())] + ["end"]
    values = [[*m.rates.values(), *m.sites.values()] for m in models]
    task = {
        "model": "\n".join(lines), "names": [*rate.values(), *sites.values()],
        "integrals": [f"q{k}" for k in range(len(rows))], "end": END_H, "repeat": repeat,
        "runs": [(rtol, rtol * 1e-3 * NMOL, values[:n]) for rtol, n in runs],
    }
    with tempfile.TemporaryDirectory() as folder:
        given, made, script = (Path(folder) / name for name in ("task.json", "out.json", "run.py"))
        given.write_text(json.dumps(task))
        script.write_text(ROADRUNNER)
        subprocess.run([python, str(script), str(given), str(made)], check=True, stderr=subprocess.DEVNULL)
        return [(seconds, np.array(found)) for seconds, found in json.loads(made.read_text())]


def loosest(error_of: Callable[[float], float], settings: Sequence[float], wanted: float) -> float:
    """The first of ``settings`` (loose to tight) whose error is small enough."""
    return next((s for s in settings if error_of(s) <= wanted), settings[-1])


def row(wanted: float, tool: str, setting: str, achieved: float, speed: float, ratio: float | None = None) -> None:
    shown = "" if ratio is None else f"{ratio:.0f}"
    print(f"| {wanted:g} | {tool} | {setting} | {achieved:.1e} | {speed:.3g} | {shown} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--roadrunner", help="a Python with libroadrunner and antimony")
    chosen = parser.parse_args()
    threadpool_limits(1)
    models = population(PATIENTS)
    sample = models[:SAMPLE]
    exact = ours(sample, 2560)[1]

    def error(found: np.ndarray) -> float:
        return float(np.abs(found / exact[: len(found)] - 1.0).max())

    print(f"{len(models[0].network.states)} states, {exact.shape[1]} integrals, {PATIENTS} patients, {END_H / 24:g} d")
    print("| wanted | tool | setting | achieved | patients/s per core | ours / it |\n|---|---|---|---|---|---|")
    others = []
    if chosen.roadrunner:
        others = roadrunner(chosen.roadrunner, sample, [(r, SAMPLE) for r in TOLERANCES])
    for wanted in (1e-3, 1e-6):
        steps = int(loosest(lambda s: error(ours(sample, int(s))[1]), range(16, 400, 4), wanted))
        speed = max(PATIENTS / ours(models, steps)[0] for _ in range(REPEAT))
        row(wanted, "nichedose", f"{steps} steps", error(ours(sample, steps)[1]), speed)
        rtol = loosest(lambda r: error(scipy_bdf(sample[:3], r)[1]), TOLERANCES, wanted)
        seconds, found = min((scipy_bdf(sample, rtol) for _ in range(REPEAT)), key=lambda run: run[0])
        row(wanted, "SciPy BDF, analytic Jacobian", f"rtol {rtol:g}", error(found), SAMPLE / seconds,
            speed * seconds / SAMPLE)
        if chosen.roadrunner:
            rtol = loosest(lambda r: error(others[TOLERANCES.index(r)][1]), TOLERANCES, wanted)
            [(seconds, found)] = roadrunner(chosen.roadrunner, models[:100], [(rtol, 100)], REPEAT)
            row(wanted, "libRoadRunner", f"rtol {rtol:g}", error(found[:SAMPLE]), 100 / seconds, speed * seconds / 100)


if __name__ == "__main__":
    main()
