"""The commented case template that `nichedose new` writes."""

from __future__ import annotations

from importlib import resources

__all__ = ["template_text"]


def template_text() -> str:
    """A case file that names every field with its unit and the allowed values; it is valid as it stands."""
    return (resources.files("nichedose") / "case_template.toml").read_text("utf-8")
