"""The report: one self-contained HTML page from a result."""

from nichedose.report.page import render_report

__all__ = ["render_report"]
