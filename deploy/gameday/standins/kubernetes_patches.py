"""The three kinds of patches that an API server takes; each makes a new object."""

from __future__ import annotations

import copy
from typing import Any

_MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "ports": "containerPort",
    "conditions": "type",
}
"""By which field the members of a list are known in a strategic merge."""


class Unpatchable(ValueError):
    """The patch does not fit the object."""


def merged(old: Any, patch: Any) -> Any:
    """Merge as RFC 7386 says: null deletes, a list replaces."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    new = dict(old) if isinstance(old, dict) else {}
    for name, value in patch.items():
        if value is None:
            new.pop(name, None)
        else:
            new[name] = merged(new.get(name), value)
    return new


def strategic(old: Any, patch: Any, name: str = "") -> Any:
    """Merge as Kubernetes does: members of some lists are known by a key, and can be deleted."""
    if isinstance(patch, list):
        return _listed(old or [], patch, _MERGE_KEYS.get(name, ""))
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    new = dict(old) if isinstance(old, dict) else {}
    for each, value in patch.items():
        if each.startswith("$"):
            continue
        if value is None:
            new.pop(each, None)
        else:
            new[each] = strategic(new.get(each), value, each)
    return new


def _listed(old: list[Any], patch: list[Any], key: str) -> list[Any]:
    if not key:
        return copy.deepcopy(patch)
    new = list(old)
    for change in patch:
        if key not in change:
            raise Unpatchable(f"map: {change} does not contain declared merge key: {key}")
        place = next((n for n, each in enumerate(new) if each.get(key) == change[key]), None)
        if change.get("$patch") == "delete":
            if place is not None:
                del new[place]
        elif place is None:
            # What is new comes first, as it does for the real one.
            new.insert(0, strategic({}, change))
        else:
            new[place] = strategic(new[place], change)
    return new


def json_patched(old: Any, operations: list[dict[str, Any]]) -> Any:
    """Apply operations of RFC 6902, of which kubectl uses test, add, replace and remove."""
    new = copy.deepcopy(old)
    for each in operations:
        *way, last = _pointer(each["path"])
        parent = new
        for part in way:
            parent = parent[int(part) if isinstance(parent, list) else part]
        place = int(last) if isinstance(parent, list) else last
        kind = each["op"]
        there = place in parent if isinstance(parent, dict) else int(place) < len(parent)
        if kind in {"test", "replace", "remove"} and not there:
            raise Unpatchable(f"{kind} operation does not apply: doc is missing path: {each}")
        if kind == "test" and parent[place] != each["value"]:
            raise Unpatchable(f"testing value {each['path']} failed: test failed")
        if kind in {"replace", "add"}:
            parent[place] = copy.deepcopy(each["value"])
        elif kind == "remove":
            del parent[place]
    return new


def _pointer(path: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]
