"""Can these numbers be trusted, here: `check` and `doctor`."""

from __future__ import annotations

import json

import typer

from nichedose.cli.app import EXIT_FAILED, Json, app

__all__ = ["check", "doctor"]


@app.command()
def check(as_json: Json = False) -> None:
    """Compare our numbers with published, analytic and independent ones."""
    from nichedose.check import collect, format_table, to_json

    rows = collect()
    print(json.dumps(to_json(rows), indent=1) if as_json else format_table(rows))
    if not all(row.ok for row in rows):
        raise typer.Exit(EXIT_FAILED)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Show versions, devices and memory, and run the engines' self-tests."""
    from nichedose.doctor import diagnose, format_doctor

    found = diagnose()
    print(json.dumps(found, indent=1) if as_json else format_doctor(found))
    if not found.get("ok", False):
        raise typer.Exit(EXIT_FAILED)
