"""
Serial numbers: what a maker's look like, and the check digits by which a misread one is found.

Sources: Luhn is ISO/IEC 7812-1 annex B; an IMEI has 15 digits and that check (3GPP TS 23.003, annex B); mod 11 and
mod 97 are MOD 11-2 and MOD 97-10 of ISO/IEC 7064; EAN is the check digit of the GS1 General Specifications, 7.9.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from contracts.intake import CheckDigit
from intake.domain.form import LONGEST_MATCHED, Lack

DIGITS: Final = "0123456789"


def _characters(serial: str) -> str:
    """Without what people write between groups."""
    return re.sub(r"[\s.\-/]", "", serial).upper()


def has_luhn_digit(serial: str) -> bool:
    """Letters are left out."""
    digits = [int(one) for one in serial if one in DIGITS]
    doubled = [digit if place % 2 == 0 else sum(divmod(2 * digit, 10)) for place, digit in enumerate(reversed(digits))]
    return len(digits) > 1 and sum(doubled) % 10 == 0


def is_imei(serial: str) -> bool:
    return bool(re.fullmatch("[0-9]{15}", _characters(serial))) and has_luhn_digit(serial)


def has_mod_11_digit(serial: str) -> bool:
    """Digits, and in the last place a digit or X for ten."""
    text = _characters(serial)
    if not re.fullmatch("[0-9]+[0-9X]", text):
        return False
    value = 0
    for one in text[:-1]:
        value = (value + int(one)) * 2 % 11
    return (value + (10 if text[-1] == "X" else int(text[-1]))) % 11 == 1


def has_mod_97_digits(serial: str) -> bool:
    """Two digits at the end; a letter counts as 10 to 35."""
    text = _characters(serial)
    return bool(re.fullmatch("[0-9A-Z]+[0-9]{2}", text)) and int("".join([str(int(one, 36)) for one in text])) % 97 == 1


def is_ean(serial: str) -> bool:
    """8, 12, 13 or 14 digits, also known as UPC and GTIN."""
    text = _characters(serial)
    if not re.fullmatch("[0-9]{8}|[0-9]{12,14}", text):
        return False
    return sum([int(one) * (3 if place % 2 else 1) for place, one in enumerate(reversed(text))]) % 10 == 0


CHECKS: Final[Mapping[CheckDigit, Callable[[str], bool]]] = {
    "none": lambda _: True,
    "luhn": has_luhn_digit,
    "mod11": has_mod_11_digit,
    "mod97": has_mod_97_digits,
    "imei": is_imei,
    "ean": is_ean,
}


def serial_lack(serial: str, pattern: str, check: CheckDigit) -> Lack | None:
    """What is wrong with a serial number by itself."""
    if pattern and (len(serial) > LONGEST_MATCHED or not re.fullmatch(pattern, serial)):
        return Lack("serial", f"a serial number looks like {pattern}", f"序列号格式须为 {pattern}")
    if CHECKS[check](serial):
        return None
    return Lack("serial", "its check digit does not fit: a digit was misread", "校验位不符，请核对是否读错数字")
