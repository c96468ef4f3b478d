"""The X-ray in the real browser on a real sandbox: what is typed on one side is drawn on the other."""

import os
import re
import signal

import pytest

from tests.browser.conftest import end_sandbox, open_lesson, sign_in, start_sandbox, type_line, wait_for_text
from tests.browser.test_student import violations
from tests.instance import CACHE, wait_until

pytestmark = pytest.mark.browser
LESSON = "A container is a process"
PARTS = ("processes", "namespaces", "resources", "layers", "network")


def show(page, view):
    """Terminal or X-ray, by the tabs that this width has."""
    tab = page.locator(f"[data-view={view}]")
    (tab if tab.is_visible() else page.locator(f"[data-show={view}]")).click()


def open_xray(page, part="processes"):
    show(page, "xray")
    page.click(f"[data-part={part}]")


@pytest.fixture
def at_work(alice, site):
    """Alice at a prompt of a running sandbox."""
    open_lesson(alice, site, LESSON)
    start_sandbox(alice)
    return alice


def test_a_process_appears_with_both_numbers_and_goes_again(at_work):
    page = at_work
    open_xray(page)
    page.locator(".process.outside", has_text="init").wait_for()
    show(page, "terminal")
    type_line(page, "unshare --pid --fork --mount-proc sleep 4711 &")
    show(page, "xray")
    row = page.locator(".row:not(.gone)", has=page.locator(".process.apart", has_text="sleep"))
    row.wait_for()
    label = row.locator(".outside").get_attribute("aria-label")
    outside, inside = (part.strip() for part in row.text_content().split("sleep")[:2])
    assert outside.isdigit()
    assert inside.endswith("› 1")
    assert f"{outside} outside" in label
    row.locator(".outside").focus()
    assert "lit" in row.get_attribute("class"), "its twin lights up"
    page.keyboard.press("ArrowUp")
    assert "lit" not in row.get_attribute("class")
    show(page, "terminal")
    type_line(page, "kill -9 $(pgrep -f 'sleep 4711')")
    show(page, "xray")
    row.wait_for(state="detached")


def test_a_namespace_says_who_is_in_it_and_how_to_get_in(at_work):
    page = at_work
    type_line(page, "unshare --uts sh -c 'hostname harbour; exec sleep 4712' &")
    open_xray(page, "namespaces")
    box = page.locator("[data-space^='uts:']", has_text="new ·")
    box.focus()
    page.keyboard.press("Enter")
    detail = page.locator("[data-detail]")
    detail.filter(has_text="harbour").filter(has_text="sleep").wait_for()  # the first look may still see its sh
    command = detail.locator(".enter code").inner_text()
    show(page, "terminal")
    type_line(page, f"clear; {command} hostname")
    wait_for_text(page, "harbour\n")


def test_a_click_counts_when_the_picture_is_drawn_anew_under_the_finger(at_work):
    page = at_work
    type_line(page, "unshare --ipc sh -c 'while :; do sleep 1 & sleep 2; done' &")
    open_xray(page, "namespaces")
    box = page.locator("[data-space^='ipc:']", has_text="new ·")
    box.hover()
    before = box.text_content()
    page.mouse.down()
    page.wait_for_function("([box, before]) => box.textContent !== before", arg=[box.element_handle(), before])
    page.mouse.up()
    page.locator("[data-detail]", has_text="sleep").wait_for()
    assert box.get_attribute("aria-pressed") == "true"
    show(page, "terminal")
    type_line(page, "kill -9 $(pgrep -f 'while :')")
    show(page, "xray")
    box.wait_for(state="detached")


