"""An exam from its beginning to its review, the certificate, and the sections that were read, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import LESSON
from tests.browser.test_pages import look

pytestmark = pytest.mark.browser
COURSE = "virtualization-and-containers"
EXAM = f"/exams/{COURSE}/virtualization/"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
EARN = (Path(__file__).parent / "earn.py").read_text()


@pytest.fixture(scope="module", autouse=True)
def people(site):
    site.manage("shell", "-c", EARN)


def kept(page):
    """Wait until the page says that the answers are kept."""
    expect(page.locator("[data-kept]")).to_have_text("Your answers are kept.")
    page.locator("[data-kept]").evaluate("element => { element.textContent = '' }")


def test_an_exam_is_taken_by_keyboard_and_survives_a_reload(visit):
    page = visit("elsa", EXAM)
    page.get_by_role("link", name="Continue the exam").click()
    address = page.url
    first = page.locator("[data-question]").filter(has=page.locator("[type=radio]")).first
    first.locator("[type=radio]").first.focus()
    page.keyboard.press("Space")
    kept(page)
    page.keyboard.press("ArrowDown")
    kept(page)
    chosen = first.locator("[type=radio]").nth(1)
    expect(chosen).to_be_checked()
    typed = page.locator("[data-question] input[inputmode=decimal]")
    typed.fill("4")
    kept(page)
    places = page.locator(".order input")
    field, line = places.first.bounding_box(), page.locator(".order label").first.bounding_box()
    assert field["x"] + field["width"] <= line["x"], "the field stands beside its line, not on it"
    for number in range(places.count()):
        places.nth(number).fill(str(number + 1))
    kept(page)
    page.reload()
    expect(chosen).to_be_checked()
    expect(typed).to_have_value("4")
    expect(places.last).to_have_value(str(places.count()))
    html = page.content()
    assert "feedback" not in html and "correct" not in html.replace("data-correct", "")
    page.goto(page.url.partition("/attempts/")[0] + EXAM)
    page.get_by_role("link", name="Continue the exam").click()
    assert page.url == address


def test_an_open_exam_is_accessible(visit):
    page = visit("elsa", EXAM)
    page.locator("main .actions .button").click()
    assert look(page) == []


def test_two_tabs_of_an_exam_keep_the_answers_of_both(visit):
    pages = [visit("elsa", EXAM), visit("elsa", EXAM)]
    for page in pages:
        page.locator("main .actions .button").click()
        page.wait_for_url("**/attempts/**")
    first, second = (page.locator("[data-question]").filter(has=page.locator(kind)).first.locator(kind).first
                     for page, kind in zip(pages, ("[type=checkbox]", "[type=radio]"), strict=True))
    first.check()
    kept(pages[0])
    second.check()
    kept(pages[1])
    pages[0].reload()
    expect(first).to_be_checked()
    expect(pages[0].locator("[data-question]").filter(has=pages[0].locator("[type=radio]")).first.locator(
        "[type=radio]").first).to_be_checked()


def test_answers_wait_for_a_site_that_is_away(visit):
    page = visit("fritz", EXAM)
    page.get_by_role("button", name="Begin the exam").click()
    page.wait_for_url("**/attempts/**")  # what is routed before does not hold in the page that comes
    page.route("**/answers/", lambda route: route.abort())
    page.locator("[type=radio]").first.check()
    expect(page.locator("[data-kept]")).to_have_text(re.compile("^Not kept yet"))
    page.unroute("**/answers/")
    kept(page)


def test_handing_in_on_a_phone_asks_about_open_questions_then_shows_the_review(visit):
    page = visit("fritz", EXAM, **PHONE)
    page.locator("main .actions .button").tap()
    page.locator("[type=radio]").last.tap()
    kept(page)
    page.get_by_role("button", name="Hand in", exact=True).tap()
    warning = page.get_by_role("alert")
    expect(warning).to_contain_text("have no answer")
    assert look(page) == []
    page.get_by_role("button", name="Hand in all the same").tap()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("^Exam reviewed"))
    assert page.locator(".feedback").count() >= 12
    assert look(page) == []
    page.goto(page.url.partition("/attempts/")[0] + EXAM)
    expect(page.locator("main")).to_contain_text("The next attempt may begin at")
    assert look(page) == []


def test_without_scripts_a_button_keeps_the_answers(visit):
    page = visit("elsa", EXAM, java_script_enabled=False)
    page.locator("main .actions .button").click()
    page.locator("[type=radio]").last.check()
    page.get_by_role("button", name="Keep my answers").click()
    expect(page.locator(".message")).to_contain_text("kept")
    expect(page.locator("[type=radio]").last).to_be_checked()


def test_a_certificate_is_named_printed_checked_and_revoked(visit, site):
    page = visit("dora", "/")
    page.get_by_role("link", name="Your certificate is ready").click()
    assert look(page) == []
    page.get_by_label("Name on the certificate").fill("Dora 1")
    page.get_by_role("button", name="Get the certificate").click()
    expect(page.locator("main .error")).to_contain_text("can't show 1")
    page.get_by_label("Name on the certificate").fill("Дора Łukács")
    page.get_by_role("button", name="Get the certificate").click()
    assert look(page) == []
    address = page.locator(".verify-link").get_attribute("href")
    with page.expect_download() as download:
        page.get_by_role("link", name="Certificate (PDF)").click()
    check_file(Path(download.value.path()).read_bytes(), address)
    public = visit(None, address.removeprefix(site.url))
    expect(public.locator("main")).to_contain_text("Дора Łukács has finished the course")
    assert look(public) == []
    staff = visit("ines", "/certificates/")
    assert look(staff) == []
    staff.once("dialog", lambda dialog: dialog.accept())
    staff.get_by_role("button", name="Revoke Дора Łukács").click()
    expect(staff.get_by_role("button", name="Make valid Дора Łukács")).to_be_visible()
    public.reload()
    expect(public.locator("main")).to_contain_text("Revoked")
    assert look(public) == []


def check_file(body: bytes, address: str) -> None:
    """A PDF of one page with both fonts in it, the name in its title, and a link to the public page."""
    assert body.startswith(b"%PDF-") and body.count(b"/Type /Page\n") == 1
    assert body.count(b"/FontFile2") == 2, "nobody has to have these fonts"
    assert address.encode() in body
    assert "Дора Łukács".encode("utf-16-be") in unescaped(body)


def unescaped(body: bytes) -> bytes:
    """Strings of a PDF with their octal and other escapes undone (ISO 32000-1, 7.3.4.2)."""
    simple = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
    return re.sub(rb"\\(?:([0-7]{1,3})|(.))", lambda match: bytes([int(match[1], 8) & 255]) if match[1]
                  else simple.get(match[2], match[2]), body, flags=re.DOTALL)


def test_sections_read_are_remembered_and_taken_back(visit):
    page = visit("elsa", LESSON)
    step = page.locator("section[data-step]").nth(1)
    name = step.get_attribute("data-step")
    step.locator(".section-end").scroll_into_view_if_needed()
    expect(page.locator(f'[data-step-link="{name}"]')).to_have_attribute("data-read", "")
    expect(page.locator("[data-reading-words]")).to_have_text(re.compile("^[12] of "))
    page.goto(page.url.partition("/learn/")[0])
    link = page.get_by_role("link", name="Continue", exact=True)
    assert "#" in link.get_attribute("href")
    link.click()
    expect(page.locator("section[data-step]:target")).to_be_visible()
    page.get_by_role("button", name="Mark as unread").click()
    expect(page.locator("[data-reading-words]")).to_have_text(re.compile("^0 of "))
    expect(page.locator("[data-step-link][data-read]")).to_have_count(0)
