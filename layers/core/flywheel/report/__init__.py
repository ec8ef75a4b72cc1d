"""What a gate did and why, for people and for programs: `build_report` -> `report_to_json`, `render_html`."""

from flywheel.report.build import build_report, report_to_dict, report_to_json
from flywheel.report.model import Deployment, Promotion, Report
from flywheel.report.render import render_html

__all__ = ["Deployment", "Promotion", "Report", "build_report", "render_html", "report_to_dict", "report_to_json"]
