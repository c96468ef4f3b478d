"""The published labs and image recipes on a host that shares no disk with the site.

    <agent>/content/<digest>/...          one lab, as content.load_lab reads it
    <agent>/recipes/<digest>/<image>/...  every image recipe; ``current`` leads to the newest
    <agent>/site/catalog.json             the newest catalogue that was accepted

The catalogue says which bundles the site publishes. It is signed with the site's key, which this host has known since it
joined; each bundle is named by the digest of what is in it. So nobody between the site and us, and no other host that
can write to Redis, can bring in a script of theirs, nor an old catalogue with a lab that was withdrawn. What is not
believed is refused whole, with its reason, and the labs we have stay as they are.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import redis
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from runtime_agent import fleet
from runtime_agent.errors import AgentError
from runtime_agent.fleet import CATALOG_KEY, bundle_key
from runtime_agent.protocol import ProtocolError
from runtime_agent.settings import Settings

PERIOD_SECONDS = 3.0
YOUNG_SECONDS = 600.0
"""A bundle is not cleaned away before: a create may be on its way that names it."""
log = logging.getLogger(__name__)


class Library:
    """Brings this host's labs and recipes to the site's catalogue. Safe to use from several threads."""

    def __init__(self, settings: Settings, in_use: Callable[[], Iterable[str]] = lambda: ()):
        self.settings, self.in_use = settings, in_use
        self.on_new_recipes: Callable[[], None] = lambda: None
        self.refused = ""
        self._lock = threading.Lock()
        self._site_key = bytes.fromhex(json.loads((settings.site_dir / "site.json").read_text())["site_key"])

    def run(self, stopped: threading.Event) -> None:
        """Thread body: look at the catalogue every few seconds."""
        while not stopped.is_set():
            try:
                with self._bus() as bus:
                    self.bring_up_to_date(bus)
            except (redis.RedisError, OSError) as error:
                log.warning("the catalogue could not be read: %s", error)
            stopped.wait(PERIOD_SECONDS)

    def bring_up_to_date(self, bus: redis.Redis) -> None:
        """One look. What is refused is logged once and told with the heartbeat."""
        try:
            with self._lock:
                self._take(bus, bus.get(CATALOG_KEY))
            self.refused = ""
        except ProtocolError as error:
            if str(error) != self.refused:
                log.warning("catalogue refused: %s", error)
            self.refused = str(error)

    def ensure(self, digest: object) -> None:
        """Have this lab, now: a create names it. Raises AgentError("unknown-lab") if the site does not publish it."""
        if isinstance(digest, str) and (self.settings.content_dir / digest / "lab.json").is_file():
            return
        try:
            with self._bus() as bus:
                self.bring_up_to_date(bus)
        except redis.RedisError as error:
            raise AgentError("unknown-lab", f"it is not here, and the site's Redis is away: {error}") from None
        if digest not in self.catalog()["labs"]:
            raise AgentError("unknown-lab", f"the site's catalogue has no {digest}; {self.refused}")

    def catalog(self) -> dict[str, Any]:
        """The newest accepted one; an empty one before the first."""
        try:
            return json.loads(self._file().read_text())
        except FileNotFoundError:
            return {"serial": 0, "at": 0, "labs": [], "recipes": ""}

    def describe(self) -> dict[str, Any]:
        """For the heartbeat: which catalogue, how many labs, and why a newer one was refused."""
        known = self.catalog()
        return {"serial": known["serial"], "labs": len(known["labs"]), "refused": self.refused}

    # --- taking -------------------------------------------------------------------------------------------

    def _take(self, bus: redis.Redis, sealed: bytes | None) -> None:
        if sealed is None:
            raise ProtocolError("no-catalog", "the site has published nothing yet")
        offered, known = self._verify(sealed), self.catalog()
        if offered["serial"] < known["serial"]:
            raise ProtocolError("old-catalog", f"it is number {offered['serial']}, this host has {known['serial']}")
        for digest in offered["labs"]:
            self._fetch(bus, digest, self.settings.content_dir / digest)
        new_recipes = self._take_recipes(bus, offered["recipes"])
        if offered != known:
            _write(self._file(), json.dumps(offered))
            log.info("catalogue serial=%d labs=%d", offered["serial"], len(offered["labs"]))
        self._clean_up(offered)
        if new_recipes:
            self.on_new_recipes()

    def _verify(self, sealed: bytes) -> dict[str, Any]:
        """The catalogue, if the site's key signed it. Raises ProtocolError "bad-catalog" or "bad-signature"."""
        try:
            envelope = json.loads(sealed)
            text, signature = envelope["message"], bytes.fromhex(envelope["signature"])
            Ed25519PublicKey.from_public_bytes(self._site_key).verify(signature, fleet.signed_bytes("catalog", text))
            offered = json.loads(text)
            if offered["version"] != fleet.VERSION:
                raise ValueError(f"version {offered['version']!r}, this host reads {fleet.VERSION}")
            if not all(fleet.DIGEST.fullmatch(name) for name in (*offered["labs"], offered["recipes"])):
                raise ValueError("a bundle is named by its sha256 digest")
            int(offered["serial"])
        except InvalidSignature:
            raise ProtocolError("bad-signature", "it is not signed by the site that this host joined") from None
        except (ValueError, KeyError, TypeError) as error:
            raise ProtocolError("bad-catalog", repr(error)) from None
        return offered

    def _take_recipes(self, bus: redis.Redis, digest: str) -> bool:
        home = self.settings.agent_dir / "recipes"
        self._fetch(bus, digest, home / digest)
        current = home / "current"
        if current.is_symlink() and os.readlink(current) == digest:
            return False
        new = home / ".current"
        new.unlink(missing_ok=True)
        new.symlink_to(digest)
        new.rename(current)
        return True

    def _fetch(self, bus: redis.Redis, digest: str, target: Path) -> None:
        """Unpack one bundle under a hidden name and rename it at the end. Raises ProtocolError, and then it is not there."""
        if target.is_dir():
            return
        body = bus.get(bundle_key(digest))
        if body is None:
            raise ProtocolError("bad-bundle", f"{digest[:16]} is in the catalogue and not on the bus")
        files = fleet.unpack(body, digest)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        building = Path(tempfile.mkdtemp(prefix=".fetching-", dir=target.parent))
        try:
            for path, content in files.items():
                (building / path).parent.mkdir(parents=True, exist_ok=True)
                (building / path).write_bytes(content)
            building.chmod(0o755)
            building.rename(target)
        finally:
            shutil.rmtree(building, ignore_errors=True)

    def _clean_up(self, offered: dict[str, Any]) -> None:
        """Bundles that the catalogue no longer has go once no session here uses them; half ones of a killed process too."""
        kept = {*offered["labs"], *self.in_use()}
        homes = ((self.settings.content_dir, kept), (self.settings.agent_dir / "recipes", {offered["recipes"]}))
        for folder, names in homes:
            for path in folder.iterdir() if folder.is_dir() else ():
                is_old = time.time() - path.lstat().st_mtime > YOUNG_SECONDS
                if path.is_dir() and not path.is_symlink() and path.name not in names and is_old:
                    _remove(path)

    def _bus(self) -> redis.Redis:
        return redis.Redis.from_url(self.settings.redis_url, socket_timeout=5, socket_connect_timeout=3)

    def _file(self) -> Path:
        return self.settings.site_dir / "catalog.json"


def main(settings: Settings, rest: list[str]) -> int:
    """Look once, before the first image is built, and say what there is."""
    if not settings.is_joined:
        print("lab: this machine has not joined a site", file=sys.stderr)
        return 1
    library = Library(settings)
    try:
        with library._bus() as bus:
            library.bring_up_to_date(bus)
    except (redis.RedisError, OSError) as error:
        library.refused = f"the site's Redis can't be reached: {error}"
    known = library.catalog()
    if library.refused:
        print(f"lab: catalogue: {library.refused}", file=sys.stderr)
    if known["serial"]:
        print(f"{len(known['labs'])} labs from the site's catalogue {known['serial']}")
    return 0 if known["serial"] else 1


def _remove(path: Path) -> None:
    """Under a hidden name first: half a bundle under its own would be taken for the whole one."""
    hidden = path if path.name.startswith(".") else path.with_name(f".removing-{path.name}")
    if hidden != path:
        shutil.rmtree(hidden, ignore_errors=True)
        path.rename(hidden)
    shutil.rmtree(hidden, ignore_errors=True)


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(text)
    os.replace(temporary, path)
