"""What a student does, in the real browser on real sandboxes."""

import re

import pytest

from tests.browser.conftest import open_lesson, start_sandbox, type_line, wait_for_text

pytestmark = pytest.mark.browser
LESSON = "A container is a process"
AXE = "node_modules/axe-core/axe.min.js"


def test_a_student_starts_types_reloads_and_finds_everything_again(alice, site):
    open_lesson(alice, site, LESSON)
    start_sandbox(alice)
    type_line(alice, "echo marker-$((40+2))")
    wait_for_text(alice, "marker-42")
    alice.reload()
    alice.locator(".xterm-rows").first.wait_for(timeout=30_000)
    wait_for_text(alice, "marker-42")


def test_a_flood_is_stopped_by_ctrl_c_and_the_page_stays_alive(alice, site):
    open_lesson(alice, site, LESSON)
    start_sandbox(alice)
    type_line(alice, "yes flood")
    wait_for_text(alice, "flood\nflood")
    alice.wait_for_timeout(1500)
    alice.keyboard.press("Control+c")
    type_line(alice, "clear; echo after-$((1+1))")
    wait_for_text(alice, "after-2", seconds=10)


@pytest.mark.parametrize("process", ["bridge", "control", "web", "redis"])
def test_the_terminal_is_back_after_a_kill(alice, site, process):
    open_lesson(alice, site, LESSON)
    start_sandbox(alice)
    type_line(alice, f"clear; (sleep 1; echo printed-$((50+5))-{process}) &")
    site.kill(process)
    site.start(process)
    wait_for_text(alice, f"printed-55-{process}", seconds=20)
    type_line(alice, f"echo typed-$((60+6))-{process}")
    wait_for_text(alice, f"typed-66-{process}", seconds=20)


def test_click_to_run_types_into_the_terminal(alice, site):
    open_lesson(alice, site, LESSON)
    start_sandbox(alice)
    button = alice.locator("[data-run]").first
    button.scroll_into_view_if_needed()
    command = alice.locator("template[data-code]").first.evaluate("node => node.content.textContent").strip()
    button.click()
    wait_for_text(alice, command.splitlines()[0][:20])


def test_a_strangers_session_does_not_exist(alice, site, browser):
    from tests.browser.conftest import sign_in
    open_lesson(alice, site, LESSON)
    start_sandbox(alice)
    session = alice.locator("[data-session]").first.get_attribute("data-session")
    assert re.fullmatch(r"[0-9a-f-]{36}", session)
    other = browser.new_page()
    sign_in(other, site, "bob")
    assert other.request.get(f"{site.url}/sessions/{session}/").status == 404
    code = other.evaluate(
        """([url]) => new Promise(done => { const socket = new WebSocket(url); socket.binaryType = "arraybuffer";
             socket.onclose = event => done(event.code); })""",
        [f"{site.url.replace('http', 'ws')}/ws/sessions/{session}/terminals/0/"])
    assert code == 4404
    other.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 768, 390])
@pytest.mark.parametrize("place", ["/", "/accounts/login/", "lesson"])
def test_no_accessibility_violation(alice, site, scheme, width, place):
    alice.emulate_media(color_scheme=scheme)
    alice.set_viewport_size({"width": width, "height": 900})
    if place == "lesson":
        open_lesson(alice, site, LESSON)
    else:
        alice.goto(site.url + place)
    assert violations(alice, site) == []
    assert alice.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out to the side"


def violations(page, site) -> list[str]:
    """axe's findings for WCAG 2.2 A and AA, one line each. It is injected by the debugger, past the page's CSP."""
    script = (site.root.parent / "axe.js")
    if not script.exists():
        script.write_text(_axe())
    page.evaluate(script.read_text() + "; undefined")
    found = page.evaluate("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})")
    return [f"{rule['id']}: {node['target']} {node['failureSummary'][:200]}"
            for rule in found["violations"] for node in rule["nodes"]]


def _axe() -> str:
    from tests.instance import CACHE, PROJECT
    for folder in (CACHE / "build", PROJECT):
        if (folder / AXE).exists():
            return (folder / AXE).read_text()
    raise FileNotFoundError(f"{AXE}: npm ci brings it")
