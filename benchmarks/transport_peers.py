"""One 20-day transport run on a patchy section: nichedose, and general solvers used as their documentation advises.

    python benchmarks/transport_peers.py [--size 128] [--case peptide] [--limit 600] [--peers scipy cvode fipy]

Needs an environment of its own: pip install nichedose scikit-sundae fipy py-pde diffrax. All on one thread.

The answer is the 177Lu integral of free + bound + internalised ligand, its error that of the worst voxel against our
own run at tolerance 1e-7 (which SciPy's BDF confirms, see tests/validation/test_transport_oracle.py). Each solver, ours
too, runs through its ladder of tolerances or step numbers until the error is below 1e-3, or its time is over; the time
told is the processor time of the rung that got there, warm. Explicit methods, whose time goes with the simulated one,
run to ends that grow until the limit: their row says how far they came.

- scipy: `solve_ivp` BDF with the exact sparse Jacobian, the label integral as a further unknown.
- cvode: BDF with GMRES, exact Jacobian-vector products, and a preconditioner that eliminates bound and internalised
  ligand and the integral exactly and factorises the rest (SuperLU).
- fipy: coupled equations (``&``) of free and bound ligand, sources linearised and implicit, swept until the
  residual has fallen by 1e-4, log-spaced steps.
- pde (py-pde): expressions compiled with numba, adaptive Runge-Kutta, no-flux boundaries. Its implicit solver iterates
  to a fixed point, which does not converge at steps beyond the explicit ones.
- diffrax-implicit: Kvaerno5 with a matrix-free GMRES (its dense default would factorise a matrix of 34 GB at 128^2);
  diffrax-explicit: Tsit5. Both with PID control, in float64.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from nichedose.transport import simulate
from transport_cases import ANTIBODY, LABELS, PEPTIDE, SLOW, SMALL, TIGHT, independent_rhs, section, total

CASES = {"peptide": (PEPTIDE, SMALL, 2.0), "tight": (TIGHT, SMALL, 2.0), "antibody": (ANTIBODY, SLOW, 0.07)}
PEERS = ("scipy", "cvode", "fipy", "pde", "diffrax-implicit", "diffrax-explicit")
END_H, WANTED = 480.0, 1e-3
DECAY = LABELS["177Lu"]
ENDS_H = [*(0.01 * 4.0 ** np.arange(8)), END_H]  # for solvers that may not reach the end
ONE_THREAD = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"),
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}
# what was asked, h reached, seconds, answer (a map, or None short of the end); an empty one once all is compiled
Rung = tuple[str, float, float, Any]
READY: Rung = ("", 0.0, 0.0, None)


class Problem:
    """The fields of one case, in h and um, and the exact answer."""

    def __init__(self, name: str, n: int) -> None:
        self.n = n
        self.ligand, self.plasma, exchange = CASES[name]
        self.tissue = section(n, exchange=exchange)
        self.k, self.sites = self.tissue.exchange_per_h, self.tissue.target_nmol_per_L
        self.eps = self.ligand.void_fraction
        self.spread = self.ligand.diffusivity_um2_per_s * 3600.0
        self.rates = tuple(getattr(self.ligand, field) for field in (
            "association_L_per_nmol_per_h", "dissociation_per_h", "internalisation_per_h", "release_per_h"))

    def level(self, t: float) -> float:
        return float(sum(a * np.exp(-r * t) for a, r in zip(
            self.plasma.amplitudes_nmol_per_L, self.plasma.rates_per_h, strict=True)))

    def ours(self, tolerance: float) -> Any:
        run = simulate(self.tissue, self.ligand, self.plasma, end_h=END_H, decay_per_h={"177Lu": DECAY},
                       tolerance=tolerance)
        return total(run, "177Lu")


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of this process, which has one thread: other work on the machine matters little."""
    start = time.process_time()
    found = work()
    return time.process_time() - start, found


def nichedose(p: Problem) -> Iterator[Rung]:
    p.ours(1e-2)
    yield READY
    for tolerance in (1e-2, 5e-3, 2e-3, 1e-3, 5e-4):
        seconds, found = min((timed(lambda t=tolerance: p.ours(t)) for _ in range(5)), key=lambda s: s[0])
        yield f"tolerance {tolerance:g}", END_H, seconds, found


def scipy(p: Problem) -> Iterator[Rung]:
    from scipy.integrate import solve_ivp

    cells = p.n**2
    yield READY
    rhs, jacobian = independent_rhs(p.tissue, p.ligand, p.plasma, np.array([DECAY]))
    for rtol in (3e-3, 1e-3, 3e-4, 1e-4):
        seconds, found = timed(lambda r=rtol: solve_ivp(
            rhs, (0.0, END_H), np.zeros(4 * cells), method="BDF", jac=jacobian, rtol=r, atol=0.1 * r))
        yield f"rtol {rtol:g}", END_H, seconds, found.y[3 * cells :, -1].reshape(p.n, p.n)


