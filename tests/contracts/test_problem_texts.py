"""The words of the problems."""

import re
from collections import Counter
from importlib.resources import files


def test_a_code_is_there_once():
    """Of two, YAML takes the last and says nothing."""
    text = files("contracts").joinpath("problem_texts.yaml").read_text(encoding="utf-8")
    codes = Counter(re.findall(r"^([^#\s][^:]*):", text, re.MULTILINE))
    assert [code for code, count in codes.items() if count > 1] == []
