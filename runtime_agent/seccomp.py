"""The system calls a sandbox may make: an allow-list after moby's rules, closed further (sandbox threat model).

Everything not named here answers EPERM, unknown calls included. clone3 answers ENOSYS, because its flags lie in
memory that seccomp can't read, and the C library then falls back to clone, whose flags can be judged. Pure
functions over constants; names as in syscalls(2).
"""

from __future__ import annotations

from typing import Any

EPERM, ENOSYS = 1, 38
CLONE_NAMESPACES = 0x7E020000
"""All CLONE_NEW* flags that clone(2) takes."""
AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET = 1, 2, 10, 16, 17
NETLINK_ROUTE, NETLINK_NETFILTER = 0, 12
PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
"""PER_LINUX, PER_LINUX32 and UNAME26 with each, and the question what it is now."""

COMMON = """
accept accept4 access alarm arch_prctl bind brk cachestat capget capset chdir chmod chown clock_getres clock_gettime
clock_nanosleep close close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl
epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit exit_group
faccessat faccessat2 fadvise64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync
fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat fstatfs fsync ftruncate futex futex_requeue futex_wait
futex_waitv futex_wake futimesat getcpu getcwd getdents getdents64 getegid geteuid getgid getgroups getitimer
getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid getrlimit get_robust_list
getrusage getsid getsockname getsockopt get_thread_area gettid gettimeofday getuid getxattr inotify_add_watch
inotify_init inotify_init1 inotify_rm_watch io_cancel ioctl io_destroy io_getevents io_pgetevents ioprio_get ioprio_set
io_setup io_submit kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lgetxattr link linkat
listen listxattr llistxattr lremovexattr lseek lsetxattr lstat madvise map_shadow_stack membarrier memfd_create
memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mprotect mq_getsetattr mq_notify mq_open
mq_timedreceive mq_timedsend mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap
name_to_handle_at nanosleep newfstatat open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc
pkey_free pkey_mprotect poll ppoll prctl pread64 preadv preadv2 prlimit64 process_mrelease pselect6 ptrace pwrite64
pwritev pwritev2 read readahead readlink readlinkat readv recvfrom recvmmsg recvmsg remap_file_pages removexattr rename
renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn
rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_getaffinity sched_getattr sched_getparam sched_get_priority_max
sched_get_priority_min sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam
sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop sendfile sendmmsg sendmsg sendto setfsgid
setfsuid setgid setgroups setitimer setpgid setpriority setregid setresgid setresuid setreuid setrlimit set_robust_list
setsid setsockopt set_thread_area set_tid_address setuid setxattr shmat shmctl shmdt shmget shutdown sigaltstack
signalfd signalfd4 socketpair splice stat statfs statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill
time timer_create timer_delete timerfd_create timerfd_gettime timerfd_settime timer_getoverrun timer_gettime
timer_settime times tkill truncate umask uname unlink unlinkat utime utimensat utimes vfork wait4 waitid write writev
chroot process_vm_readv
""".split()

NESTED = """
clone mount mount_setattr move_mount open_tree fsconfig fsmount fsopen fspick pivot_root setdomainname sethostname setns
umount umount2 unshare statmount listmount
""".split()
"""What moby opens for CAP_SYS_ADMIN, less bpf, perf_event_open, fanotify_init, lookup_dcookie, quotactl and syslog."""

KEYRINGS = ("add_key", "keyctl", "request_key")
"""runc and crun begin each container with a session keyring; told that this kernel has none, they go on without."""


def profile(*, nested: bool, allow_packet: bool = False) -> dict[str, Any]:
    """The ``linux.seccomp`` object of an OCI configuration (runtime-spec 1.0, config-linux.md)."""
    rules = [_allow(*sorted(set(COMMON) - {"name_to_handle_at"}))]
    rules += [_allow("personality", argument=(0, value, "SCMP_CMP_EQ")) for value in PERSONALITIES]
    rules += [_allow("socket", argument=(0, family, "SCMP_CMP_EQ")) for family in (AF_UNIX, AF_INET, AF_INET6)]
    rules += [_netlink(NETLINK_ROUTE)]
    if nested:
        rules += [_allow(*NESTED), _netlink(NETLINK_NETFILTER), _unknown(*KEYRINGS)]
        if allow_packet:
            rules.append(_allow("socket", argument=(0, AF_PACKET, "SCMP_CMP_EQ")))
    else:
        rules.append(_allow("clone", argument=(0, CLONE_NAMESPACES, "SCMP_CMP_MASKED_EQ")))
    rules.append(_unknown("clone3"))
    return {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": EPERM,
            "architectures": ["SCMP_ARCH_X86_64"], "syscalls": rules}


def _unknown(*names: str) -> dict[str, Any]:
    return {"names": list(names), "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS}


def _allow(*names: str, argument: tuple[int, int, str] | None = None) -> dict[str, Any]:
    rule: dict[str, Any] = {"names": list(names), "action": "SCMP_ACT_ALLOW"}
    if argument:
        rule["args"] = [_argument(*argument)]
    return rule


def _netlink(protocol_number: int) -> dict[str, Any]:
    """A socket call is judged by family and protocol together: netlink has many doors."""
    return {"names": ["socket"], "action": "SCMP_ACT_ALLOW",
            "args": [_argument(0, AF_NETLINK, "SCMP_CMP_EQ"), _argument(2, protocol_number, "SCMP_CMP_EQ")]}


def _argument(index: int, value: int, comparison: str) -> dict[str, Any]:
    if comparison == "SCMP_CMP_MASKED_EQ":
        return {"index": index, "value": value, "valueTwo": 0, "op": comparison}
    return {"index": index, "value": value, "op": comparison}
