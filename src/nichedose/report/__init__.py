"""The report: one self-contained HTML page from a result, or from the findings of a single question."""

from nichedose.report.findings_page import findings_text, render_findings
from nichedose.report.page import render_report

__all__ = ["findings_text", "render_findings", "render_report"]
