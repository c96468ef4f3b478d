"""Reading an attack list: the good, and every way to write a bad one, with file, line and column."""

import pytest

from runtime_agent.attack_list import ListError, judge, read

HEAD = "id\tcategory\tcommand\texpected"
ROW = "A-1\tkind\techo OK\tstd=OK; nested=ANY; what must hold"


def write(tmp_path, *lines):
    path = tmp_path / "list.tsv"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_a_row_is_read_with_its_expectations(tmp_path):
    (attack,) = read(write(tmp_path, HEAD, ROW))
    assert (attack.id, attack.command, attack.text) == ("A-1", "echo OK", "what must hold")
    assert attack.expected == {"standard": "OK", "nested": "ANY"}


def test_the_text_may_be_missing_and_the_command_may_hold_quotes(tmp_path):
    (attack,) = read(write(tmp_path, HEAD, "A-1\tk\techo \"OK\" 'x;y'\tstd=SKIP; nested=OK"))
    assert (attack.text, attack.command) == ("", "echo \"OK\" 'x;y'")


@pytest.mark.parametrize(("lines", "message"), [
    (["id,category"], ":1: the first line must name the columns id, category, command, expected"),
    ([], ":1: the first line"),
    ([HEAD], ":2: there is no attack"),
    ([HEAD, "A-1\tkind\techo OK"], ":2: column expected: a row has 4 columns"),
    ([HEAD, ROW + "\tmore"], ":2: column a fifth one"),
    ([HEAD, ROW, ""], ":3: column category"),
    ([HEAD, ROW, ROW], ":3: column id: A-1 stands in line 2 already"),
    ([HEAD, ROW.replace("echo OK", " ")], ":2: column command: it is empty"),
    ([HEAD, ROW.replace("std=OK", "std=ok")], ":2: column expected: it must begin with std=W"),
])
def test_a_bad_list_names_line_and_column(tmp_path, lines, message):
    path = write(tmp_path, *lines)
    with pytest.raises(ListError) as caught:
        read(path)
    assert f"{path}{message}" in str(caught.value)


def test_every_fault_is_told_at_once(tmp_path):
    with pytest.raises(ListError) as caught:
        read(write(tmp_path, HEAD, "A-1\t\t\tstd=OK; nested=OK", "B-2"))
    assert len(str(caught.value).splitlines()) == 3


def test_a_list_that_is_not_there_or_not_text_says_so(tmp_path):
    with pytest.raises(ListError, match=r"none.tsv: No such file"):
        read(tmp_path / "none.tsv")
    (tmp_path / "binary.tsv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ListError, match="not UTF-8"):
        read(tmp_path / "binary.tsv")


@pytest.mark.parametrize(("output", "verdict"), [
    ("OK\n", "OK"), ("noise OK 12", "OK"), ("BAD 3\nOK\n", "BAD"), ("", "NONE"), ("ok", "NONE")])
def test_a_verdict_needs_an_ok_and_no_bad(output, verdict):
    assert judge(output) == verdict
