"""
What the command does upon the stores: import, report, rebuild, verify.

Reading goes on beside a running system; an import needs to write, so it runs the services itself.
"""

from services.host import open_views
from services.offline.forgetting import Erasure, forget_person
from services.offline.history import import_file
from services.offline.log import Audit, audit, behind, export_log
from services.offline.rebuilding import Rebuilt, fold_ahead, rebuild, rebuild_one
from services.offline.replaying import replay_views
from services.offline.reports import report, report_file
from services.offline.restoring import PutBack, make_backup, republish, restore_backup, restore_from_topic
from services.offline.stores import CannotDo, looked_at, readers, settled
from services.offline.verifying import prove, signed_by, verify_stores
from services.operating.behind import Behind

__all__ = [
    "Audit",
    "Behind",
    "CannotDo",
    "Erasure",
    "PutBack",
    "Rebuilt",
    "audit",
    "behind",
    "export_log",
    "fold_ahead",
    "forget_person",
    "import_file",
    "looked_at",
    "make_backup",
    "open_views",
    "prove",
    "readers",
    "rebuild",
    "rebuild_one",
    "replay_views",
    "report",
    "report_file",
    "republish",
    "restore_backup",
    "restore_from_topic",
    "settled",
    "signed_by",
    "verify_stores",
]
