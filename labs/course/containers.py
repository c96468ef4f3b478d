"""What stands inside questions: predictions, measurements and quizzes, from their lines to blocks."""

from __future__ import annotations

import re
from typing import Any

from labs.course import html
from labs.course.facts_lint import SCHEMA, FactsError, check_expression

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,60}")
OPTION = re.compile(r"- \[(?P<mark>[ xX])\] (?P<text>.+)$")
PLACE = re.compile(r"(?P<place>\d+)\. (?P<text>.+)$")
ANSWER = re.compile(r"= (?P<answer>.+?)(?: \+- (?P<tolerance>[\d.]+))?$")
QUOTE = re.compile(r"\s*> ?(?P<text>.*)$")
Block = dict[str, Any]
LEAST_LINES = 3


class ContainerError(ValueError):
    """``line`` counts from the container's first line, 0."""

    def __init__(self, message: str, line: int = 0):
        super().__init__(message)
        self.line = line


def predict(words: list[str], lines: list[str]) -> Block:
    """``:::predict id choice|number|line [unit=...]``: question, then options or ``= answer``, then ``> explanation``."""
    if len(words) < 2 or not NAME.fullmatch(words[0]) or words[1] not in ("choice", "number", "line"):
        raise ContainerError("write :::predict, an id, and choice, number or line")
    unit = next((word.partition("=")[2] for word in words[2:] if word.startswith("unit=")), "")
    question, options, answer, tolerance, explanation = _parts(lines)
    block = {"kind": "predict", "id": words[0], "kind_of": words[1], "question_html": html.render(question),
             "options": [], "answer": answer, "tolerance": tolerance, "unit": unit, "explain_html": html.render(explanation)}
    if not explanation:
        raise ContainerError("a prediction needs an explanation in lines that begin with >")
    if words[1] == "choice":
        right = [f"o{index}" for index, option in enumerate(options) if option["correct"]]
        if len(options) < 2 or len(right) != 1:
            raise ContainerError("a choice needs at least two options - [ ], and exactly one - [x]")
        block["options"] = [{"id": f"o{index}", "html": option["html"]} for index, option in enumerate(options)]
        block["answer"] = right[0]
    elif not answer:
        raise ContainerError("write the outcome in a line = value")
    return block


def measure(words: list[str], lines: list[str]) -> Block:
    """``:::measure id unit=ms``: a label; the command that shows the number in a code fence, or what to ask the
    facts in a fence ```facts."""
    units = [word.partition("=")[2] for word in words[1:] if word.startswith("unit=")]
    if len(words) != 2 or not NAME.fullmatch(words[0]) or not units:
        raise ContainerError("write :::measure, an id, and unit=...")
    label, fences = [], {}
    inside = None
    for line in lines:
        if line.startswith("```"):
            inside = None if inside is not None else "facts" if line.strip() == "```facts" else "command"
        elif inside is not None:
            fences.setdefault(inside, []).append(line)
        elif line.strip():
            label.append(line.strip())
    if not label:
        raise ContainerError("say in a line what is measured")
    return {"kind": "measure", "id": words[0], "unit": units[0], "label": " ".join(label),
            "command": "\n".join(fences.get("command", [])).strip(), "facts": _facts(" ".join(fences.get("facts", [])).strip())}


def _facts(expression: str) -> str:
    try:
        found = check_expression(expression, SCHEMA) if expression else None
    except FactsError as error:
        raise ContainerError(str(error)) from None
    if found is not None and found.kind != "number":
        raise ContainerError(f"a measurement is a number, and this is a {found.kind}")
    return expression


def widget(words: list[str], names: tuple[str, ...]) -> Block:
    """``:::widget calculator|scheduler [from=measure-id]``: something to play with, and whose number it begins with."""
    sources = [word.partition("=")[2] for word in words[1:] if word.startswith("from=")]
    if not words or words[0] not in names or len(words) - 1 != len(sources) or len(sources) > 1:
        raise ContainerError(f"write :::widget and one of {', '.join(names)}, then perhaps from= and a measurement's id")
    return {"kind": "widget", "name": words[0], "source": sources[0] if sources else ""}


def quiz(words: list[str], lines: list[str]) -> Block:
    """``:::quiz id``: questions under ###; see docs/lab-format.md for the five kinds."""
    if len(words) != 1 or not NAME.fullmatch(words[0]):
        raise ContainerError("write :::quiz and an id")
    starts = [index for index, line in enumerate(lines) if line.startswith("### ")]
    if not starts:
        raise ContainerError("a quiz needs at least one question under ###")
    ends = [*starts[1:], len(lines)]
    return {"kind": "quiz", "id": words[0],
            "questions": [question(f"q{number}", lines[start:end], start + 1)
                          for number, (start, end) in enumerate(zip(starts, ends, strict=True), 1)]}


def question(name: str, lines: list[str], at: int) -> Block:
    title = lines[0].removeprefix("### ").strip()
    prompt, options, answer, tolerance, feedback = _parts(lines[1:])
    block: Block = {"id": name, "prompt_html": html.render(f"{title}\n\n{prompt}".strip()), "options": options,
                    "answer": answer, "tolerance": tolerance, "feedback_html": html.render(feedback) if feedback else ""}
    if answer is not None:
        number = tolerance is not None or re.fullmatch(r"-?[\d.]+", answer)
        if not feedback:
            raise ContainerError("this question needs feedback in lines that begin with >", at)
        return {**block, "kind": "number" if number else "text", "options": []}
    if any(option["place"] for option in options):
        if not feedback and not any(option["feedback_html"] for option in options):
            raise ContainerError("this question needs feedback in lines that begin with >", at)
        if len(options) < LEAST_LINES:
            raise ContainerError("put at least three lines in order: two are shown the wrong way round, which tells all", at)
        return {**block, "kind": "order"}
    right = sum(option["correct"] for option in options)
    if len(options) < 2 or not right:
        raise ContainerError("a question needs at least two options, one of them - [x], or a line = answer", at)
    if silent := [index for index, option in enumerate(options, 1) if not option["feedback_html"]]:
        raise ContainerError(f"option {silent[0]} has no feedback: write it below in a line that begins with >", at)
    return {**block, "kind": "single" if right == 1 else "multiple"}


def _parts(lines: list[str]) -> tuple[str, list[Block], str | None, str | None, str]:
    """(text before, options, answer, tolerance, feedback behind all of it)."""
    before: list[str] = []
    options: list[Block] = []
    quoted: list[str] = []
    answer = tolerance = None
    for line in lines:
        option, place, found, quote = OPTION.match(line), PLACE.match(line), ANSWER.match(line), QUOTE.match(line)
        if option or place:
            match = option or place
            options.append({"id": f"o{len(options)}", "html": html.render_inline(match["text"]), "feedback": [],
                            "correct": bool(option and option["mark"] in "xX"), "place": bool(place)})
        elif quote and options and line.startswith((" ", "\t")):
            options[-1]["feedback"].append(quote["text"])
        elif quote:
            quoted.append(quote["text"])
        elif found:
            answer, tolerance = found["answer"], found["tolerance"]
        else:
            before.append(line)
    for entry in options:
        text = "\n".join(entry.pop("feedback"))
        entry["feedback_html"] = html.render(text) if text else ""
    return "\n".join(before).strip(), options, answer, tolerance, "\n".join(quoted).strip()
