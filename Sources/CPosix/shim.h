#pragma once
/* What Swift's Glibc module leaves out. */
#include "crash.h"
#include <sys/prctl.h>
#include <sys/timex.h>
#include <sys/types.h>

/* adjtimex(2): 1 when the kernel believes that the wall clock is disciplined. */
static inline int camgate_clock_is_synchronized(void) {
  struct timex state = {0};
  int result = adjtimex(&state);
  return result >= 0 && result != TIME_ERROR;
}

/* PR_SET_NAME, prctl(2): names the calling thread; the kernel keeps 15 bytes. (prctl is variadic.) */
static inline int camgate_name_this_thread(const char *name) { return prctl(PR_SET_NAME, name, 0, 0, 0); }

/* fallocate(2), mode 0. glibc declares it for _GNU_SOURCE only, which a module map cannot set. */
extern int fallocate(int fd, int mode, off_t offset, off_t length);
static inline int camgate_allocate(int descriptor, off_t length) { return fallocate(descriptor, 0, 0, length); }
