"""
What goes on at the demo company while somebody looks: visits under way, a new request now and then, and two orders
that nobody can take, which are overdue after a while.
"""

from __future__ import annotations

import asyncio
from itertools import count
from random import Random
from typing import Final

from services.demo.company import Company
from services.demo.people import People, Story, Unexpected

AT_ONCE: Final = 6
"""Requests under way at the same time."""

STEP_S: Final = (6, 30)
"""Between two steps of one visit, seconds."""

ASSIGN_MINUTES: Final = 2
"""An order is overdue after so long without an engineer: of thirty minutes a visitor would see nothing."""

LIFT: Final = {"model": "LIFT-1000", "serial": "LIFT-1000-0001", "skill": "elevator"}
"""A device for which nobody here has the skill."""

STUCK: Final = "电梯停在两层之间"


async def go_on(people: People, firm: Company, day: str, rng: Random) -> None:
    """Until it is cancelled. `day` begins the idempotency keys; it must be used once."""
    await _leave_waiting(people, firm, day)
    async with asyncio.TaskGroup() as group:
        numbers = count()
        for _ in range(AT_ONCE):
            group.create_task(_one_after_another(people, firm, day, Random(rng.random()), numbers))


async def _one_after_another(people: People, firm: Company, day: str, rng: Random, numbers: count[int]) -> None:
    async def pace() -> None:
        await asyncio.sleep(rng.uniform(*STEP_S))

    while True:
        await pace()
        story = Story(people, firm, f"{day}living-{next(numbers)}-", rng, pace)
        try:
            await story.run()
        except Unexpected:
            # Somebody who looks has taken it in hand: given it to another, called it off, done a step.
            continue


async def _leave_waiting(people: People, firm: Company, day: str) -> None:
    await people.call(
        "POST", "/v1/dispatch-rules", "manager", json={"assign_minutes": ASSIGN_MINUTES}, key=f"{day}rules"
    )
    for customer in firm.customers[:2]:
        device = LIFT | {"device_id": f"LIFT-{customer['customer_id']}", "customer_id": customer["customer_id"]}
        device["serial"] = f"{LIFT['serial']}-{customer['customer_id']}"
        await people.call("POST", "/v1/devices", "agent", json=device, key=f"{day}{device['device_id']}")
        said = {
            "request_type": "repair",
            "device_id": device["device_id"],
            "description": "电梯停在两层之间",
            "urgency": "high",
        }
        key = f"{day}{device['device_id']}-waits"
        await people.call("POST", "/v1/requests", "customer", customer["customer_id"], key, json=said)
