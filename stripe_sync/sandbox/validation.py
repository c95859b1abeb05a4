"""Requests checked against the Stripe SDK's own parameter types.

The SDK ships a ``TypedDict`` per operation, generated from Stripe's OpenAPI file.
Reading those, instead of lists of our own, keeps the sandbox from accepting a
parameter that Stripe would refuse.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin
from urllib.parse import parse_qsl

from stripe._request_options import RequestOptions
from stripe._stripe_object import UntypedStripeObject
from typing_extensions import get_type_hints, is_typeddict

from .errors import ApiError, invalid

Check = Callable[[Any, str], Any]

_OPTIONS = frozenset(RequestOptions.__annotations__)
_INTEGER = re.compile(r"-?\d+\Z")
_KEY = re.compile(r"[^\[\]]+|(?<=\[)(?=\])")

METADATA_KEYS, METADATA_KEY_LENGTH, METADATA_VALUE_LENGTH = 50, 40, 500


def parse_form(text: str) -> dict[str, Any]:
    """``a[b][0][c]=1`` to nested mappings; list indexes stay text keys until typed."""
    tree: dict[str, Any] = {}
    for raw_key, value in parse_qsl(text, keep_blank_values=True):
        parts = _KEY.findall(raw_key)
        node = tree
        for part in parts[:-1]:
            child = node.setdefault(part or str(len(node)), {})
            if not isinstance(child, dict):
                raise invalid(f"Invalid parameter: {raw_key}", param=raw_key)
            node = child
        node[parts[-1] or str(len(node))] = value
    return tree


def validate(params_type: type, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Check and convert ``raw`` by the operation's ``TypedDict``; 400 otherwise."""
    checked: dict[str, Any] = _mapping_check(params_type)(raw, "")
    return checked


