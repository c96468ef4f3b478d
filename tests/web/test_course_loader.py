"""A course's folder becomes a course; each mistake becomes one finding with its file, its line and what to write."""

import hashlib
import json
from pathlib import Path

import pytest

from labs import course_loading
from labs.course import bundle, loader
from labs.models import Course, Lesson, Module

LESSON = """---
title: A lesson
summary: In a line.
minutes: 20
objectives: [see it]
claims: [c1]
---
Words before.

## Look {#look}

Do it.

:::task seen
:::

:::hint
Open your eyes.
:::

:::solution
```bash run
ls
```
:::
"""
LAB = """machines:
  box: {image: base, profile: nested, memory: 128M}
tasks:
  - id: seen
    step: look
    title: Seen
    check: {run: checks/seen.sh}
"""


@pytest.fixture
def course(tmp_path) -> Path:
    """A course with one module and one sound lesson."""
    home = tmp_path / "courses" / "demo"
    lesson = home / "01-module" / "01-lesson"
    (lesson / "checks").mkdir(parents=True)
    (home / "course.yaml").write_text("title: Demo\nsummary: A demo.\nclaims: [c1]\n")
    (home / "01-module" / "module.yaml").write_text("title: Module\n")
    (lesson / "lesson.md").write_text(LESSON)
    (lesson / "lab.yaml").write_text(LAB)
    (lesson / "checks" / "seen.sh").write_text("echo seen\n")
    return home


@pytest.fixture
def lesson(course) -> Path:
    return course / "01-module" / "01-lesson"


def findings(course: Path) -> list[tuple[str, int, str]]:
    """(file, line, rule) of each finding."""
    return [(found.path.name, found.line, found.rule) for found in loader.load_course(course)[1]]


@pytest.mark.parametrize(("line", "lab", "wrong"), [
    ("", {}, []), ("recording: true\n", {}, []), ("recording: false\n", {"recording": False}, []),
    ("recording: maybe\n", {}, [("course.yaml", 4, "form")])])
def test_a_course_may_record_no_terminals(course, line, lab, wrong):
    with (course / "course.yaml").open("a") as file:
        file.write(line)
    found, _ = loader.load_course(course)
    assert findings(course) == wrong
    own = found.modules[0].lessons[0].lab
    assert {key: value for key, value in own.items() if key == "recording"} == lab


def test_a_sound_course_has_no_findings(course):
    found, wrong = loader.load_course(course)
    assert wrong == []
    only = found.modules[0].lessons[0]
    assert (found.slug, found.modules[0].slug, only.slug) == ("demo", "module", "lesson")
    assert [step["id"] for step in only.document["steps"]] == ["", "look"]
    assert only.lab["machines"]["box"]["memory_bytes"] == 128 << 20
    assert only.lab["solutions"] == [{"step": "look", "blocks": [{"machine": "", "code": "ls", "interrupt": False}]}]


@pytest.mark.parametrize(("old", "new", "where"), [
    ("memory: 128M", "memory: lots", ("lab.yaml", 2, "form")),
    ("memory: 128M", "memory: 15M", ("lab.yaml", 2, "form")),
    ("memory: 128M", "allow: [packet-sokets]", ("lab.yaml", 2, "permission")),
    ("profile: nested", "profile: standard, allow: [trace]", ("lab.yaml", 2, "permission")),
    ("memory: 128M", "allow: trace", ("lab.yaml", 2, "form")),
    ("profile: nested", "profile: nestled", ("lab.yaml", 2, "form")),
    ("image: base", "imgae: base", ("lab.yaml", 2, "unknown-key")),
    ("machines:\n  box: {image: base, profile: nested, memory: 128M}", "machines: {}", ("lab.yaml", 1, "missing")),
    ("  box:", "  Box!:", ("lab.yaml", 2, "form")),
    ("    title: Seen\n", "", ("lab.yaml", 4, "missing")),
    ("checks/seen.sh", "checks/unseen.sh", ("lab.yaml", 7, "no-file")),
    ("checks/seen.sh", "checks/../../x.sh", ("lab.yaml", 7, "no-file")),
    ("step: look", "step: lok", ("lab.yaml", 4, "step")),
    ("id: seen", "id: scene", ("lesson.md", 14, "task")),
    ("tasks:\n", "tasks: [\n", ("lab.yaml", 4, "yaml")),
])
def test_a_mistake_in_lab_yaml_is_named_with_its_line(course, lesson, old, new, where):
    assert old in LAB
    (lesson / "lab.yaml").write_text(LAB.replace(old, new))
    assert where in findings(course)


