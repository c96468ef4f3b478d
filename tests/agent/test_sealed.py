"""A sealed copy runs as the program does, and nobody can change it."""

import fcntl
import os
import subprocess

import pytest

from runtime_agent import sealed

PROGRAM = "/bin/sh"


def test_the_copy_runs_from_another_process():
    ran = subprocess.run([sealed.program(PROGRAM), "-c", "echo $((6 * 7))"], capture_output=True, text=True, check=True)
    assert ran.stdout == "42\n"


def test_nothing_can_write_to_it():
    path = sealed.program(PROGRAM)
    with pytest.raises(OSError), open(path, "r+b") as file:
        file.write(b"#!")
    assert fcntl.fcntl(int(path.rpartition("/")[2]), fcntl.F_GET_SEALS) == sealed.SEALS


def test_one_copy_serves_until_the_program_is_another(tmp_path):
    program = tmp_path / "hello"
    program.write_bytes(b"#!/bin/sh\necho one\n")
    first = sealed.program(str(program))
    assert sealed.program(str(program)) == first
    (tmp_path / "new").write_bytes(b"#!/bin/sh\necho two\n")
    (tmp_path / "new").rename(program)
    assert sealed.program(str(program)) != first


def test_a_host_that_runs_nothing_from_memory_runs_the_file(monkeypatch):
    def refuse(*_):
        raise PermissionError
    sealed._copy.cache_clear()
    monkeypatch.setattr(os, "memfd_create", refuse)
    assert sealed.program(PROGRAM) == PROGRAM
