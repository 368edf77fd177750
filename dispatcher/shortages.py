"""A part of an order is to be had neither in her van nor at a store near it: who has it goes."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.envelope import Envelope
from contracts.inventory import PartsShort
from contracts.problems import NotYet
from dispatcher.commands import Replan
from dispatcher.domain.repair import Repaired
from dispatcher.projections.board import ONE_ORDER
from dispatcher.projections.parts import parts_in_vans
from dispatcher.replanning import Plan, as_command
from services.chassis.ids import derived_id
from services.chassis.service import Facts


async def when_parts_are_short(event: PartsShort, envelope: Envelope, facts: Facts) -> Sequence[Replan]:
    """
    The order goes to one who has all of its parts in the van, at the promised hours if she can keep them, else at
    others; nothing else moves. Where nobody has them it keeps its hours, which the replan says, and inventory sets
    aside what comes; so it does where a person said who goes.

    What could be fetched from a store near her van was set aside already, and is not short. Whose visit it was when it
    was short must have it still, and must not have departed.
    """
    tenant, now = envelope.tenant, facts.now()
    rows = await facts.fetch(ONE_ORDER, tenant=tenant, order_id=event.order_id)
    if not rows:
        raise NotYet(f"order {event.order_id} is not on the board")
    [row] = rows
    if row["state"] != "assigned" or row["engineer_id"] != event.engineer_id:
        return []
    parts = await parts_in_vans(facts, tenant, row)
    found = Repaired()
    # Where no place has them all, as is usual right after it was assigned, nobody's days need be looked at.
    if parts.expected and parts.expected in parts.held.values() and row["chosen_by"] != "person":
        plan = await Plan.read(facts, tenant, now)
        without = {name for name, one in plan.engineers.items() if parts.missing_in(one.van_id)}
        found = plan.repaired([event.order_id], displacing=False, besides=without | {event.engineer_id})
    if not found.moves:
        found = Repaired(left={event.order_id: ("parts",)})
    note = ", ".join(line.part_id for line in event.lines)
    return [as_command(found, derived_id("replan", envelope.id), "part-missing", now, note=note)]
