"""A sign-in that ends, or begins anew in another tab, while a page lies open: nothing is lost and nothing is a blank page."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import LESSON, PASSWORD, end_sandbox, start_sandbox, wait_for_text

pytestmark = pytest.mark.browser
EXAM = "/exams/virtualization-and-containers/engines/"


@pytest.fixture(scope="module", autouse=True)
def greta_and_hanna(site):
    """Two of their own: who signs out spoils the sign-in that other tests share. Only Hanna gets a sandbox."""
    for name in ("greta", "hanna"):
        site.manage("shell", "-c", f"from django.contrib.auth import get_user_model as u; u().objects.create_user('{name}', '', '{PASSWORD}')")


def sign_in_here(page, then, name="greta"):
    page.fill("input[name=login]", name)
    page.fill("input[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(lambda url: url.split("#")[0].endswith(then))


def sign_in_in_another_tab(page, site, name="greta"):
    other = page.context.new_page()
    other.goto(f"{site.url}/accounts/login/")
    sign_in_here(other, "/", name)
    other.close()


def test_a_form_sent_signed_out_leads_to_the_sign_in_and_back_to_its_page(visit):
    page = visit(None, f"/accounts/login/?next={LESSON}")
    sign_in_here(page, LESSON)
    page.context.clear_cookies(name="sessionid")
    page.click("[data-start]")
    page.wait_for_url("**/accounts/login/**")
    sign_in_here(page, LESSON)
    expect(page.locator("[data-start]")).to_be_visible()


def test_a_page_from_before_a_new_sign_in_goes_on_working(visit, site):
    page = visit(None, f"/accounts/login/?next={LESSON}")
    sign_in_here(page, LESSON)
    page.context.clear_cookies()
    sign_in_in_another_tab(page, site)
    step = page.locator("[data-step=find]")
    step.locator(".hint-ask button").click()
    expect(step.locator(".hint-text").first).to_be_visible()


def test_a_sign_out_in_another_tab_ends_terminal_and_xray_and_both_say_why(visit, site):
    page = visit(None, f"/accounts/login/?next={LESSON}")
    sign_in_here(page, LESSON, "hanna")
    start_sandbox(page)
    page.click("[data-view=xray]")
    page.locator(".process.outside").first.wait_for()
    other = page.context.new_page()
    other.goto(f"{site.url}/accounts/logout/")
    other.click("main button[type=submit]")
    other.wait_for_url(lambda url: "logout" not in url)
    other.close()
    expect(page.locator(".xray-status")).to_contain_text("You are signed out")
    page.click("[data-view=terminal]")
    expect(page.get_by_text("You are signed out.", exact=True)).to_be_visible()
    expect(page.locator("[data-bench]").get_by_role("link", name="Sign in")).to_be_visible()
    sign_in_in_another_tab(page, site, "hanna")
    page.reload()
    wait_for_text(page, ":~")
    end_sandbox(page)


def test_an_exam_says_that_one_is_signed_out_and_goes_on_after_a_new_sign_in(visit, site):
    page = visit(None, f"/accounts/login/?next={EXAM}")
    sign_in_here(page, EXAM)
    page.get_by_role("button", name="Begin the exam").click()
    status = page.locator("[data-kept]")
    page.context.clear_cookies()
    chosen = page.locator("[data-question] input[type=radio], [data-question] input[type=checkbox]").first
    chosen.check()
    expect(status).to_contain_text("you are signed out")
    sign_in_in_another_tab(page, site)
    expect(status).to_have_text("Your answers are kept.", timeout=20_000)
    page.reload()
    expect(chosen).to_be_checked()


def test_a_refused_start_says_why_and_leads_to_where_it_can_be_mended(visit, site):
    site.manage("shell", "-c", FILL)
    page = visit(None, f"/accounts/login/?next={LESSON}")
    sign_in_here(page, LESSON)
    page.click("[data-start]")
    message = page.locator("[data-messages] .message")
    expect(message).to_contain_text("as many sandboxes running as you may")
    message.get_by_role("link", name="Your progress").click()
    expect(page.locator("#running-title")).to_be_in_viewport()


FILL = """
from datetime import timedelta
from django.contrib.auth import get_user_model
from django.utils import timezone
from labs.models import LabSession, Lesson
later, greta = timezone.now() + timedelta(hours=5), get_user_model().objects.get(username="greta")
for lesson in Lesson.objects.exclude(lab=None).exclude(slug="a-container-is-a-process")[:8]:
    LabSession.objects.create(user=greta, lesson=lesson, lab=lesson.lab, lab_digest=lesson.lab_digest, state="queued", queued_at=later, asked_at=later)
"""
