"""What the routes of a service take and show pictures with."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Protocol

from services.chassis.http.problems import Problem
from services.chassis.pictures.blobs import Blobs, FileBlobs
from services.chassis.pictures.images import MEDIA_TYPES, PIXELS, NotAPicture, Picture, TooLarge
from services.chassis.workshop import Died, Workshop

IMAGE: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}
IMAGES: Final[dict[str, Any]] = {"content": {name: IMAGE for name in MEDIA_TYPES.values()}}

SAFE: Final = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-store"}
"""Of what people wrote or sent, when it is shown."""

PICTURES: Final = Workshop("services.chassis.pictures.jobs")
SLOWEST_PICTURE_S: Final = 20
"""The largest picture that we take is ready in a few seconds, also behind others."""


class Keeper(Protocol):
    """The running service, as what keeps pictures needs it."""

    folder: Path
    """Where the service keeps files of its own."""

    async def seal(self, tenant: str, person: str, content: bytes) -> bytes: ...

    async def unseal(self, tenant: str, person: str, sealed: bytes) -> bytes:
        """Raises KeyError when the person is forgotten."""


def blobs(keeper: Keeper) -> Blobs:
    return FileBlobs(keeper.folder / "blobs", seal=keeper.seal, unseal=keeper.unseal)


async def picture_of(content: bytes) -> Picture:
    """Raises Problem `photo.not-a-picture`, `photo.too-many-pixels`, `photo.too-slow`."""
    try:
        picture: Picture = await PICTURES.done("picture", content, within_s=SLOWEST_PICTURE_S)
        return picture
    except TimeoutError:
        raise Problem("photo.too-slow", most_s=SLOWEST_PICTURE_S) from None
    except (NotAPicture, Died):
        raise Problem("photo.not-a-picture", allowed=list(MEDIA_TYPES.values())) from None
    except TooLarge:
        raise Problem("photo.too-many-pixels", most=PIXELS) from None
