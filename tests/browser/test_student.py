"""A student's whole way: start, work, see tasks pass, come back, end, resume, start over."""

import re

import pytest

from tests.browser.conftest import LESSON, end_sandbox, screen, start_sandbox, type_line, violations, wait_for_text

pytestmark = pytest.mark.browser
ANSWERS = {"outside-pid": "crun state demo | jq .pid > /root/outside.pid",
           "same-kernel": "crun exec demo sh -c 'uname -r > /kernel'",
           "killed": "kill -KILL $(cat /root/outside.pid)"}


def passed(page, task):
    page.locator(f"#task-{task}[data-state=passed]").wait_for(timeout=30_000)
    return page.locator(f"#task-{task} .answer").inner_text()


def begin_afresh(page):
    """A fresh sandbox, whatever was before."""
    if page.locator("[data-restart]").is_visible():
        page.once("dialog", lambda dialog: dialog.accept())
        before = page.locator("#session-state").get_attribute("data-generation")
        page.click("[data-restart]")
        page.wait_for_function("before => document.getElementById('session-state').dataset.generation !== before", arg=before)
    start_sandbox(page)


def test_every_step_of_the_first_lesson_passes_by_click_and_by_hand(visit):
    page = visit("bob", LESSON)
    begin_afresh(page)
    assert page.locator("#task-running .answer").inner_text() == "", "nothing is said before anything was tried"
    for button in page.locator("[data-step=start] > .code [data-run]").all():
        button.click()
    assert re.search(r"pid 1 inside, \d+ outside", passed(page, "running"))
    for task, command in ANSWERS.items():
        type_line(page, command)
        passed(page, task)
    assert "4 of 4 tasks passed" in page.locator("[data-progress-words]").inner_text()
    assert page.locator(".next-task .for-done").is_visible()
    page.reload()
    assert page.locator(".task[data-state=passed]").count() == 4
    assert violations(page) == []
    end_sandbox(page)


def test_not_yet_says_why_only_after_something_was_tried(visit):
    page = visit("bob", LESSON)
    begin_afresh(page)
    page.wait_for_timeout(1500)
    assert page.locator("#task-running").get_attribute("data-state") == "open"
    assert page.locator("#task-running .later").is_hidden()
    assert page.locator("#task-killed").get_attribute("data-later") is not None, "it is not looked at yet"
    if page.locator("#task-killed").get_attribute("data-passed") is None:  # else it says that it passed in an earlier run
        assert page.locator("#task-killed .later").is_visible(), "whoever works ahead is told why nothing answers"
    type_line(page, "true")
    page.locator("#task-running[data-state=pending]").wait_for()
    answer = page.locator("#task-running .answer").inner_text()
    assert answer.startswith("Not yet: ") and "not yet because" not in answer
    end_sandbox(page)


def test_a_click_on_run_starts_the_sandbox_and_waits_for_it(visit):
    page = visit("bob", LESSON)
    page.locator("[data-run]").first.click()
    assert "as soon as" in page.locator("[data-run-word]").first.inner_text()
    page.reload()
    if page.locator("[data-start-over]").is_visible():  # with files kept, which of two buttons is the student's choice
        page.click("[data-start-over]")
    wait_for_text(page, "config.json", 60)
    assert "cd /root/box && ls" in screen(page)
    end_sandbox(page)


def test_what_was_on_the_screen_is_there_after_a_reload_and_the_files_after_a_resume(visit):
    page = visit("bob", LESSON)
    begin_afresh(page)
    type_line(page, "echo kept-$((40+2)) > /root/note; cat /root/note")
    wait_for_text(page, "kept-42")
    page.reload()
    wait_for_text(page, "kept-42")
    end_sandbox(page)
    page.click("[data-resume]")
    wait_for_text(page, "root@host", 60)
    type_line(page, "clear; cat /root/note")
    wait_for_text(page, "kept-42")
    page.once("dialog", lambda dialog: dialog.accept())
    page.click("[data-restart]")
    page.locator("#session-state:not([hidden])").wait_for(state="attached")
    wait_for_text(page, "root@host", 60)
    type_line(page, "ls /root/note")
    wait_for_text(page, "No such file")
    end_sandbox(page)


def test_extending_moves_the_end_and_the_clock_says_so(carol):
    clock = carol.locator("[data-clock]")
    before = clock.get_attribute("data-expires")
    carol.click("[data-extend]")
    carol.wait_for_function("before => document.querySelector('[data-clock]').dataset.expires !== before", arg=before)
    assert int(re.search(r"\d+", clock.inner_text())[0]) > 60


@pytest.mark.parametrize("minutes", [10, 5, 1])
def test_the_end_is_announced_in_words_that_stay(carol, minutes):
    carol.evaluate("""minutes => { const clock = document.querySelector("[data-clock]");
        clock.dataset.expires = new Date(Date.now() + minutes * 60000 - 1000).toISOString();
        document.dispatchEvent(new CustomEvent("bulkhead:replaced")); }""", minutes)
    bar = carol.locator("[data-time]")
    assert f"{minutes} min left" in bar.inner_text()
    assert carol.locator("[data-clock].soon").is_visible()
    bar.get_by_role("button", name="Close").click()
    assert bar.is_hidden()


def test_hints_come_one_after_the_other_and_questions_answer_option_by_option(visit):
    page = visit("carol", LESSON)
    step = page.locator("[data-step=find]")
    taken = step.locator(".hint-text").count()
    if taken < 2:
        step.locator(".hint-ask button").click()
        step.locator(".hint-text").nth(taken).wait_for()
    quiz = page.locator("#quiz-check")
    for fieldset in quiz.locator("fieldset").all():
        inputs = fieldset.locator("input")
        kind = inputs.first.get_attribute("type")
        if kind in ("radio", "checkbox"):
            inputs.first.check()
        else:
            inputs.first.fill("1")
    quiz.get_by_role("button").click()
    page.locator("#quiz-check .verdict").first.wait_for()
    assert page.locator("#quiz-check .feedback").count() >= 4
    assert page.locator("#quiz-check").get_by_text("Not quite").count() >= 1


def test_a_number_is_kept_and_what_is_none_is_refused_beside_its_field(visit):
    page = visit("carol", LESSON)
    page.fill("#m-start-ms", "fast")
    page.locator("#measure-start-ms button").click()
    page.locator("#measure-start-ms .error").wait_for()
    page.fill("#m-start-ms", "8,5")
    page.locator("#measure-start-ms button").click()
    page.locator("#measure-start-ms .measured").wait_for()
    assert "8.5 ms" in page.locator("#measure-start-ms .measured").inner_text()
