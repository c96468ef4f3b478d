"""Expressions over facts: what passes, why not yet, and what no expression may do to a worker."""

import time

import pytest

from runtime_agent import content, facts, questions
from runtime_agent.checks import Checker, Examiner
from runtime_agent.errors import AgentError
from runtime_agent.questions import Hint, Question, QuestionError
from tests.agent.labs import lab_document, publish, task
from tests.agent.machine_room import ALICE, hall, told

KNOWN = {"machine": "box", "cgroup_version": 1, "init": {"pid": 100, "hostname": "it's `a` \"box\"", "ns": {"pid": 7, "uts": 70}},
         "processes": [{"comm": "init", "pid": 100, "ns": {"pid": 7}, "apart": [], "memory_bytes": 0},
                       {"comm": "bash", "pid": 101, "ns": {"pid": 8}, "apart": ["pid", "mnt"], "memory_bytes": 50 << 20}]}


@pytest.mark.parametrize(("expression", "value"), [
    ("processes[?ns.pid != $init.ns.pid].comm", ["bash"]),
    ("processes[?comm=='$init.ns.pid']", []),
    ("$init.hostname", KNOWN["init"]["hostname"]),
    ("$init.nothing.at.all", None),
    ("$machine", "box"),
    ("length(processes)", 2)])
def test_variables_reach_the_whole_document(expression, value):
    assert questions.ask(expression, KNOWN) == value


@pytest.mark.parametrize(("value", "truth"), [
    (None, False), (False, False), ("", False), ([], False), ({}, False),
    (0, True), (0.0, True), (True, True), ("x", True), ([None], True), ({"a": None}, True)])
def test_truth_is_jmespaths(value, truth):
    assert questions.is_true(value) is truth


def test_the_first_hint_that_holds_gives_the_reason():
    question = Question("processes[?comm=='zsh']", hints=(
        Hint("never", "processes[?comm=='fish']"), Hint("{comm} has {join(', ', apart)}, {memory_bytes:MiB} in {$init.ns.uts}",
                                                         "processes[?apart] | [0]"), Hint("nothing")))
    assert questions.answer(question, KNOWN) == (False, "bash has pid, mnt, 50 MiB in 70")


def test_without_a_hint_that_holds_there_is_no_reason():
    assert questions.answer(Question("processes[?comm=='zsh']"), KNOWN) == (False, "")


def test_what_was_seen_is_filled_in():
    assert questions.answer(Question("processes[?comm=='bash'] | [0]", "{comm}: {pid}, {apart}"), KNOWN) == (
        True, 'bash: 101, ["pid", "mnt"]')


def test_a_hostile_value_is_a_value_and_no_expression():
    known = {**KNOWN, "processes": [{"comm": "{$init.pid}` || `true", "pid": 1, "ns": {"pid": 1}}]}
    assert questions.answer(Question("processes | [0]", "{comm}"), known) == (True, "{$init.pid}` || `true")
    assert questions.ask("$init.hostname == 'x'", {"init": {"hostname": "` || `true"}}) is False


@pytest.mark.parametrize("expression", [
    "processes[?", "to_string(@)", "processes[?length(pid) > `0`]", "x" * 5000, "abs('x')", "$Init", "@.merge(@, @)"])
def test_what_can_not_be_asked_is_an_error_of_one_kind(expression):
    with pytest.raises(QuestionError):
        questions.ask(expression, KNOWN)


def test_an_expression_can_not_hold_a_worker():
    many = {"processes": [{"pid": number, "pids": list(range(60))} for number in range(1000)]}
    nested = "processes[*].pids[*].[@,@,@,@,@,@,@,@,@,@,@,@]"
    began = time.monotonic()
    with pytest.raises(QuestionError, match="too long"):
        questions.ask(nested, many)
    assert time.monotonic() - began < 3


def test_only_what_is_asked_for_is_collected():
    assert Question("networks[?routes]").parts() & set(facts.schema().fields) == {"networks", "processes"}
    assert Question("cgroups[?x]", hints=(Hint("{changes}", "changes"),)).parts() == {"cgroups", "changes", "processes"}


@pytest.mark.parametrize("entry", [{"facts": 3}, {"facts": "a["}, {"facts": "x" * 1001}, {"facts": "to_string(@)"}, {"facts": None}])
def test_a_bundle_with_a_bad_question_is_refused(tmp_path, entry):
    document = lab_document(tasks=[task("one", "first", check=entry)])
    with pytest.raises(AgentError) as error:
        content.load_lab(tmp_path, publish(tmp_path, document))
    assert error.value.reason == "unknown-lab"


@pytest.fixture
def scene(tmp_path):
    """Alice's session whose one task asks the facts; what the kernel knows is ``known``, changed by the test."""
    sessions, room = hall(tmp_path)
    entry = task("one", "first", check={"facts": "processes[?comm=='bash'] | [0]", "saw": "{comm} is there"},
                 hint=[{"facts": "", "text": "no bash"}])
    sessions.create(ALICE, 1, publish(sessions.settings.content_dir, lab_document(tasks=[entry])), False)
    told(sessions)
    known: dict = {"processes": []}
    examiner = Examiner(sessions.settings, machinery=room, terminals=room, collect=lambda box, parts: known or None)
    return sessions, room, Checker(sessions.settings, sessions, examiner), known


def test_a_question_is_asked_of_the_kernel_and_never_inside(scene):
    sessions, room, checker, known = scene
    checker.look_now(ALICE)
    known["processes"] = KNOWN["processes"]
    checker.look_now(ALICE)
    assert told(sessions) == [("task_pending", "one"), ("task_passed", "one")]
    assert room.asked == []


def test_a_sandbox_that_ends_under_the_question_is_no_answer(scene):
    sessions, _, checker, known = scene
    known.clear()
    checker.look_now(ALICE)
    assert told(sessions) == []
