#pragma once
/* Landlock (landlock(7)) and seccomp (seccomp(2)) as the kernel knows them. What the installed headers may lack is written
 * down here by its number: the kernel is asked what it has, not the machine on which Camgate was compiled. */
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* struct landlock_ruleset_attr with all fields up to ABI 6; an older kernel is given as many bytes as it knows. */
struct camgate_landlock_rules {
  uint64_t file_access, net_access, scopes;
};

struct camgate_landlock_path {
  uint64_t access;
  int32_t directory;
} __attribute__((packed));

enum { camgate_landlock_create = 444, camgate_landlock_add = 445, camgate_landlock_restrict = 446 };

/* The ABI's version, or -1 with errno: ENOSYS or EOPNOTSUPP where there is no Landlock. */
static inline int camgate_landlock_version(void) {
  return (int)syscall(camgate_landlock_create, NULL, 0, 1 /* LANDLOCK_CREATE_RULESET_VERSION */);
}

/* A descriptor, or -1 with errno. */
static inline int camgate_landlock_new(const struct camgate_landlock_rules *rules, size_t byte_count) {
  return (int)syscall(camgate_landlock_create, rules, byte_count, 0);
}

/* Allows `access` to everything beneath a directory (or to one file) that is open. 0 or -1 with errno. */
static inline int camgate_landlock_allow(int rules, int directory, uint64_t access) {
  struct camgate_landlock_path path = {.access = access, .directory = directory};
  return (int)syscall(camgate_landlock_add, rules, 1 /* LANDLOCK_RULE_PATH_BENEATH */, &path, 0);
}

/* From now on this thread and all it starts are bound by the rules. Needs no_new_privs. 0 or -1 with errno. */
static inline int camgate_landlock_bind(int rules) { return (int)syscall(camgate_landlock_restrict, rules, 0); }

/* O_PATH, open(2), which glibc declares for _GNU_SOURCE only: a descriptor that only names a file. */
static const int camgate_open_path = 010000000;

/* prctl(2), PR_SET_NO_NEW_PRIVS: neither this thread nor what it starts gains rights by running a program. */
static inline int camgate_give_up_new_rights(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }

#ifndef SECCOMP_FILTER_FLAG_TSYNC_ESRCH
#define SECCOMP_FILTER_FLAG_TSYNC_ESRCH (1UL << 4)
#endif

/* Binds this thread to a filter, or `all` of the process, and what they start. With `listens` the answer is a descriptor that
 * tells of calls which the filter hands to SECCOMP_RET_USER_NOTIF, else 0; -1 with errno. */
static inline int camgate_filter_calls(struct sock_filter *filter, unsigned short count, int all, int listens) {
  struct sock_fprog program = {.len = count, .filter = filter};
  unsigned long flags = all ? SECCOMP_FILTER_FLAG_TSYNC : 0;
  if (listens) flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
  if (all && listens) flags |= SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

/* Waits for a call that the filter refuses, and answers it with an error. Returns the call's number, or -1 with errno: EINTR and
 * ENOENT (its thread has gone) are no reason to stop listening. `error` is told for each number. */
static inline int camgate_next_refused_call(int listener, int (*error)(int call), uint32_t *thread) {
  struct seccomp_notif call;
  struct seccomp_notif_resp answer;
  __builtin_memset(&call, 0, sizeof call);
  __builtin_memset(&answer, 0, sizeof answer);
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0) return -1;
  answer.id = call.id;
  answer.error = -error(call.data.nr);
  *thread = call.pid;
  /* The thread may have been killed meanwhile; what it asked for is known all the same. */
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) < 0 && errno != ENOENT) return -1;
  return call.data.nr;
}

/* AUDIT_ARCH_… of this program: calls of another architecture have other numbers. */
#if defined(__aarch64__)
static const uint32_t camgate_architecture = AUDIT_ARCH_AARCH64;
#elif defined(__x86_64__)
static const uint32_t camgate_architecture = AUDIT_ARCH_X86_64;
#else
#error "which architecture do system calls have here?"
#endif

static const uint32_t camgate_filter_allow = SECCOMP_RET_ALLOW;
static const uint32_t camgate_filter_tell = SECCOMP_RET_USER_NOTIF;
static const uint32_t camgate_filter_error = SECCOMP_RET_ERRNO;

/* Whether the program is linked without shared libraries: then it has no interpreter (elf(5), PT_INTERP). */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));
static inline int camgate_is_static(void) {
  const char *start = (const char *)&__ehdr_start;
  const ElfW(Phdr) *headers = (const ElfW(Phdr) *)(start + __ehdr_start.e_phoff);
  for (int i = 0; i < __ehdr_start.e_phnum; i++)
    if (headers[i].p_type == PT_INTERP) return 0;
  return 1;
}

/* fork(2). To be called while there is one thread. */
static inline pid_t camgate_fork(void) { return fork(); }
