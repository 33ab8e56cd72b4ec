"""Cost of a treatment course per cell and step, over that of the compulsory memory traffic (`transport_bench`) too.

Processor time (the better of two runs), iterations, memory told and memory taken.

    python benchmarks/transport_course_bench.py [--sizes 64 256] [--stacks 16 32 48] [--torn 100 400] [--batches 1 2]
    python benchmarks/transport_course_bench.py --gradients 64 128

One process for each size, so that peaks do not mix. A section of odd size with holes is among them; ``--torn`` adds
sections in pieces: islands parted by cracks one voxel wide, and shreds two or three voxels wide. ``--gradients``:
processor time of value and all derivatives over one forward run of the same engine, one, two and four batches, with
turnover; the two take turns, the least of three counts.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter

from nichedose.body import PlasmaCurve
from nichedose.fields import Mesh, voxel_mesh
from nichedose.transport import Batch, Binding, Given, Ligand, Site, differentiate_course, simulate_course
from nichedose.transport._lattice_march import fits
from nichedose.transport.cost import course_memory
from nichedose.transport.course_gradient import CourseIntegrals
from nichedose.transport.network import build_network
from transport_bench import COMPULSORY_BYTES, triad_bytes_per_s

LU = {"177Lu": float(np.log(2.0)) / 159.5}
PLASMA = PlasmaCurve((300.0, 40.0), (3.0, 0.15))


def patchy(mask: np.ndarray) -> tuple[Mesh, Ligand, Site]:
    rng = np.random.default_rng(0)

    def waves(width: float) -> np.ndarray:
        field = gaussian_filter(rng.standard_normal(mask.shape), width, mode="wrap")
        return np.asarray(field / field.std())

    rate = 2.0 * np.exp(0.8 * waves(2.0))
    bare = waves(3.0)
    rate[bare < np.quantile(bare, 0.15)] = 0.0
    ligand = Ligand("peptide", 200.0, 0.4, rate, rate, (Binding("target", 0.6, 0.6, 0.06),), release_per_h=0.008)
    return voxel_mesh(mask, 20.0), ligand, Site("target", 200.0 * np.clip(0.5 + 0.35 * waves(3.0), 0.0, 1.0))


def pieces(shape: tuple[int, ...], kind: str) -> np.ndarray:
    if kind == "whole":
        return np.ones(shape, bool)
    rng = np.random.default_rng(1)
    if kind == "holes":
        return rng.random(shape) < 0.8
    field = gaussian_filter(rng.standard_normal(shape), 1.0 if kind == "shreds" else 4.0, mode="wrap")
    if kind == "shreds":
        return np.asarray(field >= np.quantile(field, 0.3))
    mask = np.ones(shape, bool)
    mask[1:][(field[1:] < 0.0) != (field[:-1] < 0.0)] = False
    mask[:, 1:][(field[:, 1:] < 0.0) != (field[:, :-1] < 0.0)] = False
    return mask


def one(task: tuple[str, tuple[int, ...], str, int]) -> str:
    name, shape, kind, count = task
    small, ligand, site = patchy(np.ones((8, 8), bool))
    simulate_course(small, [site], [ligand], [Batch("b", "peptide", Given(PLASMA))], end_h=1.0)  # compiled, or loaded
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    mesh, ligand, site = patchy(pieces(shape, kind))
    batches = [Batch(f"b{i}", "peptide", Given(PLASMA, 24.0 * i), LU) for i in range(count)]
    network = build_network(mesh, [ligand], [site], batches)
    told = course_memory(mesh, network, fits(mesh, network, {site.name: site}))
    seconds, taken = float("inf"), 0
    for _ in range(2):  # memory that no run has touched yet costs the first one time
        start = time.process_time()
        run = simulate_course(mesh, [site], [ligand], batches, end_h=480.0)
        seconds = min(seconds, time.process_time() - start)
        taken = taken or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    closure = max(ledger.closure for ledger in run.ledgers.values())
    each = seconds / run.steps / mesh.n * 1e9
    bound = COMPULSORY_BYTES / triad_bytes_per_s() * 1e9
    return (f"{name:14s} {mesh.n:9d} {count:3d} {seconds:8.2f} {run.steps:5d} {each:8.0f} {each / bound:6.0f} "
            f"{run.v_cycles / run.steps:7.1f} {closure:9.1e} {told / 2**20:7.0f} {taken / 2**10:7.0f}")


def mean_of_all(maps: CourseIntegrals) -> tuple[float, CourseIntegrals]:
    value = sum(float(m.mean()) for states in maps.values() for m in states.values())
    return value, {key: {s: np.full(m.shape, 1.0 / m.size) for s, m in own.items()} for key, own in maps.items()}


def gradients(sizes: list[int]) -> None:
    print(f"{'case':14s} {'n':>3s} {'forward s':>10s} {'both s':>8s} {'ratio':>6s}")
    for size, count in [(16, 1), *((n, k) for n in sizes for k in (1, 2, 4))]:  # the first one compiles
        mesh, ligand, site = patchy(np.ones((size, size), bool))
        site = replace(site, degradation_per_h=0.02)
        batches = [Batch(f"b{i}", "peptide", Given(PLASMA, 24.0 * i), LU) for i in range(count)]
        forward, both = [], []
        for _ in range(3):
            start = time.process_time()
            simulate_course(mesh, [site], [ligand], batches, end_h=480.0)  # turnover: listed cells, as the adjoint run
            forward.append(time.process_time() - start)
            start = time.process_time()
            differentiate_course(mesh, [site], [ligand], batches, mean_of_all, end_h=480.0)
            both.append(time.process_time() - start)
        if size != 16:
            print(f"{size:10d}^2   {count:3d} {min(forward):10.2f} {min(both):8.2f} {min(both) / min(forward):6.2f}",
                  flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[64, 128], help="voxels per side of a section")
    parser.add_argument("--stacks", type=int, nargs="*", default=[16, 32], help="voxels per side of a stack")
    parser.add_argument("--torn", type=int, nargs="*", default=[], help="voxels per side of sections in pieces")
    parser.add_argument("--batches", type=int, nargs="*", default=[2, 4], help="numbers of batches, on 64 x 64")
    parser.add_argument("--gradients", type=int, nargs="*", help="voxels per side of sections; nothing else is run")
    given = parser.parse_args()
    if given.gradients is not None:
        gradients(given.gradients)
        return
    tasks = [(f"{n}^2", (n, n), "whole", 1) for n in given.sizes] + [("63 x 91, holes", (63, 91), "holes", 1)]
    tasks += [(f"{n}^2, {kind}", (n, n), kind, 1) for n in given.torn for kind in ("cracks", "shreds")]
    tasks += [(f"{n}^3", (n, n, n), "whole", 1) for n in given.stacks]
    tasks += [("64^2", (64, 64), "whole", k) for k in given.batches]
    print(f"{'case':14s} {'cells':>9s} {'n':>3s} {'s':>8s} {'steps':>5s} {'ns/c/st':>8s} {'bound':>6s} {'V/step':>7s} "
          f"{'closure':>9s} {'told':>7s} {'MiB':>7s}")
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for line in pool.imap(one, tasks, chunksize=1):
            print(line, flush=True)


if __name__ == "__main__":
    main()
