"""What messages to customers are told apart by, where more than one side speaks of it."""

from __future__ import annotations

from typing import Literal

Language = Literal["zh", "en"]

Medium = Literal["text", "mail", "wechat"]
"""How a message reaches a person: a text message to a phone, e-mail, WeChat."""

WhyNotSent = Literal["no-sender", "no-address", "forgotten", "not-wanted", "refused", "too-late"]
"""
`no-sender`: this installation has no provider for the medium; `no-address`: the customer left none; `forgotten`: the
customer's key is destroyed; `not-wanted`: what it would say was not true any more; `refused`: the provider will never
take it; `too-late`: the provider was away for too long.
"""
