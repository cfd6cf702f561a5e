#pragma once
/* What Swift's Glibc module leaves out. */
#include <sys/timex.h>

/* adjtimex(2): 1 when the kernel believes that the wall clock is disciplined. */
static inline int camgate_clock_is_synchronized(void) {
  struct timex state = {0};
  int result = adjtimex(&state);
  return result >= 0 && result != TIME_ERROR;
}
