#pragma once
/* What Swift's Glibc module leaves out. */
#include "crash.h"
#include "sandbox.h"
#include <linux/blkpg.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/watchdog.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <unistd.h>

/* adjtimex(2): 1 when the kernel believes that the wall clock is disciplined. */
static inline int camgate_clock_is_synchronized(void) {
  struct timex state = {0};
  int result = adjtimex(&state);
  return result >= 0 && result != TIME_ERROR;
}

/* PR_SET_NAME, prctl(2): names the calling thread; the kernel keeps 15 bytes. (prctl is variadic.) */
static inline int camgate_name_this_thread(const char *name) { return prctl(PR_SET_NAME, name, 0, 0, 0); }

/* No core dump, and no other process of this user may look into this one (prctl(2), setrlimit(2)). 0 or -1 with errno. */
static inline int camgate_forbid_dumps(void) {
  struct rlimit none = {0, 0};
  return setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -1 : 0;
}

/* Gives up everything but a user (and the group of the same number) and the capabilities in the set `kept` (bit n is
   capability n), which programs started from here have too; nothing they start can get more (capabilities(7)).
   0 or -1 with errno. */
static inline int camgate_confine(unsigned user, uint64_t kept) {
  for (int number = 0; prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; number++)
    if (!(kept >> number & 1) && prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0) return -1;
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || syscall(SYS_setgroups, 0, 0) < 0 || setgid(user) < 0 || setuid(user) < 0)
    return -1;
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2] = {{0}};
  for (int half = 0; half < 2; half++)
    data[half].effective = data[half].permitted = data[half].inheritable = (uint32_t)(kept >> (32 * half));
  if (syscall(SYS_capset, &header, data) < 0) return -1;
  for (int number = 0; number < 64; number++)
    if (kept >> number & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0) < 0) return -1;
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* The user at the other end of a socket of AF_UNIX, or -1 with errno (unix(7), SO_PEERCRED; struct ucred is declared for
   _GNU_SOURCE only). */
static inline int64_t camgate_peer_user(int descriptor) {
  struct { int32_t process; uint32_t user, group; } peer;
  socklen_t length = sizeof peer;
  return getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 ? -1 : (int64_t)peer.user;
}

/* fallocate(2), mode 0. glibc declares it for _GNU_SOURCE only, which a module map cannot set. */
extern int fallocate(int fd, int mode, off_t offset, off_t length);
static inline int camgate_allocate(int descriptor, off_t length) { return fallocate(descriptor, 0, 0, length); }

/* Bytes of a sector of a block device, or -1 (BLKSSZGET). */
static inline int camgate_sector_size(int descriptor) {
  int size = 0;
  return ioctl(descriptor, BLKSSZGET, &size) < 0 ? -1 : size;
}

/* Bytes of a block device, or -1 (BLKGETSIZE64). */
static inline int64_t camgate_device_size(int descriptor) {
  uint64_t size = 0;
  return ioctl(descriptor, BLKGETSIZE64, &size) < 0 ? -1 : (int64_t)size;
}

/* Tells the kernel that a partition is now this large, also while it is in use (BLKPG_RESIZE_PARTITION). */
static inline int camgate_resize_partition(int disk, int number, int64_t start, int64_t length) {
  struct blkpg_partition partition = {.start = start, .length = length, .pno = number};
  struct blkpg_ioctl_arg argument = {.op = BLKPG_RESIZE_PARTITION, .datalen = sizeof partition, .data = &partition};
  return ioctl(disk, BLKPG, &argument);
}

/* EXT4_IOC_RESIZE_FS, which no installed header has (fs/ext4/ext4.h): grows a mounted file system to so many blocks. */
static inline int camgate_resize_ext4(int directory, uint64_t blocks) {
  return ioctl(directory, _IOW('f', 16, uint64_t), &blocks);
}

/* Asks a watchdog for a timeout in seconds and returns the one it has now (WDIOC_SETTIMEOUT, WDIOC_GETTIMEOUT). */
static inline int camgate_watchdog_timeout(int descriptor, int wanted) {
  int seconds = wanted;
  if (ioctl(descriptor, WDIOC_SETTIMEOUT, &seconds) == 0) return seconds;
  return ioctl(descriptor, WDIOC_GETTIMEOUT, &seconds) == 0 ? seconds : wanted;
}
