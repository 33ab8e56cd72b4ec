"""The case file from disk, and its JSON Schema for editors."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from nichedose.case import Case, parse_case
from nichedose.errors import BadInput

__all__ = ["case_json_schema", "read_case"]


def read_case(path: str | Path) -> Case:
    """The `Case` in a TOML file; raises `BadInput` when the file cannot be read or a field is wrong."""
    place = Path(path).expanduser()
    try:
        text = place.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        nearby = [p.name for p in place.parent.glob("*.toml")] if place.parent.is_dir() else []
        close = difflib.get_close_matches(place.name, nearby, n=2)
        hint = " 'nichedose new' writes a commented template."
        if close:
            hint = f" Did you mean {' or '.join(repr(c) for c in close)}?"
        raise BadInput(f"{place}: no such case file.{hint}") from error
    except IsADirectoryError as error:
        raise BadInput(f"{place}: is a folder; give the case file (.toml).") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{place}: not UTF-8 text, so not a case file.") from error
    except OSError as error:
        raise BadInput(f"{place}: cannot be read ({error.strerror or error}).") from error
    if not text.strip():
        raise BadInput(f"{place}: the file is empty; 'nichedose new' writes a commented template.")
    return parse_case(text, origin=str(place))


def case_json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the case file, for completion and checks in editors."""
    schema = Case.model_json_schema()
    _drop_numeric_defaults(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "nichedose case"}


def _drop_numeric_defaults(node: Any) -> None:
    """Quantities are text in the file but floats in the model; a float as default would break the schema's own rule."""
    if isinstance(node, dict):
        if node.get("type") == "string" and not isinstance(node.get("default", ""), str):
            del node["default"]
        for child in node.values():
            _drop_numeric_defaults(child)
    elif isinstance(node, list):
        for child in node:
            _drop_numeric_defaults(child)
