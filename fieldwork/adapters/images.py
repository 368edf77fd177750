"""What kind of picture some bytes are, by how they begin: what a client says of them is not believed."""

from __future__ import annotations

from fieldwork.commands import MediaType


def media_type_of(content: bytes) -> MediaType | None:
    """JPEG, PNG or WebP; None for anything else."""
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return None
