"""Keeping passwords out of everything a run writes."""

import re

EXAMPLE = "mongodb://user:password@host:27017"  # may be shown: no one's password
_OTHER = r"(?!user:password@host\b)"
# A password that should have been percent-encoded may hold anything, so that here the last @ of the line counts.
_IN_MONGO_URL = re.compile(rf"(mongodb(?:\+srv)?://){_OTHER}.*@")
_IN_URL = re.compile(rf"(\w+://){_OTHER}[^\s/]+@")
_ASSIGNED = re.compile(r"(?i)\b([\w-]*(?:password|passwd|secret|token|api_?key))([=:])[^\s'\"]+")


def without_credentials(text: str) -> str:
    """`text` with the user and password of every URL, and every `password=...`, replaced by ***."""
    text = _IN_URL.sub(r"\1***@", _IN_MONGO_URL.sub(r"\1***@", text))
    return _ASSIGNED.sub(r"\1\2***", text)
