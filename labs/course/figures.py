"""Drawings that are put into the page: SVG that can do nothing but be seen."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

from labs.course.facts_lint import SCHEMA, FactsError, check_expression, check_question

SVG = "http://www.w3.org/2000/svg"
ELEMENTS = {"svg", "g", "defs", "title", "desc", "rect", "circle", "ellipse", "line", "polyline", "polygon", "path",
            "text", "tspan", "marker", "use", "symbol", "clipPath", "animate", "animateTransform", "animateMotion"}
REFERENCES = re.compile(r"url\(#([\w-]+)\)")
MAX_CHARS = 100_000


class FigureError(ValueError):
    """What the drawing must not have, or lacks."""


def prepare(text: str, name: str) -> tuple[str, str, str]:
    """(markup, title, description) of a drawing; its ids get ``name`` before them so that two figures can't clash.

    Raises FigureError with a sentence for the author.
    """
    if len(text) > MAX_CHARS or "<!ENTITY" in text or "<!DOCTYPE" in text:
        raise FigureError("the drawing is too large or declares a document type")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314  (no DTD gets here, so no entity can expand)
    except ElementTree.ParseError as error:
        raise FigureError(f"this is no XML: {error}") from None
    if root.tag != f"{{{SVG}}}svg" or "viewBox" not in root.attrib:
        raise FigureError("a figure is an <svg> in the SVG namespace with a viewBox")
    title, description = (root.findtext(f"{{{SVG}}}{tag}", "").strip() for tag in ("title", "desc"))
    if not title or not description:
        raise FigureError("a figure needs a <title> and a <desc> as its first children")
    for element in root.iter():
        _check(element, name)
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title {name}-desc")
    root.find(f"{{{SVG}}}title").set("id", f"{name}-title")
    root.find(f"{{{SVG}}}desc").set("id", f"{name}-desc")
    ElementTree.register_namespace("", SVG)
    return ElementTree.tostring(root, encoding="unicode"), title, description


def machines_of(markup: str) -> set[str]:
    """The machines whose facts a prepared drawing asks for by name: data-fact-machine on an element or a group."""
    return {element.get("data-fact-machine", "") for element in ElementTree.fromstring(markup).iter()} - {""}  # noqa: S314


def _check(element: ElementTree.Element, name: str) -> None:
    tag = element.tag.removeprefix(f"{{{SVG}}}") if isinstance(element.tag, str) else "comment"
    if tag not in ELEMENTS:
        raise FigureError(f"<{tag}> may not stand in a figure")
    _check_facts(element)
    for key, value in list(element.attrib.items()):
        plain = key.rpartition("}")[2]
        if plain.lower().startswith("on") or plain == "style":
            raise FigureError(f"the attribute {plain!r} may not stand in a figure; use classes")
        if plain == "href":
            if not value.startswith("#"):
                raise FigureError("a figure may refer to itself only")
            element.set(key, f"#{name}-{value[1:]}")
        elif plain == "id":
            element.set(key, f"{name}-{value}")
        elif "url(" in value:
            if not REFERENCES.fullmatch(value.strip()):
                raise FigureError("a figure may refer to itself only")
            element.set(key, REFERENCES.sub(rf"url(#{name}-\1)", value))


def _check_facts(element: ElementTree.Element) -> None:
    """``data-fact`` (with ``data-fact-text``) writes into a text, ``data-fact-if`` fades an element, ``data-fact-part``
    (with ``data-fact-of`` and ``data-full``) makes a bar as long as it is."""
    text = element.get("data-fact-text")
    if text and not element.get("data-fact"):
        raise FigureError("data-fact-text needs a data-fact that it is filled from")
    if element.get("data-fact") and not element.tag.endswith(("}text", "}tspan")):
        raise FigureError("data-fact may stand on <text> and <tspan> only; data-fact-if on everything")
    try:
        check_question(element.get("data-fact", ""), *([text] if text else []))
        check_question(element.get("data-fact-if", ""))
        _check_bar(element)
    except FactsError as error:
        raise FigureError(str(error)) from None


def _check_bar(element: ElementTree.Element) -> None:
    given = [element.get(name) for name in ("data-fact-part", "data-fact-of", "data-full")]
    if not any(given):
        return
    if not all(given) or not element.tag.endswith("}rect") or not re.fullmatch(r"[1-9][0-9]{0,3}", given[2]):
        raise FigureError("a bar is a <rect> with data-fact-part, data-fact-of and, in data-full, its width when it is full")
    for expression in given[:2]:
        found = check_expression(expression, SCHEMA)
        if found is None or found.kind != "number":
            raise FigureError(f"a bar is made of two numbers, and {expression!r} is none")
