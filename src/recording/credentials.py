"""Keeping passwords out of everything a run writes."""

import re

_IN_URL = re.compile(r"(\w+://)[^\s/]+@")
_ASSIGNED = re.compile(r"(?i)\b([\w-]*(?:password|passwd|secret|token|api_?key))(=)[^\s'\"]+")


def without_credentials(text: str) -> str:
    """`text` with the user and password of every URL, and every `password=...`, replaced by ***."""
    return _ASSIGNED.sub(r"\1\2***", _IN_URL.sub(r"\1***@", text))
