"""Several machines and web previews in the real browser, with a hostile page in the preview."""

import os
import re
import subprocess
import sys

import pytest

from tests.browser.conftest import sign_in, start_sandbox

pytestmark = pytest.mark.browser
HOSTILE = """
const tell = (name, value) => { document.title += ` ${name}=${value}`; document.body.append(` ${name}=${value};`); };
const attempt = async (name, call) => { try { tell(name, await call()); } catch (error) { tell(name, 'refused'); } };
const site = SITE, session = SESSION;
(async () => {
  tell('cookie', JSON.stringify(document.cookie));
  await attempt('parent', () => parent.document.body.innerText.length);
  await attempt('top', () => { top.location = 'about:blank'; return 'moved'; });
  await attempt('read', async () => (await (await fetch(site + '/', {credentials: 'include'})).text()).length);
  await attempt('post', async () => (await fetch(`${site}/sessions/${session}/end/`, {method: 'POST', credentials: 'include'})).status);
  await attempt('socket', () => new Promise((good, bad) => {
    const socket = new WebSocket(`${site.replace('http', 'ws')}/ws/sessions/${session}/terminals/0/`);
    socket.onopen = () => good('open'); socket.onerror = bad; }));
  document.cookie = 'sessionid=planted; domain=localhost'; document.cookie = 'sessionid=planted; domain=127.0.0.1';
  await attempt('frame', () => new Promise((good) => {
    const frame = document.createElement('iframe'); frame.src = site + '/'; document.body.append(frame);
    frame.onload = () => { try { good(frame.contentDocument.body.innerText.length ? 'read' : 'empty'); } catch { good('refused'); } }; }));
  tell('done', 1);
})();
"""


@pytest.fixture
def lab(alice, site):
    """Alice's page of the lab, with both machines ready."""
    alice.goto(f"{site.url}/learn/machines/networks/two-machines/")
    start_sandbox(alice)
    alice.get_by_role("tab", name="Database").wait_for(timeout=60_000)
    wait_in_terminal(alice, "#")
    return alice


def type_in(page, tab: str, line: str) -> None:
    page.get_by_role("tab", name=tab, exact=True).click()
    page.keyboard.type(line + "\n")


def wait_in_terminal(page, text: str) -> None:
    page.wait_for_function("(text) => [...document.querySelectorAll('.term:not([hidden]) .xterm-rows')]"
                           ".some((rows) => rows.innerText.includes(text))", arg=text, timeout=20_000)


def frame_of(page, number: int):
    return page.frame_locator(f"#preview-{number} iframe")


def test_a_block_is_typed_into_its_machines_terminal(lab):
    lab.locator("[data-run][data-machine=db]").first.click()
    wait_in_terminal(lab, "Serving HTTP")
    assert lab.get_by_role("tab", name="Database").get_attribute("aria-selected") == "true"
    lab.locator("[data-run][data-machine=web]").first.click()
    wait_in_terminal(lab, "Served by db")
    assert lab.get_by_role("tab", name="Web").get_attribute("aria-selected") == "true"


def test_a_new_terminal_opens_on_the_machine_that_is_chosen(lab):
    lab.get_by_label("Machine of a new terminal").select_option("db")
    lab.get_by_role("button", name="New terminal").click()
    lab.get_by_role("tab", name="Terminal 3").wait_for()
    lab.wait_for_timeout(500)
    type_in(lab, "Terminal 3", "echo on-$(hostname)-now")
    wait_in_terminal(lab, "on-db-now")


def test_the_preview_says_that_nothing_listens_and_shows_the_page_when_it_does(lab):
    lab.get_by_role("tab", name="Empty").click()
    frame_of(lab, 1).get_by_text("Nothing listens on port 9000 in the machine web yet").wait_for()
    type_in(lab, "Web", "cd /tmp; echo now-it-is-there > index.html; python3 -m http.server 9000 >/dev/null 2>&1 &")
    lab.get_by_role("tab", name="Empty").click()
    frame_of(lab, 1).get_by_text("now-it-is-there").wait_for(timeout=15_000)


def test_a_hostile_page_reaches_nothing_of_the_site(lab, site):
    session = lab.locator("[data-bench]").get_attribute("data-session")
    script = HOSTILE.replace("SITE", f"'{site.url}'").replace("SESSION", f"'{session}'").replace("\n", " ")
    write_file(site, session, "db", "/srv/evil/index.html", f"<body><script>{script}</script></body>")
    type_in(lab, "Database", "\x03")
    type_in(lab, "Database", "cd /srv/evil && python3 -m http.server 8000")
    wait_in_terminal(lab, "Serving HTTP")
    lab.get_by_role("tab", name="Page").click()
    frame_of(lab, 0).get_by_text("done=1").wait_for(timeout=20_000)
    told = frame_of(lab, 0).locator("body").inner_text()
    assert 'cookie=""' in told
    for name in ("parent", "top", "read", "post", "socket", "frame"):
        assert f"{name}=refused" in told, (name, told)
    assert lab.url.startswith(site.url)
    lab.problems.clear()  # the browser reports what it refused
    lab.reload()
    assert lab.get_by_role("tab", name="Database").count() or lab.locator("[data-bench]").count()
    assert lab.context.cookies(site.url) and not [one for one in lab.context.cookies() if one["value"] == "planted"]


def test_bob_does_not_get_alices_preview(lab, site, browser):
    session = lab.locator("[data-bench]").get_attribute("data-session")
    other = browser.new_context(base_url=site.url)
    page = other.new_page()
    sign_in(page, site, "bob")
    assert page.goto(f"{site.url}/sessions/{session}/previews/0/").status == 404
    port = re.search(r":(\d+)$", site.url)[1]
    assert page.goto(f"http://0-{session.replace('-', '')}.localhost:{port}/").status == 404
    other.close()


def write_file(site, session: str, machine: str, path: str, text: str) -> None:
    """Put a file into a machine from outside: a terminal would cut a long line."""
    code = ("import sys, os; from runtime_agent import settings, namespace, sandbox, spawn; s = settings.load(os.environ);"
            " namespace.enter(s); box = sandbox.find(s, sys.argv[1], sys.argv[2]);"
            " print(spawn.run(s, box, ['/bin/sh', '-c', 'mkdir -p \"${0%/*}\"; cat > \"$0\"', sys.argv[3]], 'root', 10,"
            " stdin=sys.stdin.read()).status)")
    done = subprocess.run([sys.executable, "-c", code, session, machine, path], env={**os.environ, **site.environment},
                          input=text, capture_output=True, text=True, timeout=30)
    assert done.stdout.strip() == "0", done