def cvode(p: Problem) -> Iterator[Rung]:
    from sksundae.cvode import CVODE, CVODEJacTimes, CVODEPrecond

    yield READY
    for rtol in (1e-3, 3e-4, 1e-4, 3e-5):
        functions = _Eliminated(p)
        solver = CVODE(
            functions.rhs, method="BDF", rtol=rtol, atol=0.1 * rtol, linsolver="gmres", krylov_dim=10,
            max_num_steps=100_000, precond=CVODEPrecond(functions.set_up, functions.solve),
            jactimes=CVODEJacTimes(None, functions.times))
        seconds, found = timed(lambda s=solver: s.solve(np.array([0.0, END_H]), np.zeros(4 * p.n**2)))
        yield f"rtol {rtol:g}", float(found.t[-1]), seconds, np.asarray(found.y)[-1, 3 * p.n**2 :].reshape(p.n, p.n)


class _Eliminated:
    """Right-hand side, Jacobian times a vector, and the block-eliminating preconditioner of CVODE."""

    def __init__(self, p: Problem) -> None:
        import scipy.sparse as sp

        self.p, self.cells = p, p.n**2
        line = sp.diags([np.ones(p.n - 1)] * 2, [-1, 1])
        neighbours = sp.kron(sp.identity(p.n), line) + sp.kron(line, sp.identity(p.n))
        degree = np.asarray(neighbours.sum(axis=1)).ravel()
        self.laplace = (p.spread / 20.0**2) * (neighbours - sp.diags(degree)).tocsr()
        self.k, self.sites = p.k.ravel(), p.sites.ravel()

    def rhs(self, t: float, y: Any, out: Any) -> None:
        (kon, koff, kint, krel), p = self.p.rates, self.p
        f, b, i, _ = y.reshape(4, -1)
        d = out.reshape(4, -1)
        on = kon * f * (self.sites - b) - koff * b
        d[0] = self.laplace @ f + (self.k * (p.level(t) - f) - on) / p.eps
        d[1] = on - kint * b
        d[2] = kint * b - krel * i
        d[3] = np.exp(-DECAY * t) * (p.eps * f + b + i)

    def times(self, t: float, y: Any, yp: Any, v: Any, out: Any) -> None:
        (kon, koff, kint, krel), p = self.p.rates, self.p
        f, b, _, _ = y.reshape(4, -1)
        x, z, w, _ = v.reshape(4, -1)
        d = out.reshape(4, -1)
        on = kon * (self.sites - b) * x - (kon * f + koff) * z
        d[0] = self.laplace @ x - (self.k * x + on) / p.eps
        d[1] = on - kint * z
        d[2] = kint * z - krel * w
        d[3] = np.exp(-DECAY * t) * (p.eps * x + z + w)

    def set_up(self, t: float, y: Any, yp: Any, jok: int, jnew: Any, gamma: float) -> None:
        import scipy.sparse as sp
        from scipy.sparse.linalg import splu

        (kon, koff, kint, _), p = self.p.rates, self.p
        f, b, _, _ = y.reshape(4, -1)
        self.to_b, self.from_b = gamma * kon * (self.sites - b), gamma * (kon * f + koff)
        self.held = 1.0 + self.from_b + gamma * kint
        local = 1.0 + (gamma * self.k + self.to_b - self.from_b * self.to_b / self.held) / p.eps
        self.factors = splu(sp.csc_matrix(sp.diags(local) - gamma * self.laplace), permc_spec="MMD_AT_PLUS_A",
                            options={"SymmetricMode": True})
        self.gamma, jnew[0] = gamma, 1

    def solve(self, t: float, y: Any, yp: Any, r: Any, out: Any, gamma: float, delta: float, side: int) -> None:
        (_, _, kint, krel), p = self.p.rates, self.p
        rf, rb, ri, rq = r.reshape(4, -1)
        z = out.reshape(4, -1)
        z[0] = self.factors.solve(rf + self.from_b * rb / self.held / p.eps)
        z[1] = (rb + self.to_b * z[0]) / self.held
        z[2] = (ri + gamma * kint * z[1]) / (1.0 + gamma * krel)
        z[3] = rq + gamma * np.exp(-DECAY * t) * (p.eps * z[0] + z[1] + z[2])


