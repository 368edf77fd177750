"""The reports by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reporting.report import Report
from reporting.reports.complaints import COMPLAINTS_REPORT
from reporting.reports.costs import COSTS
from reporting.reports.dispatch import DISPATCH
from reporting.reports.efficiency import EFFICIENCY
from reporting.reports.incidents import INCIDENTS
from reporting.reports.quality import QUALITY
from reporting.reports.staff import STAFF
from reporting.reports.utilisation import UTILISATION

_ALL = (EFFICIENCY, QUALITY, UTILISATION, DISPATCH, COSTS, COMPLAINTS_REPORT, STAFF, INCIDENTS)

REPORTS: Final[Mapping[str, Report]] = {report.name: report for report in _ALL}
