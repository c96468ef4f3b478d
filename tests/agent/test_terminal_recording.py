"""What a terminal prints, on the worker's disk: every byte once, whoever is killed; floods and whole disks are bounded."""

import errno
import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from runtime_agent import reaper, recording
from runtime_agent.protocol.terminal_codec import Frame
from runtime_agent.ring import Ring
from tests.agent.bus_stage import SESSION, TERMINAL, Stage, printed, until
from tests.agent.labs import lab_document, publish
from tests.agent.machine_room import ALICE, BOB, hall


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(recording, "WRITE_SECONDS", 0.05)


@pytest.fixture
async def stage():
    root = Path(tempfile.mkdtemp(prefix="bh-"))  # a socket's path is short, tmp_path is not
    stage = Stage(root)
    await stage.start()
    recording.begin(stage.settings, SESSION)
    yield stage
    await stage.close()
    shutil.rmtree(root)


def files(stage):
    return recording.listed(stage.settings, SESSION)


def cast(stage, at=-1):
    """(header, events) of one recording."""
    name = files(stage)[at]["name"]
    header, *events = recording.read(stage.settings, f"{SESSION}/{name}".encode()).decode().splitlines()
    return json.loads(header), [json.loads(event) for event in events]


def text(stage, at=-1):
    return "".join(event[2] for event in cast(stage, at)[1] if event[1] == "o") if files(stage) else ""


async def opened(stage, **options):
    line, alice = stage.line(**options), await stage.page()
    await alice.welcome(rows=30, cols=90)
    return line, alice


async def test_output_and_sizes_are_recorded_and_what_is_typed_is_not(stage):
    line, alice = await opened(stage)
    await alice.type(b"secret")
    os.write(line.slave, "größe\r\n".encode())
    await until(lambda: text(stage) == "größe\r\n", what="the output")
    await alice.put(Frame.RESIZE, 40, 120)
    await until(lambda: cast(stage)[1] and cast(stage)[1][-1][1] == "r", what="the size")
    header, events = cast(stage)
    assert (header["version"], header["title"], header["env"]) == (2, "box", {"TERM": "xterm-256color"})
    assert [event[1:] for event in events] == [["r", "90x30"], ["o", "größe\r\n"], ["r", "120x40"]]
    assert [event[0] for event in events] == sorted(event[0] for event in events)
    assert line.typed() == b"secret"


async def test_a_session_without_a_folder_is_not_recorded(stage):
    recording.drop(stage.settings, SESSION)
    line, alice = await opened(stage)
    os.write(line.slave, b"unseen\r\n")
    await alice.shows(b"unseen\r\n")
    assert stage.channel().recorder is None
    assert not recording.folder_of(stage.settings, SESSION).exists()


async def test_a_bridge_that_is_killed_loses_and_doubles_nothing(stage):
    line, alice = await opened(stage)
    for part in range(12):
        os.write(line.slave, b"part %d\r\n" % part)
        await alice.shows(b"".join(b"part %d\r\n" % n for n in range(part + 1)))
        if part % 3 == 2:
            await stage.stop_bridge()
            await stage.start_bridge()
    await until(lambda: text(stage) == "".join(f"part {n}\r\n" for n in range(12)), what="each part once")


async def test_what_was_written_and_not_counted_comes_once(tmp_path):
    """Killed between the file and the ring's word."""
    ring = Ring(tmp_path / "ring")
    reading, writing = os.openpty()

    def prints(text):
        os.write(writing, text)
        while ring.head % 3 or ring.since(ring.head - 3, 3) != text:
            ring.read_from(reading)
    prints(b"one")
    path = tmp_path / "0-0000000000001.cast"
    recorder = recording.Recorder(path, ring, 1.0, "box", (24, 80))
    recorder.write()
    word = ring.recorded
    prints(b"two")
    recorder.note(ring.head)
    recorder.write()
    ring.recorded = word
    again = recording.Recorder(path, ring, 1.0, "box", (24, 80))
    again.close()
    assert [json.loads(line)[2] for line in path.read_text().splitlines()[1:]] == ["one", "two"]
    for descriptor in (reading, writing):
        os.close(descriptor)


async def test_a_character_that_is_cut_is_written_whole(stage):
    line, _alice = await opened(stage)
    os.write(line.slave, b"a\xe2\x82")
    await until(lambda: text(stage) == "a", what="what is whole")
    os.write(line.slave, b"\xac b\xff")
    await until(lambda: text(stage) == "a€ b\ufffd", what="the rest")


async def test_a_flood_is_left_out_by_name_and_its_end_is_there(stage):
    line, alice = await opened(stage)
    line.seq(400_000)
    await alice.shows(printed(400_000), seconds=60)
    os.write(line.slave, b"after\r\n")
    await until(lambda: text(stage).endswith("399999\n400000\nafter\r\n"), what="the end of the flood")
    assert "bytes not recorded]" in text(stage)
    assert len(text(stage)) < 2 * recording.BURST_BYTES


