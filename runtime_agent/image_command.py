"""``image``: the operator's tool for images, and how set-up builds them.

Builds report to stdout as JSON lines {"percent", "message"}, which ``./lab`` draws as a bar; the rest prints for people.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from runtime_agent import image_build, image_gc, image_import, image_progress, images, recipes
from runtime_agent.errors import AgentError
from runtime_agent.recipes import ImageError
from runtime_agent.settings import Settings

USAGE = "usage: image list | build [NAME ...] | verify NAME | gc | import NAME SOURCE | adopt NAME FOLDER"
MIB = 1 << 20


def main(settings: Settings, rest: list[str]) -> int:
    """0 if everything asked for was done; 1 with a sentence on stderr; 2 for a call that is none."""
    try:
        match rest:
            case ["list"]:
                return show(settings)
            case ["build", *names]:
                return build(settings, names or recipes.names())
            case ["verify", name]:
                for reference in image_gc.verify(settings, name):
                    print(f"{reference}: as it was built")
            case ["gc"]:
                return collect(settings)
            case ["import", name, source]:
                image_import.import_image(settings, name, source, report)
            case ["adopt", name, folder]:
                image_import.adopt_tree(settings, name, Path(folder), report)
            case _:
                print(USAGE, file=sys.stderr)
                return 2
    except (AgentError, ImageError) as error:
        print(f"image: {error}", file=sys.stderr)
        return 1
    return 0


def report(percent: int, message: str) -> None:
    print(json.dumps({"percent": percent, "message": message}), flush=True)


def show(settings: Settings) -> int:
    """Every recipe and image: what it adds on disk, its version, the versions kept besides."""
    kept = images.versions(settings)
    for line in image_progress.states(settings):
        others = [reference for reference in kept if reference.startswith(f"{line['name']}/")
                  and reference != f"{line['name']}/{line['version']}"]
        size = f"{line['bytes'] // MIB} MiB" if line["bytes"] else ""
        more = f"  {len(others)} older kept" if others else ""
        said = f"  {line['percent']} % {line['message']}" if line["state"] in ("building", "failed") else ""
        print(f"{line['name']:16} {line['state']:9} {size:>9}  {line['version']:16}{more}{said}".rstrip())
    return 0


def build(settings: Settings, names: list[str]) -> int:
    """One after the other; one that fails does not keep the others from being built."""
    failed = 0
    for name in names:
        try:
            image_build.build(settings, name, report)
        except (AgentError, ImageError) as error:
            print(f"image: {name}: {error}\n  try again: sudo ./lab image build {name}", file=sys.stderr)
            failed += 1
    return 1 if failed else 0


def collect(settings: Settings) -> int:
    with image_build.lock(settings):
        removed = image_gc.collect(settings)
    for reference, size in removed:
        print(f"removed {reference}, {size // MIB} MiB")
    print(f"{len(removed)} versions removed; current ones and those that a disk began with are kept")
    return 0