@cache
def _mapping_check(typed: type) -> Check:
    hints = get_type_hints(typed, localns={"StripeContext": str, "Mapping": Mapping})
    fields = {
        name: _check_for(hint, name)
        for name, hint in hints.items()
        if name not in _OPTIONS  # those travel as headers
    }
    required = frozenset(getattr(typed, "__required_keys__", ())) & fields.keys()

    def check(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise invalid(f"Invalid object: {path}", param=path)
        out: dict[str, Any] = {}
        for name, item in value.items():
            inner = f"{path}[{name}]" if path else name
            if name not in fields:
                raise invalid(
                    f"Received unknown parameter: {inner}",
                    code="parameter_unknown",
                    param=inner,
                )
            out[name] = fields[name](item, inner)
        for name in sorted(required - out.keys()):
            inner = f"{path}[{name}]" if path else name
            raise invalid(
                f"Missing required param: {inner}.",
                code="parameter_missing",
                param=inner,
            )
        return out

    return check


def _check_for(hint: Any, name: str) -> Check:
    if name == "metadata" or name == "invoice_metadata":
        return _metadata
    if name == "currency":
        return _currency
    origin = get_origin(hint)
    if is_typeddict(hint):
        return _lazy(hint)
    if origin in (list, tuple):
        return _list_check(get_args(hint)[0], name)
    if origin is Literal:
        return _enum_check(tuple(get_args(hint)))
    if origin is Union or origin is types.UnionType:
        return _union_check(get_args(hint), name)
    if origin is dict or hint is dict:
        return _string_map
    simple: dict[Any, Check] = {
        int: _integer,
        bool: _boolean,
        str: _string,
        Decimal: _decimal,
    }
    if hint in simple:
        return simple[hint]
    raise TypeError(f"no check for {hint!r} of parameter {name}")


def _lazy(typed: type) -> Check:
    # Compiled at first use: the parameter tree of an invoice has 44 types.
    return lambda value, path: _mapping_check(typed)(value, path)


def _union_check(options: tuple[Any, ...], name: str) -> Check:
    literals: tuple[Any, ...] = ()
    others: list[Any] = []
    for option in options:
        if get_origin(option) is Literal:
            literals += get_args(option)
        elif get_origin(option) is not UntypedStripeObject:
            others.append(option)
    named = tuple(item for item in literals if item != "")
    # "Literal['a','b']|str": the SDK adds str for values of later versions, the
    # server does not; "Literal['']|X" means that an empty value unsets X.
    if named and others in ([], [str]):
        return _enum_check(literals)
    mappings = [o for o in others if is_typeddict(o) or get_origin(o) in (dict, list)]
    scalars = [o for o in others if o not in mappings]
    mapping = _check_for(mappings[0], name) if mappings else None
    scalar = _check_for(scalars[0], name) if scalars else None

    def check(value: Any, path: str) -> Any:
        if value == "" and "" in literals:
            return ""
        chosen = mapping if isinstance(value, Mapping) or scalar is None else scalar
        if chosen is None:
            raise invalid(f"Invalid object: {path}", param=path)
        return chosen(value, path)

    return check


def _enum_check(allowed: tuple[Any, ...]) -> Check:
    texts = {str(item): item for item in allowed}

    def check(value: Any, path: str) -> Any:
        if not isinstance(value, str) or value not in texts:
            raise invalid(
                f"Invalid {path}: must be one of {', '.join(texts)}", param=path
            )
        return texts[value]

    return check


def _list_check(item_hint: Any, name: str) -> Check:
    item_check = _check_for(item_hint, f"{name} item")

    def check(value: Any, path: str) -> list[Any]:
        if not isinstance(value, Mapping) or not all(key.isdigit() for key in value):
            raise invalid(f"Invalid array: {path}", param=path)
        ordered = sorted(value.items(), key=lambda pair: int(pair[0]))
        return [item_check(item, f"{path}[{index}]") for index, item in ordered]

    return check


def _scalar(value: Any, path: str, kind: str) -> str:
    if not isinstance(value, str):
        raise invalid(f"Invalid {kind}: {path}", param=path)
    return value


def _integer(value: Any, path: str) -> int:
    text = _scalar(value, path, "integer")
    if not _INTEGER.match(text):
        raise invalid(
            f"Invalid integer: {text}", code="parameter_invalid_integer", param=path
        )
    return int(text)


def _boolean(value: Any, path: str) -> bool:
    text = _scalar(value, path, "boolean")
    if text not in ("true", "false"):
        raise invalid(f"Invalid boolean: {text}", param=path)
    return text == "true"


def _string(value: Any, path: str) -> str:
    text = _scalar(value, path, "string")
    if text == "":
        raise invalid(
            f"You passed an empty string for '{path}'. We assume empty values are an"
            " attempt to unset a parameter; however this one cannot be unset.",
            code="parameter_invalid_empty",
            param=path,
        )
    return text


def _decimal(value: Any, path: str) -> Decimal:
    text = _scalar(value, path, "decimal")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise invalid(f"Invalid decimal: {text}", param=path) from None
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or -exponent > 12:
        raise invalid(f"Invalid decimal: {text}; at most 12 decimals", param=path)
    return number


def _currency(value: Any, path: str) -> str:
    return _string(value, path).lower()


def _string_map(value: Any, path: str) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise invalid(f"Invalid hash: {path}", param=path)
    return {key: _scalar(item, path, "string") for key, item in value.items()}


def _metadata(value: Any, path: str) -> dict[str, str] | str:
    if value == "":
        return ""
    entries = _string_map(value, path)
    for key, text in entries.items():
        if len(key) > METADATA_KEY_LENGTH:
            raise invalid(
                f"Metadata keys can have up to {METADATA_KEY_LENGTH} characters,"
                f" you passed in a key that is {len(key)} characters.",
                param=path,
            )
        if len(text) > METADATA_VALUE_LENGTH:
            raise invalid(
                f"Metadata values can have up to {METADATA_VALUE_LENGTH} characters,"
                f" but you passed in a value that is {len(text)} characters.",
                param=f"{path}[{key}]",
            )
    if len(entries) > METADATA_KEYS:
        raise invalid(f"You may only specify up to {METADATA_KEYS} keys", param=path)
    return entries


def merge_metadata(
    old: Mapping[str, str], new: Mapping[str, str] | str | None
) -> dict[str, str]:
    """Stripe's update rule: absent keeps, ``""`` unsets one key or all of them."""
    if new is None:
        return dict(old)
    if isinstance(new, str):
        return {}
    merged = {**old, **new}
    kept = {key: text for key, text in merged.items() if text != ""}
    if len(kept) > METADATA_KEYS:
        raise ApiError(400, f"You may only specify up to {METADATA_KEYS} keys")
    return kept
