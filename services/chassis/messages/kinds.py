"""
What messages to customers are told apart by.

Events have them as plain texts, since a choice of a contract cannot grow (decision 10) and these will.
"""

from __future__ import annotations

from typing import Literal

Language = Literal["zh", "en"]

Medium = Literal["text", "mail", "wechat"]
"""How a message reaches a person: a text message to a phone, e-mail, WeChat."""

WhyNotSent = Literal["no-sender", "no-address", "forgotten", "not-wanted", "refused", "too-late"]
"""As MessageNotSent says."""
