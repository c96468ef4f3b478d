"""The Python environment and the front end, built from locks with hashes, once per lock.

pip brings uv, node and setuptools (deploy/tools.lock), uv brings the rest (requirements.lock). Wheels only: nothing is
compiled and no package's set-up code runs as root. The front end is JavaScript and is therefore built by the
unprivileged user, in a folder of its own; root only copies the result.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from deploy.lab.places import Places, SetupError, user_ids

CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
FRONT_END = ("package.json", "package-lock.json", ".npmrc", "static", "templates", "tests/golden")
FRONT_END_TESTS = ("static/tests", "tests/golden")


def prepare(places: Places, with_pages: bool = True) -> None:
    """Bring environment and front end to what the locks say. Quick when nothing has changed."""
    _once(places, "tools", [places.project / "deploy/tools.lock"], _make_tools)
    _once(places, "venv", [places.project / "requirements.lock"], _make_venv)
    if with_pages:
        _once(places, "dist", _front_end_files(places.project), build_front_end, places.project / "static/dist")


def outside() -> dict[str, str]:
    """The environment for programs that fetch: the machine's own certificates are honoured by all of them."""
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "UV_NO_PROGRESS": "1", "UV_HTTP_TIMEOUT": "180"}
    if CA_BUNDLE.exists():
        for name in ("SSL_CERT_FILE", "PIP_CERT", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE"):
            environment.setdefault(name, str(CA_BUNDLE))
    return environment


def run(command: Sequence[str | Path], *, environment: Mapping[str, str], cwd: Path | None = None,
        as_user: bool = False) -> str:
    """Run to the end; what it printed. SetupError with its last words otherwise."""
    owner = user_ids() if as_user else None
    identity = {"user": owner[0], "group": owner[1], "extra_groups": []} if owner else {}
    done = subprocess.run([str(part) for part in command], env=dict(environment), cwd=cwd, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          check=False, **identity)
    if done.returncode:
        raise SetupError(f"{' '.join(str(part) for part in command[:4])} failed:\n{done.stdout[-2000:]}")
    return done.stdout


def _once(places: Places, name: str, sources: Iterable[Path], make, result: Path | None = None) -> None:
    """Call ``make(places)`` unless its result was made from the same sources. Where these lie counts only for a ``result``
    that lies with them: what is made in the state folder serves every checkout, and may be in use by another."""
    digest = hashlib.sha256(os.path.realpath(interpreter()).encode() + (os.fsencode(result) if result else b""))
    for source in sources:
        digest.update(os.fsencode(source.relative_to(places.project)) + b"\0" + source.read_bytes())
    stamp = places.state / f".{name}.made-from"
    exists = (result or places.state / name).exists()
    if exists and stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    print(f"Preparing {name}", flush=True)
    make(places)
    stamp.write_text(digest.hexdigest())


def interpreter() -> str:
    """The distribution's Python where there is one: an interpreter in somebody's home can't be run by the site's user."""
    return "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable


def _make_tools(places: Places) -> None:
    shutil.rmtree(places.tools, ignore_errors=True)
    run([interpreter(), "-m", "venv", places.tools], environment=outside())
    run([places.tools / "bin/pip", "install", "-q", "--only-binary", ":all:", "--require-hashes", "-r",
         places.project / "deploy/tools.lock"], environment=outside())


def _make_venv(places: Places) -> None:
    target = places.state / "venv"
    shutil.rmtree(target, ignore_errors=True)
    run([interpreter(), "-m", "venv", "--without-pip", target], environment=outside())
    run([places.tools / "bin/uv", "pip", "install", "-q", "--no-build", "--require-hashes", "--no-cache",
         "--compile-bytecode", "--python", target / "bin/python", "-r", places.project / "requirements.lock"],
        environment={**outside(), "SSL_CERT_FILE": outside().get("SSL_CERT_FILE", str(CA_BUNDLE))})


def build_front_end(places: Places) -> None:
    """npm ci and the build, as the unprivileged user, then the result into static/dist."""
    shutil.rmtree(places.build, ignore_errors=True)
    places.build.mkdir()
    for name in FRONT_END:
        source = places.project / name
        if source.is_dir():
            shutil.copytree(source, places.build / name, ignore=shutil.ignore_patterns("dist"))
        elif source.exists():
            shutil.copy(source, places.build / name)
    _give_to_user(places.build)
    for arguments in (["ci", "--ignore-scripts"], ["run", "build"]):
        npm(places, arguments)
    target = places.project / "static/dist"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(places.build / "static/dist", target)


def bring_tests(places: Places) -> None:
    """The front end's tests and their golden files, as they are now: nothing is built anew because of them."""
    for name in FRONT_END_TESTS:
        shutil.rmtree(places.build / name, ignore_errors=True)
        shutil.copytree(places.project / name, places.build / name)
        _give_to_user(places.build / name)


def _give_to_user(folder: Path) -> None:
    owner = user_ids()
    for path in (folder, *folder.rglob("*")) if owner else ():
        os.chown(path, *owner, follow_symlinks=False)


def npm(places: Places, arguments: Sequence[str]) -> str:
    """npm in the build folder, as the unprivileged user."""
    environment = {**outside(), "HOME": str(places.build), "npm_config_cache": str(places.build / ".npm-cache"),
                   "npm_config_update_notifier": "false",
                   "PATH": f"{places.tools}/bin:/usr/local/bin:/usr/bin:/bin"}
    for name in ("npm_config_userconfig", "NPM_CONFIG_USERCONFIG"):
        if os.environ.get(name):
            environment[name] = os.environ[name]
    return run([places.tools / "bin/npm", *arguments], environment=environment, cwd=places.build, as_user=True)


def _front_end_files(project: Path) -> list[Path]:
    files = [project / name for name in ("package.json", "package-lock.json", ".npmrc", "static/build.mjs")]
    for folder in ("static/src", "templates"):
        files += [path for path in (project / folder).rglob("*") if path.is_file()]
    return sorted(path for path in files if path.exists())
