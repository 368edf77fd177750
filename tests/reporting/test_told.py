"""What happens to an order is told by a figure, or there is a reason why it is in none."""

from contracts.event import REGISTRY
from contracts.topics import PUBLISHER_OF
from reporting.service import service

IN_NO_FIGURE = {
    "OrderOffered": "an offer is no assignment: what was taken is OrderAssigned",
    "OfferDeclined": "an offer that was not taken changes nothing; who declines an order that she has is counted",
    "OfferLapsed": "likewise",
    "OrderReturned": "the dispatcher's answer to VisitAborted, which is counted",
    "AbsenceNoted": "what follows for the order is OrderReassigned or OrderDeclined",
    "SlaWarned": "a warning is no breach",
    "VisitPlanned": "visits are counted by departure and arrival",
    "WorkStarted": "hours at a site begin with the arrival",
    "PartUsed": "what it cost is told by PartConsumed, of what was booked",
    "PartUsedAfterEnd": "likewise",
    "FollowUpAsked": "the order that follows is opened for a request of its own, which is counted",
    "EntitlementDecided": "who pays is told by ServiceCharged",
    "EntitlementRedecided": "likewise, by ChargeCorrected",
    "ChargeDisputed": "revenue is what was charged, whoever disagrees; what is granted is ChargeCorrected",
    "ChargeDisputeResolved": "likewise",
    "PayoutDecided": "who gets how much of a charge is told by the sheets of /v1/payouts",
    "PayoutCorrected": "likewise",
    "PayoutDisputed": "likewise",
    "PayoutDisputeResolved": "likewise",
    "PayoutPaid": "likewise",
    "StepRefused": "a phone's report that counts for nothing",
    "PartReturned": "no figure is about stock",
    "PartsRecommended": "no figure is about stock",
    "PartsReserved": "no figure is about stock",
    "PartsShort": "no figure is about stock",
    "ReservationReleased": "no figure is about stock",
    "PartsPickedUp": "no figure is about stock",
    "OldPartsDue": "no figure is about stock",
    "OldPartsBack": "no figure is about stock",
    "ReservedPiecesChanged": "no figure is about stock",
    "OldPartsReminded": "no figure is about stock",
    "OldPartsOverdue": "no figure is about stock",
    "OldPartsForfeited": "what it is billed at is the ERP's to say",
    "RequestClosed": "intake's answer to ServiceCompleted, which is counted",
    "SurveySkipped": "the share of answers is of the surveys that were sent",
    "InspectionOpened": "what comes of photos and standards is told by quality itself",
}


def test_every_public_event_of_an_order_is_told_or_there_is_a_reason():
    read = {event.__name__ for view in service.views for event in view.reads}
    public = {name for name, event in REGISTRY.items() if name in PUBLISHER_OF and event.PUBLIC}
    of_orders = {name for name in public if "order_id" in REGISTRY[name].__struct_fields__}
    untold = of_orders - read
    assert untold - IN_NO_FIGURE.keys() == set(), "fold it into a view of reporting, or say why no figure needs it"
    assert IN_NO_FIGURE.keys() - untold == set(), "these are told, or are gone"
