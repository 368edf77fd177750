"""What is put on paper, each in a process of its own (see `workshop`)."""

from fieldwork.adapters.report_pdf import ServiceReport, report_pdf
from services.chassis.workshop import Job, Jobs

JOBS: Jobs = {"report": Job(report_pdf, ServiceReport, bytes)}
