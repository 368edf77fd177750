"""What a service writes its routes with: `api.py` imports from here and from nowhere else under http/."""

from services.chassis.http.body import Accepted, Body
from services.chassis.http.call import Call
from services.chassis.http.paging import Limit, Page
from services.chassis.http.parked import Parked, parked_of
from services.chassis.http.problems import Problem, absent
from services.chassis.http.routing import (
    PHOTO_BYTES,
    ServiceRouter,
    command,
    internal,
    public,
    query,
    route_roles,
)

__all__ = [
    "PHOTO_BYTES",
    "Accepted",
    "Body",
    "Call",
    "Limit",
    "Page",
    "Parked",
    "Problem",
    "ServiceRouter",
    "absent",
    "command",
    "internal",
    "parked_of",
    "public",
    "query",
    "route_roles",
]
