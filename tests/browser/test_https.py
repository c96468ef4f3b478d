"""deploy/Caddyfile before a real site, with Debian's Caddy: HTTPS without internet, WebSockets through it."""

import json
import os
import ssl
import subprocess
import urllib.error
import urllib.request

import pytest

from tests.instance import PROJECT, free_port, running, wait_until

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    """(the site behind Caddy, the certificate of Caddy's own authority)"""
    folder, port = tmp_path_factory.mktemp("caddy"), free_port()
    root = folder / "caddy/pki/authorities/local/root.crt"
    origin = f"https://localhost:{port}"
    with running(tmp_path_factory.mktemp("secure"), BULKHEAD_ORIGIN=origin, BULKHEAD_SYNTHETIC_URL=origin,
                 SSL_CERT_FILE=str(root)) as site:
        environment = {**os.environ, "BULKHEAD_NAME": f"localhost:{port}", "BULKHEAD_UPSTREAM": f"127.0.0.1:{site.port}",
                       "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "HOME": str(folder)}
        (folder / "caddy.json").write_text(json.dumps(on_loopback(adapted(environment), port)))
        with (folder / "log").open("wb") as log:
            caddy = subprocess.Popen(["caddy", "run", "--config", folder / "caddy.json"], env=environment,
                                     stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until(lambda: root.exists() and fetch(f"{origin}/healthz", root), 60, "Caddy to answer")
            yield site, root
        finally:
            caddy.terminate()
            caddy.wait(20)


def adapted(environment: dict[str, str]) -> dict:
    """The committed file as Caddy understands it."""
    done = subprocess.run(["caddy", "adapt", "--config", PROJECT / "deploy/Caddyfile", "--adapter", "caddyfile"],
                          env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def on_loopback(config: dict, port: int) -> dict:
    """No port of this machine but the test's own: neither Caddy's own interface nor its redirects from port 80."""
    config["admin"] = {"disabled": True}
    for server in config["apps"]["http"]["servers"].values():
        server["listen"] = [f"127.0.0.1:{port}"]
        server["automatic_https"] = {**server.get("automatic_https", {}), "disable_redirects": True}
    return config


def fetch(address: str, root) -> str:
    try:
        with urllib.request.urlopen(address, timeout=20, context=ssl.create_default_context(cafile=root)) as answer:
            return answer.read().decode()
    except (urllib.error.URLError, OSError):
        return ""


def test_the_authority_is_caddys_own_and_is_put_into_no_store(secure):
    site, root = secure
    origin = site.environment["BULKHEAD_ORIGIN"]
    assert fetch(f"{origin}/healthz", root) == "ok\n"
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(f"{origin}/healthz", timeout=20, context=ssl.create_default_context(cafile="/etc/ssl/certs/ca-certificates.crt"))


def test_a_lab_is_walked_through_https_and_its_websocket(secure):
    site, _root = secure
    wait_until(lambda: "control ready" in site.log("control", 1 << 20), 60, "the agent")
    result = json.loads(site.manage("synthetic").splitlines()[-1])
    assert result["ok"], result


def test_the_cookies_are_for_https_and_this_host_only(secure):
    site, root = secure
    address = f"{site.environment['BULKHEAD_ORIGIN']}/accounts/login/"
    with urllib.request.urlopen(address, timeout=20, context=ssl.create_default_context(cafile=root)) as answer:
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith("__Host-csrftoken=")
        assert "Secure" in cookie
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")


def test_the_proxy_does_not_let_the_metrics_out(secure):
    site, root = secure
    assert fetch(f"{site.environment['BULKHEAD_ORIGIN']}/metrics", root) == ""
    with urllib.request.urlopen(f"{site.url}/metrics", timeout=20) as answer:
        assert b"bulkhead_sessions" in answer.read()