@pytest.mark.parametrize("spare", [-1, 0, 1])
async def test_a_file_is_bounded(stage, monkeypatch, spare):
    line, _alice = await opened(stage)
    await until(lambda: files(stage), what="the file")
    await until(lambda: len(cast(stage)[1]) == 1, what="the size")
    event = len(json.dumps([0.001, "o", "x" * 100])) + 1
    monkeypatch.setattr(recording, "MAX_FILE_BYTES", files(stage)[-1]["bytes"] + 256 + event + 5 + spare * 20)
    os.write(line.slave, b"x" * 100)
    await until(lambda: text(stage), what="what fits, or the word that it is full")
    os.write(line.slave, b"y" * 400)
    await until(lambda: text(stage).endswith("[the recording is full]\x1b[0m\r\n"), what="the word that it is full")
    assert text(stage).startswith("x" * 100) == (spare > -1)
    assert files(stage)[-1]["bytes"] <= recording.MAX_FILE_BYTES
    size = files(stage)[-1]["bytes"]
    os.write(line.slave, b"more")
    await until(lambda: stage.channel().recorder.timer is None, what="quiet")
    assert files(stage)[-1]["bytes"] == size


async def test_a_disk_that_is_full_ends_the_recording_and_nothing_else(stage, monkeypatch):
    line, alice = await opened(stage)

    def refuse(*_):
        raise OSError(errno.ENOSPC, "no space left")
    monkeypatch.setattr(recording.os, "pwrite", refuse)
    os.write(line.slave, b"on")
    await until(lambda: stage.channel().recorder.file == -1, what="the end of the recording")
    os.write(line.slave, b" and on")
    await alice.shows(b"on and on")


async def test_a_shell_that_ends_leaves_its_last_words_and_the_next_begins_a_file_of_its_own(stage, monkeypatch):
    monkeypatch.setattr(recording, "WRITE_SECONDS", 3600)
    line, alice = await opened(stage)
    os.write(line.slave, b"last words\r\n")
    await alice.shows(b"last words\r\n")
    line.end(0)
    await until(lambda: alice.of(Frame.EXIT), what="the exit")
    assert text(stage) == "last words\r\n"
    stage.line(TERMINAL)
    await alice.greet()
    await until(lambda: len(files(stage)) == 2, what="the second file")


async def test_the_oldest_files_make_room(stage):
    folder = recording.folder_of(stage.settings, SESSION)
    for number in range(recording.MAX_FILES + 3):
        (folder / f"{number % 8}-{number:013}.cast").write_text('{"version": 2, "title": "box"}\n')
    await opened(stage)
    assert len(files(stage)) == recording.MAX_FILES
    assert files(stage)[0]["name"] == f"4-{4:013}.cast"
    assert files(stage)[-1]["machine"] == "box"


@pytest.mark.parametrize("name", ["", "x", "../0-0000000000001.cast", "0-0000000000001.cast/../../x", "8-0000000000001.cast"])
def test_only_recordings_are_read(tmp_path, name):
    settings = type("Settings", (), {"state_dir": tmp_path})
    recording.begin(settings, SESSION)
    with pytest.raises((OSError, ValueError)):
        recording.read(settings, (f"{SESSION}/{name}" if name else "../../etc/").encode())


# --- whose session is recorded, and for how long ----------------------------------------------------------


def made(tmp_path, **fields):
    sessions, _room = hall(tmp_path)
    sessions.create(ALICE, 1, publish(sessions.settings.content_dir, lab_document(**fields)), False)
    return sessions, recording.folder_of(sessions.settings, ALICE)


@pytest.mark.parametrize(("fields", "is_recorded"), [({}, True), ({"recording": True}, True), ({"recording": False}, False)])
def test_the_course_decides(tmp_path, fields, is_recorded):
    assert made(tmp_path, **fields)[1].exists() == is_recorded


def test_recordings_stay_as_long_as_the_files(tmp_path):
    sessions, folder = made(tmp_path)
    (folder / "0-0000000000001.cast").write_text("x" * 5000)
    sessions.delete(ALICE, True)
    assert sessions.records.bytes_of(ALICE) >= 5000
    for _ in range(2):
        sessions.delete(ALICE, False)
        assert not folder.exists()


def test_a_session_that_starts_over_loses_the_recordings_with_the_files(tmp_path):
    sessions, folder = made(tmp_path)
    (folder / "0-0000000000001.cast").write_text("x")
    sessions.delete(ALICE, False)
    sessions.create(ALICE, 2, publish(sessions.settings.content_dir, lab_document()), False)
    assert list(folder.iterdir()) == []


def test_recordings_that_no_session_owns_are_taken_away(tmp_path):
    sessions, folder = made(tmp_path)
    orphan = recording.folder_of(sessions.settings, BOB)
    orphan.mkdir()
    reaper.reap(sessions)
    assert (orphan.exists(), folder.exists()) == (True, True), "it may be just being made"
    os.utime(orphan, (1, 1))
    os.utime(folder, (1, 1))
    reaper.reap(sessions)
    assert (orphan.exists(), folder.exists()) == (False, True)
