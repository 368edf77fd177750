"""The kinds of pictures that are taken."""

from typing import Literal

MediaType = Literal["image/jpeg", "image/png", "image/webp"]
