import CPosix
import Glibc

// The system calls that a gateway makes, and those that it must never make, by name. The first list is what the static binary
// may call, whose libraries are known; a native build is linked with whatever the distribution has, and is kept from the
// second list only.

/// A system call of this architecture.
struct SystemCall: Sendable, Equatable {
  let name: String
  let number: Int32

  init(_ name: String, _ number: Int32) { (self.name, self.number) = (name, number) }

  /// The name of a number, as far as the lists know it.
  static func name(of number: Int32) -> String {
    (forbidden + expected).first { $0.number == number }?.name ?? "number \(number)"
  }

  /// What no part of the gateway ever needs, and whoever takes it over would: running programs, looking into other processes,
  /// and the parts of the kernel where most of its holes were. They fail with EPERM.
  static let forbidden: [SystemCall] = forbiddenEverywhere + forbiddenHere

  private static let forbiddenEverywhere: [SystemCall] = [
    // Programs.
    SystemCall("execve", SYS_execve), SystemCall("execveat", SYS_execveat),
    // Other processes.
    SystemCall("ptrace", SYS_ptrace), SystemCall("process_vm_readv", SYS_process_vm_readv),
    SystemCall("process_vm_writev", SYS_process_vm_writev), SystemCall("pidfd_getfd", SYS_pidfd_getfd),
    SystemCall("process_madvise", SYS_process_madvise), SystemCall("kcmp", SYS_kcmp),
    // Mounts and roots.
    SystemCall("mount", SYS_mount), SystemCall("umount2", SYS_umount2), SystemCall("pivot_root", SYS_pivot_root),
    SystemCall("chroot", SYS_chroot), SystemCall("move_mount", SYS_move_mount), SystemCall("open_tree", SYS_open_tree),
    SystemCall("fsopen", SYS_fsopen), SystemCall("fsconfig", SYS_fsconfig), SystemCall("fsmount", SYS_fsmount),
    SystemCall("fspick", SYS_fspick), SystemCall("mount_setattr", SYS_mount_setattr),
    SystemCall("quotactl", SYS_quotactl), SystemCall("swapon", SYS_swapon), SystemCall("swapoff", SYS_swapoff),
    SystemCall("open_by_handle_at", SYS_open_by_handle_at), SystemCall("name_to_handle_at", SYS_name_to_handle_at),
    // Namespaces; clone with their flags is looked for by the filter.
    SystemCall("unshare", SYS_unshare), SystemCall("setns", SYS_setns),
    // The kernel itself.
    SystemCall("init_module", SYS_init_module), SystemCall("finit_module", SYS_finit_module),
    SystemCall("delete_module", SYS_delete_module), SystemCall("kexec_load", SYS_kexec_load),
    SystemCall("reboot", SYS_reboot), SystemCall("syslog", SYS_syslog), SystemCall("acct", SYS_acct),
    SystemCall("bpf", SYS_bpf), SystemCall("perf_event_open", SYS_perf_event_open),
    SystemCall("io_uring_setup", SYS_io_uring_setup), SystemCall("io_uring_enter", SYS_io_uring_enter),
    SystemCall("io_uring_register", SYS_io_uring_register), SystemCall("userfaultfd", SYS_userfaultfd),
    SystemCall("fanotify_init", SYS_fanotify_init),
    SystemCall("add_key", SYS_add_key), SystemCall("request_key", SYS_request_key), SystemCall("keyctl", SYS_keyctl),
    // The machine's clock, name and users.
    SystemCall("settimeofday", SYS_settimeofday), SystemCall("clock_settime", SYS_clock_settime),
    SystemCall("sethostname", SYS_sethostname), SystemCall("setdomainname", SYS_setdomainname),
    SystemCall("setuid", SYS_setuid), SystemCall("setgid", SYS_setgid), SystemCall("setreuid", SYS_setreuid),
    SystemCall("setregid", SYS_setregid), SystemCall("setresuid", SYS_setresuid),
    SystemCall("setresgid", SYS_setresgid), SystemCall("setgroups", SYS_setgroups), SystemCall("capset", SYS_capset),
    SystemCall("setfsuid", SYS_setfsuid), SystemCall("setfsgid", SYS_setfsgid), SystemCall("mknodat", SYS_mknodat),
    SystemCall("personality", SYS_personality), SystemCall("vhangup", SYS_vhangup),
  ]

  /// What the gateway and its libraries make use of. Nothing else is let through in the static binary: it fails with ENOSYS,
  /// as on a kernel that does not have it, which is what programs are prepared for.
  static let expected: [SystemCall] = files + memory + threads + time + network + process + expectedHere