def fipy(p: Problem) -> Iterator[Rung]:
    from fipy import CellVariable, DiffusionTerm, Grid2D, ImplicitSourceTerm, TransientTerm

    mesh = Grid2D(nx=p.n, ny=p.n, dx=20.0, dy=20.0)
    k, sites = CellVariable(mesh=mesh, value=p.k.ravel()), p.sites.ravel()
    kon, koff, kint, krel = p.rates

    def march(steps: int) -> Any:
        free, bound = (CellVariable(mesh=mesh, hasOld=True, value=0.0) for _ in range(2))
        supply = CellVariable(mesh=mesh, value=0.0)
        open_sites = CellVariable(mesh=mesh, value=kon * sites)
        slope, known = (CellVariable(mesh=mesh, value=0.0) for _ in range(2))  # of binding, linearised in both
        on = ImplicitSourceTerm(coeff=open_sites, var=free) - ImplicitSourceTerm(coeff=slope, var=bound) + known
        off = ImplicitSourceTerm(coeff=koff, var=bound)
        free_equation = TransientTerm(coeff=p.eps, var=free) == (
            DiffusionTerm(coeff=p.eps * p.spread, var=free) + supply - ImplicitSourceTerm(coeff=k, var=free) - on + off)
        bound_equation = TransientTerm(var=bound) == on - off - ImplicitSourceTerm(coeff=kint, var=bound)
        both = free_equation & bound_equation
        inside, integral, before, last = np.zeros(p.n**2), np.zeros(p.n**2), np.zeros(p.n**2), 0.0
        for t in 0.02 * np.expm1(np.linspace(0.0, np.log1p(END_H / 0.02), steps + 1))[1:]:
            dt = float(t - last)
            supply.value = k.value * p.level(float(t))
            free.updateOld(), bound.updateOld()
            first = 0.0
            for _ in range(10):
                open_sites.value, slope.value = kon * (sites - bound.value), kon * free.value
                known.value = kon * free.value * bound.value
                residual = both.sweep(dt=dt)
                first = max(first, residual)
                if residual <= 1e-4 * first:
                    break
            inside = (inside + dt * kint * bound.value) / (1.0 + dt * krel)
            content = np.exp(-DECAY * t) * (p.eps * free.value + bound.value + inside)
            integral += 0.5 * dt * (before + content)
            before, last = content, float(t)
        return integral.reshape(p.n, p.n)

    yield READY
    for steps in (50, 100, 200, 400, 800, 1600, 3200):
        seconds, found = timed(lambda s=steps: march(s))
        yield f"{steps} steps", END_H, seconds, found


def pde(p: Problem) -> Iterator[Rung]:
    import pde as py_pde

    grid = py_pde.CartesianGrid([[0.0, 20.0 * p.n]] * 2, [p.n, p.n])
    kon, koff, kint, krel = p.rates
    plasma = " + ".join(f"{a} * exp(-{r} * t)" for a, r in zip(
        p.plasma.amplitudes_nmol_per_L, p.plasma.rates_per_h, strict=True))
    on = f"({kon} * f * (sites - b) - {koff} * b)"
    model = py_pde.PDE(
        {"f": f"{p.spread} * laplace(f) + (k * ({plasma} - f) - {on}) / {p.eps}",
         "b": f"{on} - {kint} * b", "i": f"{kint} * b - {krel} * i", "q": f"exp(-{DECAY} * t) * ({p.eps} * f + b + i)"},
        bc={"derivative": 0.0}, consts={"k": py_pde.ScalarField(grid, p.k), "sites": py_pde.ScalarField(grid, p.sites)})
    start = py_pde.FieldCollection([py_pde.ScalarField(grid, 0.0) for _ in range(4)])

    def march(end: float) -> Any:
        return model.solve(start, t_range=end, dt=1e-6, solver="runge-kutta", adaptive=True, tolerance=1e-3,
                           backend="numba", tracker=None).data[3]

    march(1e-4)
    yield READY
    for end in ENDS_H:
        seconds, found = timed(lambda e=end: march(e))
        yield "tolerance 1e-3", end, seconds, found if end == END_H else None


