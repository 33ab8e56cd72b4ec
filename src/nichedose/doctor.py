"""`nichedose doctor`: versions, processors, memory, devices, and whether the engines can be trusted on this machine."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import nichedose
from nichedose.check import CheckRow, collect, to_json
from nichedose.jax_support import WRONG_JAX

__all__ = ["diagnose", "format_doctor", "jax_state"]

PACKAGES = (
    "numpy", "scipy", "numba", "pandas", "anndata", "xarray", "zarr", "h5py", "pydantic", "icrp107-database",
    "radioactivedecay", "jax", "jaxlib",
)
OPTIONAL = frozenset({"jax", "jaxlib"})
_GIB = 2.0**30


def diagnose(*, self_tests: bool = True) -> dict[str, Any]:
    """Everything that `format_doctor` prints, ready for JSON; ``ok`` is False when something must be mended.

    The self-tests are the rows of `nichedose check` that compare an engine with itself or with an exact solution.
    """
    packages = {name: _version(name) for name in PACKAGES}
    rows = [r for r in collect() if r.kind in ("self-test", "analytic")] if self_tests else []
    jax = jax_state(packages["jax"])
    problems = _problems(packages, rows, jax)
    return {
        "nichedose": nichedose.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": packages,
        "processors": _processors(),
        "memory_GiB": _memory_gib(),
        "devices": jax.get("devices", []),
        "jax": jax,
        "self_tests": to_json(rows),
        "problems": problems,
        "ok": not problems,
    }


def format_doctor(found: Mapping[str, Any]) -> str:
    """The diagnosis as plain text."""
    memory = found["memory_GiB"]
    lines = [
        f"nichedose {found['nichedose']}, Python {found['python']} on {found['platform']}",
        f"{found['processors']} processors, "
        + (f"{memory:.1f} GiB memory" if memory is not None else "memory not known"),
        "",
    ]
    for name, version in found["packages"].items():
        missing = "not installed (optional)" if name in OPTIONAL else "NOT INSTALLED"
        lines.append(f"  {name:<18}{version or missing}")
    if found["devices"]:
        lines += ["", "JAX devices: " + ", ".join(found["devices"])]
    tests = found["self_tests"]
    if tests:
        lines += ["", f"Self-tests: {sum(t['ok'] for t in tests)} of {len(tests)} passed"]
    lines += ["", *(f"PROBLEM: {p}" for p in found["problems"])]
    lines.append("Something must be mended." if found["problems"] else "All is well.")
    return "\n".join(lines)


def jax_state(version: str | None) -> dict[str, Any]:
    """Result of the JAX self-test in a process of its own; ``installed`` False without JAX."""
    if version is None or importlib.util.find_spec("jax") is None:
        return {"installed": False}
    environment = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "nichedose.jax_selftest"],
            capture_output=True, text=True, timeout=180, check=True, env=environment,
        )
        return {"installed": True, **json.loads(done.stdout.splitlines()[-1])}
    except subprocess.TimeoutExpired:
        return {"installed": True, "ok": False, "error": "the self-test did not end within 180 s"}
    except subprocess.CalledProcessError as error:
        last = (error.stderr or "").strip().splitlines()[-1:] or [f"exit status {error.returncode}"]
        return {"installed": True, "ok": False, "error": last[0]}
    except (IndexError, json.JSONDecodeError):
        return {"installed": True, "ok": False, "error": "the self-test gave no readable answer"}


def _problems(packages: Mapping[str, str | None], rows: Sequence[CheckRow], jax: Mapping[str, Any]) -> list[str]:
    found = [f"{name} is not installed; reinstall nichedose." for name, version in packages.items()
             if version is None and name not in OPTIONAL]
    found += [f"self-test {row.id} failed: {row.ours:.6g} instead of {row.reference:.6g} {row.unit}".rstrip() + "."
              for row in rows if not row.ok]
    if packages["jax"] == WRONG_JAX:
        found.append(f"JAX {WRONG_JAX} gives wrong numbers in silence; use another: pip install 'jax!={WRONG_JAX}'.")
    if jax["installed"] and not jax["ok"]:
        errors = ", ".join(f"{k} {v:.2g}" for k, v in jax.get("relative_error", {}).items())
        what = jax.get("error") or f"relative error {errors}"
        found.append(f"JAX fails its self-test ({what}); do not use the jax engines on this machine.")
    return found


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_gib() -> float | None:
    """Memory of the machine, or of the container where one sets a lower limit; None where the system does not say."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
    with contextlib.suppress(OSError, ValueError):  # no limit set, or not Linux
        total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return float(total / _GIB)
