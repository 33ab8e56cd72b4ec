"""The report: one self-contained HTML page from a result, or from the findings of a single question."""

from nichedose.report.findings_page import findings_text, render_findings
from nichedose.report.lesion_page import lesion_findings
from nichedose.report.page import render_report
from nichedose.report.penetration_page import penetration_findings
from nichedose.report.profile_page import discovery_findings, profile_findings

__all__ = [
    "discovery_findings",
    "findings_text",
    "lesion_findings",
    "penetration_findings",
    "profile_findings",
    "render_findings",
    "render_report",
]
