"""The facts on the wire: lists of objects become objects by key, so that a patch names only what has changed.

RFC 7396 replaces lists whole and takes null for "gone"; so lists that have a key are turned into objects, and a value
that is null is left out. ``apply`` is what the page does, for tests.
"""

from __future__ import annotations

from typing import Any

KEYS = {"processes": ("pid",), "namespaces": ("type", "id"), "cgroups": ("path",), "mounts": ("ns", "target"),
        "layers": ("role",), "changes": ("path",), "networks": ("ns",), "engines": ("pid", "kind")}
"""The list -> what names one of its entries. Two with one name (mounts over each other) are numbered."""
Document = dict[str, Any]


def to_wire(facts: Document) -> Document:
    """One machine's facts without nulls and with keyed lists. ``init`` is left out: it is in processes."""
    return {name: _keyed(value, KEYS[name]) if name in KEYS else value for name, value in facts.items()
            if value is not None and name != "init"} | ({"init": facts["init"]["pid"]} if facts.get("init") else {})


def _keyed(entries: list[Document], keys: tuple[str, ...]) -> Document:
    found: Document = {}
    for entry in entries:
        name = ":".join(str(entry[key]) for key in keys)
        number = 2
        while name in found:
            name, number = f"{name.partition('#')[0]}#{number}", number + 1
        found[name] = _without_null(entry)
    return found


def _without_null(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: _without_null(inner) for name, inner in value.items() if inner is not None}


def difference(old: Document, new: Document) -> Document:
    """The merge patch that makes ``new`` of ``old``; {} for none."""
    patch: Document = {name: None for name in old if name not in new}
    for name, value in new.items():
        before = old.get(name)
        if value == before:
            continue
        if isinstance(value, dict) and isinstance(before, dict):
            patch[name] = difference(before, value)
        else:
            patch[name] = value
    return patch


def apply(document: Any, patch: Any) -> Any:
    """RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    changed = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            changed.pop(name, None)
        else:
            changed[name] = apply(changed.get(name), value)
    return changed
