#pragma once
/* What Swift's Glibc module leaves out. */
#include "crash.h"
#include <sys/prctl.h>
#include <sys/timex.h>

/* adjtimex(2): 1 when the kernel believes that the wall clock is disciplined. */
static inline int camgate_clock_is_synchronized(void) {
  struct timex state = {0};
  int result = adjtimex(&state);
  return result >= 0 && result != TIME_ERROR;
}

/* PR_SET_NAME, prctl(2): names the calling thread; the kernel keeps 15 bytes. (prctl is variadic.) */
static inline int camgate_name_this_thread(const char *name) { return prctl(PR_SET_NAME, name, 0, 0, 0); }