  private static let files: [SystemCall] = [
    SystemCall("read", SYS_read), SystemCall("write", SYS_write), SystemCall("readv", SYS_readv),
    SystemCall("writev", SYS_writev), SystemCall("pread64", SYS_pread64), SystemCall("pwrite64", SYS_pwrite64),
    SystemCall("preadv", SYS_preadv), SystemCall("pwritev", SYS_pwritev), SystemCall("preadv2", SYS_preadv2),
    SystemCall("pwritev2", SYS_pwritev2), SystemCall("openat", SYS_openat), SystemCall("openat2", SYS_openat2),
    SystemCall("close", SYS_close), SystemCall("close_range", SYS_close_range), SystemCall("lseek", SYS_lseek),
    SystemCall("fstat", SYS_fstat), SystemCall("newfstatat", SYS_newfstatat), SystemCall("statx", SYS_statx),
    SystemCall("faccessat", SYS_faccessat), SystemCall("faccessat2", SYS_faccessat2),
    SystemCall("readlinkat", SYS_readlinkat), SystemCall("getdents64", SYS_getdents64),
    SystemCall("getcwd", SYS_getcwd), SystemCall("mkdirat", SYS_mkdirat), SystemCall("unlinkat", SYS_unlinkat),
    SystemCall("renameat", SYS_renameat), SystemCall("renameat2", SYS_renameat2), SystemCall("linkat", SYS_linkat),
    SystemCall("truncate", SYS_truncate), SystemCall("ftruncate", SYS_ftruncate),
    SystemCall("fallocate", SYS_fallocate), SystemCall("fsync", SYS_fsync), SystemCall("fdatasync", SYS_fdatasync),
    SystemCall("sync_file_range", SYS_sync_file_range), SystemCall("syncfs", SYS_syncfs),
    SystemCall("fadvise64", SYS_fadvise64), SystemCall("readahead", SYS_readahead), SystemCall("statfs", SYS_statfs),
    SystemCall("fstatfs", SYS_fstatfs), SystemCall("flock", SYS_flock), SystemCall("fcntl", SYS_fcntl),
    SystemCall("dup", SYS_dup), SystemCall("dup3", SYS_dup3), SystemCall("pipe2", SYS_pipe2),
    SystemCall("fchmod", SYS_fchmod), SystemCall("fchmodat", SYS_fchmodat), SystemCall("fchown", SYS_fchown),
    SystemCall("utimensat", SYS_utimensat), SystemCall("umask", SYS_umask), SystemCall("sendfile", SYS_sendfile),
    SystemCall("copy_file_range", SYS_copy_file_range), SystemCall("ioctl", SYS_ioctl),
  ]

  private static let memory: [SystemCall] = [
    SystemCall("mmap", SYS_mmap), SystemCall("munmap", SYS_munmap), SystemCall("mprotect", SYS_mprotect),
    SystemCall("mremap", SYS_mremap), SystemCall("madvise", SYS_madvise), SystemCall("brk", SYS_brk),
    SystemCall("msync", SYS_msync), SystemCall("mincore", SYS_mincore), SystemCall("mlock", SYS_mlock),
    SystemCall("munlock", SYS_munlock), SystemCall("membarrier", SYS_membarrier),
    SystemCall("get_mempolicy", SYS_get_mempolicy),
  ]

  private static let threads: [SystemCall] = [
    SystemCall("futex", SYS_futex), SystemCall("futex_waitv", SYS_futex_waitv),
    SystemCall("set_robust_list", SYS_set_robust_list), SystemCall("get_robust_list", SYS_get_robust_list),
    SystemCall("rseq", SYS_rseq), SystemCall("set_tid_address", SYS_set_tid_address), SystemCall("exit", SYS_exit),
    SystemCall("exit_group", SYS_exit_group), SystemCall("gettid", SYS_gettid), SystemCall("getpid", SYS_getpid),
    SystemCall("getppid", SYS_getppid), SystemCall("sched_yield", SYS_sched_yield), SystemCall("getcpu", SYS_getcpu),
    SystemCall("sched_getaffinity", SYS_sched_getaffinity), SystemCall("sched_setaffinity", SYS_sched_setaffinity),
    SystemCall("sched_getparam", SYS_sched_getparam), SystemCall("sched_getscheduler", SYS_sched_getscheduler),
    SystemCall("sched_get_priority_max", SYS_sched_get_priority_max),
    SystemCall("sched_get_priority_min", SYS_sched_get_priority_min),
    SystemCall("rt_sigaction", SYS_rt_sigaction), SystemCall("rt_sigprocmask", SYS_rt_sigprocmask),
    SystemCall("rt_sigreturn", SYS_rt_sigreturn), SystemCall("rt_sigtimedwait", SYS_rt_sigtimedwait),
    SystemCall("rt_sigpending", SYS_rt_sigpending), SystemCall("rt_sigsuspend", SYS_rt_sigsuspend),
    SystemCall("sigaltstack", SYS_sigaltstack), SystemCall("tgkill", SYS_tgkill), SystemCall("tkill", SYS_tkill),
    SystemCall("kill", SYS_kill), SystemCall("restart_syscall", SYS_restart_syscall),
  ]