def test_limits_layers_and_networks_are_those_of_the_sandbox(at_work):
    page = at_work
    type_line(page, "echo x > /root/by-me; ip netns add red; ip link add v0 type veth peer name v1 netns red; head -c 400M /dev/zero | tail >/dev/null")
    open_xray(page, "resources")
    table = page.locator("[data-home=resources] tbody")
    page.wait_for_function("() => / 256 MiB/.test(document.querySelector('[data-home=resources] tbody').textContent)")
    page.locator("[data-chart=memory] canvas").wait_for()
    assert "around the sandbox" in table.inner_text() or table.text_content()
    page.click("[data-part=layers]")
    page.locator("[data-home=layers] td", has_text="/root/by-me").wait_for()
    page.click("[data-part=network]")
    page.locator("[data-home=network] .cable").wait_for(state="attached")
    page.locator("[data-home=network] td", has_text="/run/netns/red").first.wait_for()


def test_a_student_moves_a_limit_and_the_kernel_keeps_it(alice, site):
    page = alice
    open_lesson(page, site, "Control groups: a limit for memory")
    start_sandbox(page)
    open_xray(page, "resources")
    slider = page.locator("#limit-memory")
    page.wait_for_function("() => document.querySelector('#limit-memory').value === '512'")
    slider.evaluate("one => { one.value = 100; for (const name of ['input', 'change']) one.dispatchEvent(new Event(name, {bubbles: true})); }")
    page.wait_for_function("() => / 100 MiB/.test(document.querySelector('[data-home=resources] tbody').textContent)")
    type_line_in_terminal(page, "head -c 300M /dev/zero | tail >/dev/null; clear; echo status $?")
    page.locator("[data-kernel] li", has_text="the memory limit of 100 MiB").first.wait_for()


def type_line_in_terminal(page, line):
    show(page, "terminal")
    type_line(page, line)
    show(page, "xray")


def test_the_lessons_drawing_shows_the_readers_sandbox(at_work):
    page = at_work
    drawing = page.locator(".figure:has([data-fact])").first
    drawing.scroll_into_view_if_needed()
    page.locator(".figure.live").first.wait_for()
    assert drawing.locator(".ns-pid.unseen").count() == 1, "no container yet"
    type_line(page, "(cd /root/box; crun delete --force demo; crun run --detach demo || crun run --no-new-keyring --detach demo)")
    drawing.locator(".ns-pid:not(.unseen)").wait_for()
    shown = drawing.locator("text", has_text="ps: ").text_content()
    type_line(page, "clear; echo number-$(crun state demo | jq .pid)")
    wait_for_text(page, f"number-{shown.removeprefix('ps: ')}")


def test_a_drawing_of_two_machines_shows_each(visit):
    page = visit("dave", "/learn/virtualization-and-containers/containers/images-and-layers/")
    start_sandbox(page)
    drawing = page.locator(".figure:has([data-fact-machine])")
    drawing.scroll_into_view_if_needed()
    page.locator(".figure.live").first.wait_for()
    drawing.locator("[data-fact-machine=two].unseen").first.wait_for(state="attached")
    type_line(page, "mkdir -p /srv/image; echo {} > /srv/image/index.json")
    drawing.locator("[data-fact-machine=one]:not(.unseen)", has_text="index.json").wait_for()
    page.get_by_role("tab", name="Two").click()
    wait_for_text(page, "root@two")
    type_line(page, "mkdir -p /srv/2 /srv/1 /srv/root; mount -t overlay overlay -o lowerdir=/srv/2:/srv/1 /srv/root")
    drawing.get_by_text("from /srv/2", exact=True).wait_for()
    drawing.get_by_text("from /srv/1", exact=True).wait_for()
    assert drawing.locator("[data-fact-machine=two].unseen").count() == 0
    end_sandbox(page)


def open_time_line(page):
    timeline = page.locator(".xray-timeline")
    if timeline.locator("details[open]").count() == 0:
        timeline.locator("summary").click()
    return timeline


