"""The models of devices: how their serial numbers are made, and the fault tree of each, in versions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from contracts.event import Event
from contracts.intake import DeviceModelDefined, Fault, UsualPart
from contracts.problems import Rejected
from intake.commands import DefineDeviceModel
from intake.domain.form import Why, pattern_fault
from services.chassis.journal.rules import Stream

Models = tuple[DeviceModelDefined, ...]
"""All versions of a model, the first one first: a request keeps the one that it was made with."""


def model_stream(model: str) -> str:
    return f"device-model/{model}"


def define_device_model(known: Models, command: DefineDeviceModel) -> list[Event]:
    if fault := pattern_fault(command.serial_pattern):
        raise Rejected("device-model.wrong-field", model=command.model, field="serial_pattern", **fault.facts())
    faults = tuple([one.of() for one in command.faults])
    _judge(command.model, faults)
    facts = dict(command) | {"faults": faults}
    if known and DeviceModelDefined(model_version=known[-1].model_version, **facts) == known[-1]:
        return []
    return [DeviceModelDefined(model_version=len(known) + 1, **facts)]


def _judge(model: str, faults: Sequence[Fault]) -> None:
    """Raise Rejected for a tree that is none, naming the fault."""
    seen: set[str] = set()
    for fault in faults:
        why = Why("another fault has this code", "故障代码重复") if fault.code in seen else None
        if fault.parent and fault.parent not in seen:
            why = Why(
                f"its wider fault {fault.parent!r} must stand before it", f"其上级故障 {fault.parent!r} 须排在它之前"
            )
        if why:
            raise Rejected("device-model.wrong-field", model=model, field=fault.code, **why.facts())
        seen.add(fault.code)


def model_of(versions: Models, wanted: int) -> DeviceModelDefined | None:
    """The version of this number, or the newest one where none is wanted or it is not there."""
    return next((one for one in versions if one.model_version == wanted), versions[-1] if versions else None)


@dataclass(frozen=True)
class Mending:
    """What mending a fault takes, beside what its device and its type say."""

    skills: tuple[str, ...] = ()
    duration_s: int = 0
    """0 where the tree does not say."""
    parts: tuple[UsualPart, ...] = ()


def mending(model: DeviceModelDefined | None, code: str) -> Mending | None:
    """What the tree says of a fault: its own word, else that of the wider one. None for a fault that is not in it."""
    path = list(_upwards(model, code)) if model else []
    if not path:
        return None
    return Mending(
        next((one.skills for one in path if one.skills), ()),
        next((one.duration_s for one in path if one.duration_s), 0),
        next((one.parts for one in path if one.parts), ()),
    )


def _upwards(model: DeviceModelDefined, code: str) -> Iterator[Fault]:
    """The fault and all wider ones."""
    by_code = {one.code: one for one in model.faults}
    while (fault := by_code.get(code)) is not None:
        yield fault
        code = fault.parent


DEVICE_MODEL: Stream[Models] = Stream("device-model", (), lambda versions, event: (*versions, event))
