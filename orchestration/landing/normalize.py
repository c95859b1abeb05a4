"""JSON lines that SQL can't take as they stand, made plain.

The result is the same as `sql.quoted_scalars` gives: minified JSON in which every
number and boolean is a string holding its exact text, and nulls are left out.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

UNPARSABLE = "unparsable"
DUPLICATE_KEY = "duplicate_key"

# 1e999999999 would be a gigabyte of digits; what no decimal(31,12) can hold anyway
# keeps its own text and is rejected where a number is needed.
_LARGEST_EXPONENT = 64


class _DuplicateKey(ValueError):
    pass


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    seen: set[str] = set()
    for key, value in pairs:
        if key in seen:
            raise _DuplicateKey(key)
        seen.add(key)
        if value is True:
            members[key] = "true"
        elif value is False:
            members[key] = "false"
        elif value is not None:
            members[key] = value
    return members


def _plain(number: str) -> str:
    """A JSON number in plain notation, digit for digit."""
    if "e" not in number and "E" not in number:
        return number
    value = Decimal(number)
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or abs(exponent) > _LARGEST_EXPONENT:
        return number
    return format(value, "f")


def _no_constant(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members,
    parse_int=str,
    parse_float=_plain,
    parse_constant=_no_constant,
)


def normalize(raw: str) -> tuple[str | None, str | None]:
    """(plain JSON object, None) or (None, reason) for one line of JSON."""
    try:
        value = _DECODER.decode(raw.strip())
        if not isinstance(value, dict):
            return None, UNPARSABLE
        plain = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        plain.encode()
    except _DuplicateKey:
        return None, DUPLICATE_KEY
    except (ValueError, ArithmeticError, RecursionError):
        return None, UNPARSABLE
    if "\\u0000" in plain:
        return None, UNPARSABLE
    return plain, None
