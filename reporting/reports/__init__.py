"""The reports by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reporting.report import Report
from reporting.reports.efficiency import EFFICIENCY
from reporting.reports.incidents import INCIDENTS
from reporting.reports.quality import QUALITY
from reporting.reports.utilisation import UTILISATION

REPORTS: Final[Mapping[str, Report]] = {report.name: report for report in (EFFICIENCY, QUALITY, UTILISATION, INCIDENTS)}
