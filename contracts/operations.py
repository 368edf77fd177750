"""
What operators decide about events that a service could not act on. Any service records these about itself.

They are audited like everything else: who, when and why stand in the journal, in the story of the request concerned.
"""

from __future__ import annotations

from contracts.event import Event, NonNegative, belongs_to

TAKE_IN = "take-in"
"""The policy's name where a message could not even be read: `about` is its partition then, `position` its offset."""


@belongs_to("redrive", of="redrive_id", key="about", public=False)
class RedriveAsked(Event, frozen=True, kw_only=True):
    """
    What is held or parked is to be tried again now, each key from its oldest event on.

    It is asked once for all that fits; what fails again is held again, and parked after its tries.
    """

    redrive_id: str
    about: str
    """The key whose events are meant, as a rule a request's id; `all` where no one key is meant."""
    reason: str
    """Why, in the operator's words. No names of customers belong here."""
    policy: str = ""
    """Only what this policy holds; empty for any."""
    cause: str = ""
    """Only what failed with a cause that begins so; empty for any."""


@belongs_to("discard", of=("policy", "about", "position"), key="about", public=False)
class HeldEventDiscarded(Event, frozen=True, kw_only=True):
    """
    A held event will not be acted on by this policy: it is settled by hand, and the next of its key follows.

    The event itself stays in the journal, and whoever else reads it has read it.
    """

    policy: str
    about: str
    """The key that the event belongs to."""
    position: NonNegative
    """Of the event in the journal of the service that holds it."""
    reason: str
    """Why, in the operator's words. No names of customers belong here."""
