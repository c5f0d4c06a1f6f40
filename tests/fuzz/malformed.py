"""Requests that nobody should send: recorded ones bent at each field, cut, mangled, or noise."""

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

MISSING = object()

WRONG: tuple[Any, ...] = (
    MISSING, None, True, False, 0, -1, 1.5, 10**30, -(2**63), 1e308, "", " ", "\u0000", "\ud800",
    "\udfff\ud800", "\u202e\x1b[31m", "☃" * 300, "x" * 70_000, "../../etc/passwd", "{}", "null",
    [], [[]], ["x"] * 300, [None], {}, {"": ""}, {"x" * 5_000: 1}, {"a": {"b": {"c": []}}},
    "0000-00-00T00:00:00Z", "9999-12-31T23:59:59Z", "1e5", "٣", "-0",
)  # fmt: skip
"""What is put into each field in turn."""


def fields(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every field of a JSON text, containers too; not of the whole."""
    if path:
        yield path
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for name, each in inner:
        yield from fields(each, (*path, name))


def bent(value: Any, path: tuple[str | int, ...], wrong: Any) -> Any:
    """*value* with something else at *path*, or nothing."""
    changed = copy.deepcopy(value)
    at = changed
    for step in path[:-1]:
        at = at[step]
    if wrong is MISSING:
        del at[path[-1]]
    else:
        at[path[-1]] = wrong
    return changed


def at_each_field(value: Any) -> Iterator[tuple[str, Any]]:
    """Every field with every wrong value in turn, and what was done."""
    for path in fields(value):
        for wrong in WRONG:
            said = "missing" if wrong is MISSING else repr(wrong)[:60]
            yield f"{'.'.join(map(str, path))} is {said}", bent(value, path, wrong)


def nested(opening: bytes, closing: bytes, depth: int) -> bytes:
    return opening * depth + b"1" + closing * depth


EXTREME: dict[str, bytes] = {
    "nothing": b"",
    "a number": b"1",
    "a text": b'"x"',
    "null": b"null",
    "a list": b"[]",
    "an empty object": b"{}",
    "half an object": b'{"a":',
    "two objects": b"{}{}",
    "NaN": b"NaN",
    "a list of infinities": b"[Infinity, -Infinity, 1e999]",
    "a number of 5,000 digits": b'{"version":' + b"9" * 5_000 + b"}",
    "a number of 100,000 digits": b"9" * 100_000,
    "an exponent without end": b'{"type": 1e' + b"9" * 5_000 + b"}",
    "lists in lists, a hundred deep": nested(b"[", b"]", 100),
    "lists in lists, a hundred thousand deep": nested(b"[", b"]", 100_000),
    "objects in objects, fifty thousand deep": nested(b'{"a":', b"}", 50_000),
    "lists that never end": b"[" * 200_000,
    "keys that come twice": b'{"version":"4","version":"3","type":"x","type":{}}',
    "a thousand keys": json.dumps({f"k{n}": n for n in range(1_000)}).encode(),
    "a key of 100,000 characters": json.dumps({"k" * 100_000: 1}).encode(),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"version":"4"}'.encode("utf-16"),
    "UTF-32": '{"version":"4"}'.encode("utf-32"),
    "Latin-1": '{"version":"é"}'.encode("latin-1"),
    "bytes that are no UTF-8": b'{"version":"\xc0\xaf\xed\xa0\x80"}',
    "a lone surrogate": b'{"version":"\\ud800","type":"\\udfff"}',
    "a lone surrogate as a key": b'{"\\ud800": "\\ud800"}',
    "NUL": b'{"version":"\x00"}',
    "NUL, escaped": b'{"version":"\\u0000","type":"\\u0000"}',
    "only NUL": b"\x00" * 1_000,
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00",
    "XML with an entity": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "a form": b"payload=%7B%7D&payload=%7B",
    "a form of bad escapes": b"payload=%zz%&%=%00&payload",
    "a form of a thousand fields": b"&".join(b"k%d=v" % n for n in range(1_000)),
    "a form that is a probe, nearly": b"ssl_check=1x&payload={}",
    "several parts": b'--x\nContent-Disposition: form-data; name="payload"\n\n{}\n--x--\n',
}
"""Bodies that have broken parsers before."""


class Edit:
    """Changes of bytes, as a bad line or a bad proxy makes them."""

    def __init__(self, kind: str, at: float, size: int, noise: bytes) -> None:
        self.kind, self.at, self.size, self.noise = kind, at, size, noise

    def __repr__(self) -> str:
        return f"{self.kind} {self.size} at {self.at:.3f} {self.noise!r}"

    def __call__(self, body: bytes) -> bytes:
        at = int(self.at * len(body))
        match self.kind:
            case "cut":
                return body[:at]
            case "lose":
                return body[:at] + body[at + self.size :]
            case "repeat":
                return body[:at] + body[at : at + self.size] * 2 + body[at + self.size :]
            case "flip":
                return body[:at] + bytes(b ^ 1 << self.size % 8 for b in body[at : at + 1]) + (
                    body[at + 1 :]
                )  # fmt: skip
            case _:
                return body[:at] + self.noise + body[at:]


EDITS = st.lists(
    st.builds(
        Edit,
        st.sampled_from(["cut", "lose", "repeat", "flip", "insert"]),
        st.floats(0, 0.999),
        st.integers(1, 60),
        st.binary(min_size=1, max_size=6) | st.sampled_from([b'"', b"{", b"]", b"\\ud800", b"\\"]),
    ),
    min_size=1,
    max_size=3,
)

SOUP = st.binary(max_size=300) | st.text(max_size=200).map(
    lambda text: text.encode("utf-8", "surrogatepass")
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=12,
)  # fmt: skip
"""JSON of any shape, with names that mean something here put in by `named`."""

NAMES = st.sampled_from([
    "version", "alerts", "type", "payload", "event", "event_type", "data", "user", "actions",
    "view", "id", "value", "occurred_at", "agent", "challenge", "envelope_id", "container",
])  # fmt: skip

NAMED = st.dictionaries(NAMES, JSON, max_size=5)