def diffrax(p: Problem, implicit: bool) -> Iterator[Rung]:
    import diffrax as dfx
    import jax
    import jax.numpy as jnp
    import lineax
    import optimistix

    jax.config.update("jax_enable_x64", True)
    kon, koff, kint, krel = p.rates
    amplitudes, rates = jnp.array(p.plasma.amplitudes_nmol_per_L), jnp.array(p.plasma.rates_per_h)
    k, sites = jnp.array(p.k), jnp.array(p.sites)

    def rhs(t: Any, y: Any, _: Any) -> Any:
        f, b, i, _ = y
        edge = jnp.pad(f, 1, mode="edge")
        laplace = edge[2:, 1:-1] + edge[:-2, 1:-1] + edge[1:-1, 2:] + edge[1:-1, :-2] - 4.0 * f
        on = kon * f * (sites - b) - koff * b
        level = jnp.sum(amplitudes * jnp.exp(-rates * t))
        free = p.spread / 20.0**2 * laplace + (k * (level - f) - on) / p.eps
        return free, on - kint * b, kint * b - krel * i, jnp.exp(-DECAY * t) * (p.eps * f + b + i)

    gmres = lineax.GMRES(rtol=1e-3, atol=1e-6, max_steps=2000, restart=50, stagnation_iters=200)
    newton = dfx.with_stepsize_controller_tols(optimistix.Newton)(linear_solver=gmres)
    solver = dfx.Kvaerno5(root_finder=newton) if implicit else dfx.Tsit5()

    @jax.jit
    def march(end: Any) -> Any:
        return dfx.diffeqsolve(
            dfx.ODETerm(rhs), solver, 0.0, end, 1e-5, (jnp.zeros((p.n, p.n)),) * 4, max_steps=None,
            saveat=dfx.SaveAt(t1=True), stepsize_controller=dfx.PIDController(rtol=1e-3, atol=1e-4),
            adjoint=dfx.RecursiveCheckpointAdjoint(checkpoints=1)).ys[3][0]

    march(1e-4).block_until_ready()
    yield READY
    for end in ENDS_H:
        seconds, found = timed(lambda e=end: march(e).block_until_ready())
        yield "rtol 1e-3", end, seconds, np.asarray(found) if end == END_H else None


def child(name: str, case: str, n: int, limit_s: float) -> None:
    """Run one solver's ladder; a line of JSON after each rung."""
    problem = Problem(case, n)
    exact = problem.ours(1e-7)
    ladders: dict[str, Callable[[], Iterator[Rung]]] = {
        "nichedose": lambda: nichedose(problem), "scipy": lambda: scipy(problem), "cvode": lambda: cvode(problem),
        "fipy": lambda: fipy(problem), "pde": lambda: pde(problem),
        "diffrax-implicit": lambda: diffrax(problem, True), "diffrax-explicit": lambda: diffrax(problem, False),
    }
    for asked, reached, seconds, found in ladders[name]():
        if not asked:
            # compilation and our own exact answer do not count
            ends = int(time.process_time() + limit_s) + 1
            resource.setrlimit(resource.RLIMIT_CPU, (ends, resource.RLIM_INFINITY))
            continue
        error = None if found is None else float(np.abs(found / exact - 1.0).max())
        print(json.dumps({"asked": asked, "reached_h": reached, "seconds": seconds, "error": error}), flush=True)
        if error is not None and error <= WANTED:
            return


def follow(name: str, case: str, n: int, limit_s: float) -> tuple[dict[str, Any] | None, str]:
    """The last rung that a solver finished within its limit, and why it ended."""
    command = [sys.executable, __file__, "--child", name, "--case", case, "--size", str(n), "--limit", str(limit_s)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **ONE_THREAD})
    last: dict[str, Any] | None = None
    end = "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["ended abruptly"])[-1]
    if done.returncode == -signal.SIGXCPU:
        end = f"stopped after {limit_s:g} s"
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            last = json.loads(line)
    return last, end


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128, help="voxels per side")
    parser.add_argument("--case", choices=list(CASES), default="peptide")
    parser.add_argument("--limit", type=float, default=600.0, help="processor seconds for each solver, all rungs")
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=PEERS)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.case, arguments.size, arguments.limit)
        return
    print(f"{arguments.case}, {arguments.size} x {arguments.size} voxels, 20 d, 177Lu integral to {WANTED:g} in the "
          f"worst voxel; {arguments.limit:g} s for each")
    base = None
    for name in ("nichedose", *arguments.peers):
        last, end = follow(name, arguments.case, arguments.size, arguments.limit)
        if last is None:
            print(f"{name:17s} nothing finished: {end}", flush=True)
            continue
        base = last["seconds"] if base is None else base
        error = "" if last["error"] is None else f"error {last['error']:.1e}"
        far = "" if last["reached_h"] == END_H else f"reached {last['reached_h']:.3g} h of {END_H:g}"
        print(f"{name:17s} {last['seconds']:9.3f} s {last['seconds'] / base:8.1f} x  {last['asked']:16s} {error}{far} "
              f"{end}", flush=True)


if __name__ == "__main__":
    main()
