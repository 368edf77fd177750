"""Text messages and WeChat, through a gateway that takes them by HTTP: a provider's own, or a small one before it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any, Final

import httpx

from services.chassis.clock import Clock
from services.chassis.messages.message import Away, Message, Refused

NEVER: Final = (400, 410, 413, 422)
"""Answers that mean this message, for good. Any other that is not 2xx means: not now."""


class Webhook:
    """
    POSTs a message as JSON, with its key as `Idempotency-Key`.

    It is signed as Standard Webhooks 1.0 says: `webhook-signature` is `v1,` and the HMAC-SHA256 of
    `{webhook-id}.{webhook-timestamp}.{body}` under the shared secret, in base64. The same message is the same body.
    """

    def __init__(self, url: str, secret: str, clock: Clock, client: httpx.AsyncClient | None = None) -> None:
        self._url, self._secret, self._clock = url, secret.encode(), clock
        self._client = client or httpx.AsyncClient(timeout=10, follow_redirects=False)

    async def send(self, message: Message) -> str:
        body = json.dumps(
            {
                "id": message.key,
                "medium": message.medium,
                "to": message.recipient,
                "subject": message.subject,
                "text": message.body,
                "template": message.template,
                "language": message.language,
            },
            ensure_ascii=False,
        ).encode()
        answer = await self._client.post(self._url, content=body, headers=self._headers(message.key, body))
        if answer.is_success:
            return _ref(answer)
        if answer.status_code in NEVER:
            raise Refused(f"{answer.status_code} {answer.text[:200]}")
        raise Away(f"the gateway answered {answer.status_code}")

    def _headers(self, key: str, body: bytes) -> dict[str, str]:
        at = str(int(self._clock.now().timestamp()))
        return {
            "Content-Type": "application/json",
            "Idempotency-Key": key,
            "webhook-id": key,
            "webhook-timestamp": at,
            "webhook-signature": f"v1,{signature(self._secret, key, at, body)}",
        }

    async def close(self) -> None:
        await self._client.aclose()


def signature(secret: bytes, key: str, at: str, body: bytes) -> str:
    signed = b".".join([key.encode(), at.encode(), body])
    return base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


def _ref(answer: httpx.Response) -> str:
    """The `id` in the answer, if it is JSON and has one."""
    try:
        found: Any = answer.json()
    except ValueError:
        return ""
    return str(found.get("id", ""))[:200] if isinstance(found, dict) else ""
