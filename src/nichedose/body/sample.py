"""The full posterior of a fit by Hamiltonian Monte Carlo (NUTS of numpyro, on JAX)."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from nichedose.body.misfit import Misfit
from nichedose.body.posterior import BodyFit
from nichedose.errors import BadInput, DidNotConverge, OutOfValidity
from nichedose.fields.grid import Array
from nichedose.fields.threads import on_one_blas_thread
from nichedose.jax_support import require_jax

__all__ = ["sample_posterior"]

PURPOSE = "Sampling the posterior of a body fit"
INSTALL = "pip install 'nichedose[bayes]'"
MOST_R_HAT, LEAST_ESS, MOST_DIVERGENT = 1.05, 100.0, 0.01
TREE_DEPTH = 6  # at most 63 steps a draw: the scores are round
FARTHEST = 8.0  # scores: priors hold 1e-15 beyond, and rates overflow far out, where the first long steps lead
SCATTER = 0.1  # of the chains' starts around the mode, in posterior standard deviations


def sample_posterior(
    fit: BodyFit, *, draws: int = 400, warmup: int = 200, chains: int = 2, seed: int = 0
) -> BodyFit:
    """``fit`` with ``draws`` samples of each of ``chains`` in place of the weighted normal posterior.

    NUTS moves in scores that the fit's own covariance has made round. Its slopes are those of the fit: exact, and by
    differences of one batch of bodies only where a run cannot be recorded. Diagnostics:
    ``r_hat`` (largest), ``effective_draws`` (fewest), ``divergent`` (share), ``accepted``. Raises `BadInput` where
    numpyro is absent, `DidNotConverge` where they are bad. Takes minutes with all parameters of a body.

    M. D. Hoffman, A. Gelman, J Mach Learn Res 2014;15:1593.
    """
    if draws < 50 or warmup < 50 or chains < 2:
        raise BadInput(f"Sampling needs 50 draws, 50 of warm-up and 2 chains at least; got {draws}, {warmup} and "
                       f"{chains}.")
    with _double_in_all_threads() as jax, on_one_blas_thread():
        infer = _numpyro("numpyro.infer")
        root = np.asarray(np.linalg.cholesky(fit.covariance), dtype=np.float64)
        kernel = infer.NUTS(potential_fn=_potential(jax, fit.problem, fit.scores, root), max_tree_depth=TREE_DEPTH)
        run = infer.MCMC(kernel, num_warmup=warmup, num_samples=draws, num_chains=chains, chain_method="sequential",
                         progress_bar=False)
        start = SCATTER * np.random.default_rng(seed).standard_normal((chains, fit.scores.size))
        run.run(jax.random.key(seed), init_params=jax.numpy.asarray(start),
                extra_fields=("diverging", "accept_prob"))
        round_scores = np.asarray(run.get_samples(group_by_chain=True))
        extra = {name: np.asarray(values) for name, values in run.get_extra_fields().items()}
        found = _numpyro("numpyro.diagnostics").summary({"z": round_scores})["z"]
    diagnostics = {
        "r_hat": float(np.max(found["r_hat"])),
        "effective_draws": float(np.min(found["n_eff"])),
        "divergent": float(np.mean(extra["diverging"])),
        "accepted": float(np.mean(extra["accept_prob"])),
    }
    _refuse_bad(diagnostics)
    samples = fit.scores + round_scores.reshape(-1, fit.scores.size) @ root.T
    return dataclasses.replace(fit, samples=samples, diagnostics=diagnostics)


@contextmanager
def _double_in_all_threads() -> Iterator[Any]:
    """As `in_double_precision`, and for the threads in which JAX calls back too."""
    jax = require_jax(PURPOSE)
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        yield jax
    finally:
        jax.config.update("jax_enable_x64", before)


def _potential(jax: Any, problem: Misfit, mode: Array, root: Array) -> Any:
    """-log posterior at round scores, with the slopes of the fit as its derivative; infinite where no body can be."""
    shapes = (jax.ShapeDtypeStruct((), np.float64), jax.ShapeDtypeStruct((mode.size,), np.float64))

    def energy_and_slope(z: Any) -> tuple[Array, Array]:
        nowhere = np.array(np.inf), np.zeros(mode.size)
        scores = mode + root @ np.asarray(z)
        if not np.abs(scores).max() <= FARTHEST:
            return nowhere
        try:
            misfit, slope = problem.with_slope(scores)
        except (BadInput, OutOfValidity):  # organs that outweigh the body, for example
            return nowhere
        energy = np.asarray(0.5 * misfit @ misfit)
        return (energy, root.T @ (slope.T @ misfit)) if np.isfinite(energy) else nowhere

    def call(z: Any) -> Any:
        return jax.pure_callback(energy_and_slope, shapes, z, vmap_method="sequential")

    potential = jax.custom_vjp(lambda z: call(z)[0])
    potential.defvjp(call, lambda slope, by: (by * slope,))
    return potential


def _numpyro(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise BadInput(f"{PURPOSE} needs the package numpyro ({error}). Install it with: {INSTALL}.") from error


def _refuse_bad(found: dict[str, float]) -> None:
    bad = []
    if not found["r_hat"] <= MOST_R_HAT:
        bad.append(f"R-hat {found['r_hat']:.3f}, above {MOST_R_HAT:g}")
    if not found["effective_draws"] >= LEAST_ESS:
        bad.append(f"{found['effective_draws']:.0f} effective draws, below {LEAST_ESS:g}")
    if found["divergent"] > MOST_DIVERGENT:
        bad.append(f"{100 * found['divergent']:.1f} % of the trajectories diverge")
    if bad:
        raise DidNotConverge(f"The chains do not stand for the posterior: {'; '.join(bad)}. Take more draws and "
                             "warm-up, or use the fit's own weighted draws.")