  private static let time: [SystemCall] = [
    SystemCall("clock_gettime", SYS_clock_gettime), SystemCall("clock_getres", SYS_clock_getres),
    SystemCall("clock_nanosleep", SYS_clock_nanosleep), SystemCall("nanosleep", SYS_nanosleep),
    SystemCall("gettimeofday", SYS_gettimeofday), SystemCall("adjtimex", SYS_adjtimex),
    SystemCall("clock_adjtime", SYS_clock_adjtime), SystemCall("times", SYS_times),
    SystemCall("timerfd_create", SYS_timerfd_create), SystemCall("timerfd_settime", SYS_timerfd_settime),
  ]

  private static let network: [SystemCall] = [
    SystemCall("socket", SYS_socket), SystemCall("socketpair", SYS_socketpair), SystemCall("connect", SYS_connect),
    SystemCall("bind", SYS_bind), SystemCall("listen", SYS_listen), SystemCall("accept", SYS_accept),
    SystemCall("accept4", SYS_accept4), SystemCall("getsockname", SYS_getsockname),
    SystemCall("getpeername", SYS_getpeername), SystemCall("sendto", SYS_sendto), SystemCall("recvfrom", SYS_recvfrom),
    SystemCall("sendmsg", SYS_sendmsg), SystemCall("recvmsg", SYS_recvmsg), SystemCall("sendmmsg", SYS_sendmmsg),
    SystemCall("recvmmsg", SYS_recvmmsg), SystemCall("setsockopt", SYS_setsockopt),
    SystemCall("getsockopt", SYS_getsockopt), SystemCall("shutdown", SYS_shutdown), SystemCall("ppoll", SYS_ppoll),
    SystemCall("pselect6", SYS_pselect6), SystemCall("epoll_create1", SYS_epoll_create1),
    SystemCall("epoll_ctl", SYS_epoll_ctl), SystemCall("epoll_pwait", SYS_epoll_pwait),
    SystemCall("epoll_pwait2", SYS_epoll_pwait2), SystemCall("eventfd2", SYS_eventfd2),
  ]

  private static let process: [SystemCall] = [
    SystemCall("prctl", SYS_prctl), SystemCall("getuid", SYS_getuid), SystemCall("geteuid", SYS_geteuid),
    SystemCall("getgid", SYS_getgid), SystemCall("getegid", SYS_getegid), SystemCall("getgroups", SYS_getgroups),
    SystemCall("getpgid", SYS_getpgid), SystemCall("getsid", SYS_getsid), SystemCall("getrandom", SYS_getrandom),
    SystemCall("getrusage", SYS_getrusage), SystemCall("sysinfo", SYS_sysinfo), SystemCall("uname", SYS_uname),
    SystemCall("getrlimit", SYS_getrlimit), SystemCall("prlimit64", SYS_prlimit64), SystemCall("wait4", SYS_wait4),
    SystemCall("waitid", SYS_waitid), SystemCall("setpriority", SYS_setpriority),
    SystemCall("getpriority", SYS_getpriority),
  ]

  // Calls that only the older architecture has.
  #if arch(x86_64)
    private static let forbiddenHere: [SystemCall] = [
      SystemCall("kexec_file_load", SYS_kexec_file_load), SystemCall("iopl", SYS_iopl),
      SystemCall("ioperm", SYS_ioperm),
      SystemCall("modify_ldt", SYS_modify_ldt), SystemCall("uselib", SYS_uselib), SystemCall("mknod", SYS_mknod),
      SystemCall("fork", SYS_fork), SystemCall("vfork", SYS_vfork),
    ]
    private static let expectedHere: [SystemCall] = [
      SystemCall("open", SYS_open), SystemCall("stat", SYS_stat), SystemCall("lstat", SYS_lstat),
      SystemCall("access", SYS_access), SystemCall("poll", SYS_poll), SystemCall("select", SYS_select),
      SystemCall("pipe", SYS_pipe), SystemCall("dup2", SYS_dup2), SystemCall("epoll_create", SYS_epoll_create),
      SystemCall("epoll_wait", SYS_epoll_wait), SystemCall("rename", SYS_rename), SystemCall("mkdir", SYS_mkdir),
      SystemCall("rmdir", SYS_rmdir), SystemCall("unlink", SYS_unlink), SystemCall("readlink", SYS_readlink),
      SystemCall("chmod", SYS_chmod), SystemCall("time", SYS_time), SystemCall("arch_prctl", SYS_arch_prctl),
      SystemCall("eventfd", SYS_eventfd), SystemCall("getdents", SYS_getdents),
    ]
  #else
    private static let forbiddenHere: [SystemCall] = [SystemCall("kexec_file_load", SYS_kexec_file_load)]
    private static let expectedHere: [SystemCall] = []
  #endif
}