@pytest.mark.parametrize(("old", "new", "where"), [
    ("minutes: 20", "minutes: long", ("lesson.md", 4, "form")),
    ("claims: [c1]", "claims: [c2]", ("lesson.md", 6, "claim")),
    ("title: A lesson\n", "", ("lesson.md", 2, "missing")),
    (":::hint", ":::hnit", ("lesson.md", 17, "container")),
    (":::hint", ":::widget slider", ("lesson.md", 17, "widget")),
    (":::hint", ":::widget calculator from=nowhere", ("lesson.md", 17, "unknown-measure")),
    ("```bash run\nls\n```\n:::\n", "```bash run\nls\n", ("lesson.md", 22, "open")),
    ("```bash run", "```bash rum", ("lesson.md", 22, "code")),
    ("Words before.", ":::figure nowhere\n:::", ("lesson.md", 8, "figure")),
    ("Words before.", ":::predict x choice\nWhat?\n- [ ] a\n- [ ] b\n> Because.\n:::", ("lesson.md", 8, "predict")),
    ("Words before.", ":::quiz q\n### What?\n- [x] this\n- [ ] that\n:::", ("lesson.md", 9, "quiz")),
    ("Words before.", ":::", ("lesson.md", 8, "container")),
    (":::task seen\n:::\n", ":::task seen\n", ("lesson.md", 14, "open")),
    (":::task seen\n", ":::task seen\n\nLook around.\n", ("lesson.md", 16, "task")),
])
def test_a_mistake_in_lesson_md_is_named_with_its_line(course, lesson, old, new, where):
    assert old in LESSON
    (lesson / "lesson.md").write_text(LESSON.replace(old, new))
    assert where in findings(course)


def test_a_file_that_is_no_yaml_is_one_finding(course, lesson):
    (lesson / "lab.yaml").write_text(LAB.replace("tasks:", "tasks: ["))
    assert findings(course) == [("lab.yaml", 4, "yaml")]


def test_a_finding_says_what_was_meant(course, lesson):
    (lesson / "lab.yaml").write_text(LAB.replace("step: look", "step: lok"))
    assert "Did you mean 'look'?" in str(loader.load_course(course)[1][0])


def test_scripts_of_a_lesson_never_reach_its_page(course, lesson):
    hostile = "<script>alert(1)</script><img src=x onerror=alert(1)> [x](javascript:alert(1))"
    (lesson / "lesson.md").write_text(LESSON.replace("Words before.", hostile))
    found, wrong = loader.load_course(course)
    html = json.dumps(found.modules[0].lessons[0].document)
    assert wrong == []
    assert "<script" not in html
    assert "onerror=" not in html.replace("&lt;", "<") or "<img" not in html
    assert 'href=\\"javascript' not in html


@pytest.mark.parametrize("inner", ["<script/>", "<image href='http://x/'/>", "<rect onclick='x()'/>", "<rect style='fill:red'/>",
                                   "<use href='http://x/#a'/>", "<foreignObject/>"])
