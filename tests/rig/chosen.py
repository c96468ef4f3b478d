"""Which tests run in the rig, and why the others don't.

A stage of the plain `./lab test` has a few minutes, and a test takes ten times as long in the emulated processor: it
gets a choice, by names, of what depends on the version of control groups the most. `./lab test --cgroup2`
runs all but what can't run there. The machine has two processors, so there are two lanes: of the choice, the engines take
half of the time; of all, the attack list does.
"""

from __future__ import annotations

FOLDER = "tests/sandbox"
CANT_RUN = {
    "test_vm.py": "an emulated machine in an emulated one: minutes to its prompt, for a test of QEMU, not of control groups",
    "test_images.py": "builds images from the host's package sources, and the rig has no network",
    "test_gvisor.py": "fetches gVisor from the host's package sources, and the rig has no network",
}
SECOND_LANE = ("test_attacks.py", "test_attacks_outside.py")
ENGINES = ("unshare-cgroup", "ip-netns", "runc", "crun", "podman-run", "docker-run", "docker-limits", "containerd", "lxc",
           "nspawn", "cgroup")
XRAY = ("a_fresh_sandbox_is_one_process_with_two_numbers", "a_group_made_inside_is_named_as_inside",
        "every_value_is_of_the_documented_type", "limits_use_and_memory_kills", "real_engines_are_told_apart[oci]")
CHOICE = (
    (*(f"test_engines.py::test_the_tool_does_its_work[{name}]" for name in ENGINES),
     *(f"test_xray.py::test_{name}" for name in XRAY)),
    ("test_limits.py", "test_isolation.py", "test_student_limits.py", "test_leaks.py::test_many_cycles_leave_nothing[cold]",
     "test_ahead.py::test_the_shell_that_waited_is_like_any_other"),
)
"""Files, or single tests of them, for each lane."""


def lanes(whole: bool) -> list[list[str]]:
    """Arguments of pytest for each lane: the choice, or everything less CANT_RUN."""
    if not whole:
        return [[f"{FOLDER}/{name}" for name in names] for names in CHOICE]
    return [[FOLDER, *(f"--ignore={FOLDER}/{name}" for name in (*SECOND_LANE, *CANT_RUN))],
            [f"{FOLDER}/{name}" for name in SECOND_LANE]]


def explanation(whole: bool) -> str:
    """What is left out, with the reasons."""
    lines = [f"  left out: {FOLDER}/{name}: {reason}" for name, reason in CANT_RUN.items()]
    if not whole:
        lines.append("  a choice of the others, because each takes ten times as long here; sudo ./lab test --cgroup2 runs all")
    return "\n".join(lines)