def test_the_time_line_goes_back_to_before_a_command(at_work):
    page = at_work
    open_xray(page)
    page.locator(".process.outside").first.wait_for()
    show(page, "terminal")
    type_line(page, "sleep 4713 &")
    show(page, "xray")
    sleep = page.locator(".row:not(.gone) .outside", has_text="sleep")
    open_time_line(page)
    page.locator("[data-events] li", has=page.locator("code", has_text="sleep 4713 &")).filter(has_text="status 0").wait_for()
    page.locator("#xray-time").focus()
    page.keyboard.press("Home")
    page.locator("[data-back]").wait_for()
    assert sleep.count() == 0 or page.locator(".xray.past").count() == 1
    page.click("[data-back]")
    page.locator(".xray:not(.past)").wait_for()


def test_a_panel_opened_late_shows_what_happened_before(at_work, site):
    """Nobody looked: the worker did, when commands ended. What it kept is there after a reload, and after its own restart."""
    page = at_work
    session = page.locator("[data-session]").first.get_attribute("data-session")
    kept = site.state / "agent" / "sandboxes" / session / "history.json"
    type_line(page, "cp /bin/sleep /tmp/late-riser; /tmp/late-riser 4720 &")
    born = re.compile(r'"what": "late-riser \d|"became": "late-riser"')
    wait_until(lambda: kept.exists() and born.search(kept.read_text()), 60, "its birth in the history")
    type_line(page, "kill -9 $!; (exit 3)")
    died = '"kind": "process-gone", "what": "late-riser '
    wait_until(lambda: '"status": 3' in kept.read_text() and died in kept.read_text(), 60, "its end in the history")
    site.kill("control")
    site.start("control")
    page.reload()
    wait_for_text(page, "late-riser")
    open_xray(page)
    timeline = open_time_line(page)
    timeline.locator("li", has_text="(exit 3)").filter(has_text="status 3").wait_for()
    timeline.locator("[data-coarse]").wait_for()
    assert timeline.locator(".gap").count() > 0
    timeline.locator("li", has_text=re.compile(r"late-riser \d+ began|became late-riser")).first.locator("button").click()
    page.locator(".xray.past").wait_for()
    page.locator(".row:not(.gone) .outside", has_text="late-riser").wait_for()
    timeline.locator("[data-moment]", has_text="ago").wait_for()
    page.click("[data-back]")
    page.locator(".row:not(.gone) .outside", has_text="late-riser").wait_for(state="detached")


def test_a_silent_worker_is_told_with_when_facts_came_last(at_work, site):
    page = at_work
    open_xray(page)
    page.locator(".process.outside").first.wait_for()
    control = site.children["control"].pid
    os.kill(control, signal.SIGSTOP)
    try:
        page.locator("[data-status]", has_text="The worker is silent").filter(has_text="Facts came last at").wait_for(timeout=60_000)
        assert page.locator(".process.outside").count() > 0, "the last picture stays"
    finally:
        os.kill(control, signal.SIGCONT)
    page.locator("[data-status]:empty").wait_for(state="attached", timeout=60_000)


def test_bob_can_not_look_into_alices_sandbox(at_work, site, browser):
    session = at_work.locator("[data-session]").first.get_attribute("data-session")
    other = browser.new_page()
    sign_in(other, site, "bob")
    code = other.evaluate("url => new Promise(done => { new WebSocket(url).onclose = event => done(event.code); })",
                          f"{site.url.replace('http', 'ws')}/ws/sessions/{session}/facts/")
    assert code == 4404
    other.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_no_accessibility_violation_in_any_view(at_work, site, scheme, width):
    page = at_work
    type_line(page, "unshare --uts --pid --fork --mount-proc sleep 4714 &")
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 860})
    shots = CACHE / "screenshots"
    shots.mkdir(exist_ok=True)
    for part in PARTS:
        open_xray(page, part)
        page.locator(".xray[data-has=facts]").wait_for()
        page.screenshot(path=str(shots / f"xray-{part}-{width}-{scheme}.png"))
        assert violations(page, site) == [], part
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), part