def test_a_figure_can_do_nothing_but_be_seen(course, lesson, inner):
    (lesson / "figures").mkdir()
    (lesson / "figures" / "f.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><title>T</title><desc>D</desc>{inner}</svg>')
    (lesson / "lesson.md").write_text(LESSON.replace("Words before.", ":::figure f\n:::"))
    assert ("lesson.md", 8, "figure") in findings(course)


def test_a_bundle_is_named_by_what_is_in_it(course, tmp_path):
    found = loader.load_course(course)[0].modules[0].lessons[0]
    digest = bundle.publish(found, tmp_path / "out")
    home = tmp_path / "out" / digest
    lines = sorted(f"{path.relative_to(home).as_posix()}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n"
                   for path in home.rglob("*") if path.is_file())
    assert hashlib.sha256("".join(lines).encode()).hexdigest() == digest
    assert bundle.publish(found, tmp_path / "out") == digest


@pytest.mark.django_db
def test_a_lesson_with_an_error_keeps_its_former_version_and_the_rest_loads(course, lesson, settings, tmp_path):
    settings.CONTENT_DIRS, settings.PUBLISHED_DIR = [course.parent], tmp_path / "published"
    assert course_loading.load_all() == (1, [])
    second = course / "01-module" / "02-second"
    second.mkdir()
    (second / "lesson.md").write_text(LESSON.replace("A lesson", "Another").partition(":::task")[0])
    (lesson / "lesson.md").write_text(LESSON.replace("title: A lesson", "title: Broken").replace(":::hint", ":::hnit"))
    count, wrong = course_loading.load_all()
    assert (count, len(wrong)) == (1, 1)
    assert list(Lesson.objects.values_list("title", flat=True)) == ["A lesson", "Another"]


@pytest.mark.django_db
def test_each_lesson_s_page_leads_to_its_neighbours_as_they_are_now(client, course, lesson, settings, tmp_path):
    settings.CONTENT_DIRS, settings.PUBLISHED_DIR = [course.parent], tmp_path / "published"
    second = course / "02-more" / "01-second"
    second.mkdir(parents=True)
    (course / "02-more" / "module.yaml").write_text("title: Second module\n")

    def links(title: str) -> dict[str, str | None]:
        html = client.get(Lesson.objects.get(title=title).get_absolute_url()).content.decode()
        end = html.partition('<nav class="lesson-end"')[2].partition("</nav>")[0]
        return {name: name in end for name in ("A lesson", "Another", "Third", "To the course")}
    (second / "lesson.md").write_text(LESSON.replace("A lesson", "Another").partition(":::task")[0])
    assert course_loading.load_all() == (2, [])
    assert links("A lesson") == {"A lesson": False, "Another": True, "Third": False, "To the course": False}
    assert links("Another") == {"A lesson": True, "Another": False, "Third": False, "To the course": True}
    (second / "lesson.md").write_text(LESSON.replace("A lesson", "Third").partition(":::task")[0])
    (lesson / "lesson.md").write_text(LESSON.replace(":::hint", ":::hnit"))  # stays as it was, and leads to the new title
    course_loading.load_all()
    assert links("A lesson") == {"A lesson": False, "Another": False, "Third": True, "To the course": False}


@pytest.mark.django_db
def test_a_lesson_that_is_gone_goes(course, lesson, settings, tmp_path):
    settings.CONTENT_DIRS, settings.PUBLISHED_DIR = [course.parent], tmp_path / "published"
    course_loading.load_all()
    (lesson / "lesson.md").unlink()
    course_loading.load_all()
    assert not Lesson.objects.exists()
    assert Course.objects.count() == 1


QUESTION = """    check:
      facts: "%s"
      saw: "%s"
    hint:
      - facts: "%s"
        text: "%s"
      - text: "not yet"
"""
GOOD = ("processes[?comm=='bash' && pid_inside==`1` && ns.pid!=$init.ns.pid] | [0]", "{comm}: {pid}", "namespaces | [0]", "{type}")


def with_question(lesson: Path, *parts: str) -> None:
    lines = [line for line in LAB.splitlines(keepends=True) if "check:" not in line]
    escaped = tuple(part.replace('"', '\\"') for part in parts)
    (lesson / "lab.yaml").write_text("".join(lines).rstrip() + "\n" + QUESTION % escaped)


def test_a_question_to_the_facts_is_sound_as_the_documents_write_it(course, lesson):
    with_question(lesson, *GOOD)
    assert findings(course) == []
    [found] = loader.load_course(course)[0].modules[0].lessons
    [task] = found.lab["tasks"]
    assert task["check"] == {"facts": GOOD[0], "saw": GOOD[1]}
    assert task["hint"] == [{"facts": GOOD[2], "text": GOOD[3]}, {"facts": "", "text": "not yet"}]


@pytest.mark.parametrize(("place", "text", "said"), [
    (0, "process[?comm=='bash']", "there is no 'process' in the facts. Did you mean 'processes'?"),
    (0, "processes[?com=='bash']", "there is no 'com' in processes[]. Did you mean 'comm'?"),
    (0, "processes[?ns.pids==`1`]", "there is no 'pids' in processes[].ns. Did you mean 'pid'?"),
    (0, "processes[?ns.pid!=$init.ns.pidd]", "there is no 'pidd' in processes[].ns. Did you mean 'pid'?"),
    (0, "processes[?pid_inside=='1']", "a number is never equal to a text"),
    (0, "processes[?comm > 'a']", "only numbers can be compared"),
    (0, "processes.comm", "processes[] is a list: write processes[].comm or [0].comm"),
    (0, "init[0]", "init is no list"),
    (0, "!cgroups[?path=='/small']", "! binds more tightly than [: write !(list[?...])"),
    (0, "processes[?comm==", "this is no JMESPath"),
    (0, "to_string(@)", "the function to_string() may not be used here"),
    (0, "max_by(processes, &memry_bytes)", "Did you mean 'memory_bytes'?"),
    (1, "{coom}", "there is no 'coom' in processes[]. Did you mean 'comm'?"),
    (1, "{comm:MiB}", "{comm} is no number"),
    (2, "namespaces[?tpe=='pid']", "Did you mean 'type'?"),
    (3, "{comm}", "there is no 'comm' in namespaces[]")])
def test_a_question_that_can_not_be_answered_is_a_finding(course, lesson, place, text, said):
    with_question(lesson, *[text if index == place else part for index, part in enumerate(GOOD)])
    found = loader.load_course(course)[1]
    assert len(found) == 1, found
    assert said in found[0].message
    at = {0: "facts: ", 1: "saw: ", 2: "- facts: ", 3: "  text: "}[place]
    line = (lesson / "lab.yaml").read_text().splitlines()[found[0].line - 1]
    assert at in line


def test_a_hint_beside_a_script_is_refused(course, lesson):
    (lesson / "lab.yaml").write_text(LAB.rstrip() + "\n    hint: {text: 'look again'}\n")
    assert [rule for _, _, rule in findings(course)] == ["form"]


def test_a_hint_that_always_holds_hides_the_ones_behind_it(course, lesson):
    with_question(lesson, *GOOD)
    text = (lesson / "lab.yaml").read_text()
    (lesson / "lab.yaml").write_text(text + '      - text: "never shown"\n')
    assert [(line, rule) for _, line, rule in findings(course)] == [(len(text.splitlines()), "order")]


@pytest.mark.parametrize(("inner", "said"), [
    ("<text data-fact='init.pid'>1</text>", ""), ("<text data-fact='processes | [0]' data-fact-text='{comm}'>x</text>", ""),
    ("<g data-fact-if='engines'/>", ""), ("<text data-fact='init.pd'>1</text>", "there is no 'pd'"),
    ("<g data-fact='init.pid'/>", "on <text> and <tspan> only"), ("<text data-fact-text='{pid}'>1</text>", "needs a data-fact"),
    ("<rect data-fact-part='init.pid' data-fact-of='`9`' data-full='90'/>", ""), ("<rect data-fact-part='init.pid'/>", "a bar is a <rect>"),
    ("<g data-fact-part='init.pid' data-fact-of='`9`' data-full='90'/>", "a bar is a <rect>"),
    ("<rect data-fact-part='init.comm' data-fact-of='`9`' data-full='90'/>", "made of two numbers"),
    ("<rect data-fact-part='init.pid' data-fact-of='`9`' data-full='0'/>", "a bar is a <rect>"),
    ("<g data-fact-if='engine'/>", "Did you mean 'engines'?"), ("<text data-fact='init' data-fact-text='{pd}'>1</text>", "there is no 'pd'")])
def test_a_figure_may_show_facts_that_there_are(inner, said):
    from labs.course.figures import FigureError, prepare
    text = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1 1'><title>T</title><desc>D</desc>{inner}</svg>"
    try:
        prepare(text, "figure")
        assert said == ""
    except FigureError as error:
        assert said and said in str(error)


def test_a_figure_may_name_a_machine_that_the_lab_has(course, lesson):
    (lesson / "figures").mkdir()
    text = (lesson / "lesson.md").read_text().replace("Do it.", "Do it.\n\n:::figure two\n:::")
    (lesson / "lesson.md").write_text(text)
    drawing = ("<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1 1'><title>T</title><desc>D</desc>"
               "<g data-fact-machine='{}'><text data-fact='machine'>x</text></g></svg>")
    (lesson / "figures" / "two.svg").write_text(drawing.format("box"))
    assert findings(course) == []
    (lesson / "figures" / "two.svg").write_text(drawing.format("bux"))
    line = text.splitlines().index(":::figure two") + 1
    assert findings(course) == [("lesson.md", line, "machine")]


@pytest.mark.parametrize(("facts", "said"), [
    ("cgroups[?path == '/small'].memory.usage_bytes | [0]", ""), ("", ""), ("cgroups[?pth == '/small']", "there is no 'pth'"),
    ("init.comm", "a measurement is a number, and this is a text")])
def test_a_measurement_may_come_from_the_facts(facts, said):
    from labs.course.containers import ContainerError, measure
    lines = ["What it uses", "```bash", "cat usage", "```", *(["```facts", facts, "```"] if facts else [])]
    try:
        found = measure(["used", "unit=MiB"], lines)
        assert (found["label"], found["command"], found["facts"], said) == ("What it uses", "cat usage", facts, "")
    except ContainerError as error:
        assert said and said in str(error)


@pytest.fixture
def shared(course, lesson) -> Path:
    """The course's checks: one file takes in another, a third is nobody's; the lesson's script uses the first."""
    folder = course / "checks"
    folder.mkdir()
    (folder / "a.sh").write_text(". /.bulkhead/checks/course/b.sh\n")
    (folder / "b.sh").write_text("name_of() {\n    cat /proc/$1/comm\n}\n")
    (folder / "c.sh").write_text("true\n")
    (lesson / "checks" / "seen.sh").write_text(". /.bulkhead/checks/course/a.sh\ntrue\n")
    return folder


def test_a_lab_carries_those_of_the_courses_checks_that_it_uses(shared, course):
    found, wrong = loader.load_course(course)
    assert wrong == []
    files = bundle.files_of(found.modules[0].lessons[0])
    assert sorted(name for name in files if "course" in name) == ["checks/course/a.sh", "checks/course/b.sh"]


@pytest.mark.parametrize(("script", "where"), [
    ("true\n. /.bulkhead/checks/course/d.sh\n", ("seen.sh", 2, "no-file")),
    (". /.bulkhead/checks/lib.sh\n", ("seen.sh", 1, "no-file")),
    ("# Ours.\nname_of() {\n    cat /proc/$1/comm\n}\n", ("seen.sh", 2, "copy")),
])
def test_a_script_that_uses_what_is_not_there_or_copies_what_is_is_named(shared, course, lesson, script, where):
    (lesson / "checks" / "seen.sh").write_text(script)
    assert findings(course) == [where]


def test_the_courses_own_checks_are_judged_too(shared, course):
    (shared / "b.sh").write_text(". /.bulkhead/checks/course/seen.sh\n")
    assert findings(course) == [("b.sh", 1, "no-file")]
    assert len(loader.load_course(course)[0].modules[0].lessons) == 1


EXAM = """---
questions: 1
pass: 60
wait: 5
---

## lesson

### Is it so?
- [x] yes
  > It is.
- [ ] no
  > It is.

### How many?
= 4 +- 1
> Four.
"""


@pytest.fixture
def exam(course) -> Path:
    path = course / "01-module" / "exam.md"
    path.write_text(EXAM)
    return path


def test_a_modules_exam_is_read_with_its_pool(course, exam):
    found, wrong = loader.load_course(course)
    assert wrong == []
    read = found.modules[0].exam
    assert (read["questions"], read["pass_percent"], read["wait_minutes"]) == (1, 60, 5)
    assert [(asked["lesson"], asked["kind"]) for asked in read["pool"]] == [("lesson", "single"), ("lesson", "number")]
    assert len({asked["id"] for asked in read["pool"]}) == 2


@pytest.mark.parametrize(("old", "new", "where"), [
    ("---\nquestions", "questions", ("exam.md", 1, "front-matter")),
    ("questions: 1", "questions: 2", ("exam.md", 1, "pool")),
    ("questions: 1", "questions: many", ("exam.md", 2, "form")),
    ("pass: 60", "pass: 101", ("exam.md", 3, "form")),
    ("wait: 5", "wiat: 5", ("exam.md", 4, "unknown-key")),
    ("## lesson", "## lessen", ("exam.md", 7, "lesson")),
    ("## lesson\n", "", ("exam.md", 8, "lesson")),
    ("  > It is.\n- [ ] no", "- [ ] no", ("exam.md", 9, "question")),
    ("[x] yes", "[ ] yes", ("exam.md", 9, "question")),
    ("### How many?\n= 4 +- 1\n> Four.", "### Is it so?\n= 4 +- 1\n> Four.", ("exam.md", 15, "twice")),
])
def test_a_mistake_in_an_exam_is_named_with_its_line(course, exam, old, new, where):
    assert old in EXAM
    exam.write_text(EXAM.replace(old, new))
    assert where in findings(course)
    assert loader.load_course(course)[0].modules[0].exam is None


@pytest.mark.django_db
def test_an_exam_with_an_error_keeps_its_former_version_and_one_that_is_gone_goes(course, exam, settings, tmp_path):
    settings.CONTENT_DIRS, settings.PUBLISHED_DIR = [course.parent], tmp_path / "published"
    course_loading.load_all()
    exam.write_text(EXAM.replace("questions: 1", "questions: many"))
    course_loading.load_all()
    assert Module.objects.get().exam["questions"] == 1
    exam.unlink()
    course_loading.load_all()
    assert Module.objects.get().exam is None


@pytest.mark.parametrize(("line", "where"), [
    ("certificate: {hours: 0}", "form"), ("certificate: {hours: 3, needs: [lab]}", "form"), ("certificate: {huors: 3}", "unknown-key")])
def test_a_mistake_in_the_certificate_is_named(course, line, where):
    path = course / "course.yaml"
    path.write_text(path.read_text() + line + "\n")
    assert ("course.yaml", len(path.read_text().splitlines()), where) in findings(course)


def test_a_certificate_needs_labs_and_exams_unless_it_says_otherwise(course):
    path = course / "course.yaml"
    before = path.read_text()
    path.write_text(before + "certificate: {hours: 3}\n")
    assert loader.load_course(course)[0].certificate == {"hours": 3, "needs": ["labs", "exams"]}
    path.write_text(before)
    assert loader.load_course(course)[0].certificate is None
