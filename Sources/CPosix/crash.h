#pragma once
/* What a crash says: the signal, the thread, the build id, and a backtrace of addresses for `Toolchain/dev symbolize`.
 *
 * All of it runs in a signal handler, so it does only what signal-safety(7) allows: no allocation, no lock, no stdio.
 * The stack is walked by its frame pointers, which Swift keeps on every platform and the C libraries of the board's
 * binary are compiled to keep; a frame without one is skipped over. */
#include <elf.h>
#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <ucontext.h>
#include <unistd.h>

/* From the linker: where the program is loaded, and where it ends. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));
extern const char _end[];

static inline void camgate_crash_say(const char *text) {
  if (write(STDERR_FILENO, text, strlen(text)) < 0) return; /* nothing can be done about it here */
}

static inline void camgate_crash_say_number(uint64_t number, unsigned base) {
  char text[24];
  char *digit = text + sizeof text;
  *--digit = 0;
  do *--digit = "0123456789abcdef"[number % base];
  while (number /= base);
  camgate_crash_say(digit);
}

static inline const char *camgate_crash_name(int number) {
  switch (number) {
    case SIGSEGV: return " (SIGSEGV)";
    case SIGBUS: return " (SIGBUS)";
    case SIGILL: return " (SIGILL)";
    case SIGTRAP: return " (SIGTRAP)";
    case SIGFPE: return " (SIGFPE)";
    case SIGABRT: return " (SIGABRT)";
    default: return "";
  }
}

/* The note that the linker's --build-id makes (elf(5), Nhdr). */
static inline void camgate_crash_say_build_id(void) {
  const char *start = (const char *)&__ehdr_start;
  const ElfW(Phdr) *headers = (const ElfW(Phdr) *)(start + __ehdr_start.e_phoff);
  uintptr_t first = UINTPTR_MAX; /* the address that the start of the file was linked at */
  for (int i = 0; i < __ehdr_start.e_phnum; i++)
    if (headers[i].p_type == PT_LOAD && headers[i].p_vaddr < first) first = headers[i].p_vaddr;
  for (int i = 0; i < __ehdr_start.e_phnum; i++) {
    if (headers[i].p_type != PT_NOTE) continue;
    const char *at = start + (headers[i].p_vaddr - first), *end = at + headers[i].p_memsz;
    while (at + sizeof(ElfW(Nhdr)) <= end) {
      const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)at;
      const char *name = at + sizeof *note;
      const unsigned char *content = (const unsigned char *)name + ((note->n_namesz + 3) & ~3u);
      if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && memcmp(name, "GNU", 4) == 0) {
        for (unsigned byte = 0; byte < note->n_descsz; byte++) {
          camgate_crash_say_number(content[byte] >> 4, 16);
          camgate_crash_say_number(content[byte] & 15, 16);
        }
        return;
      }
      at = (const char *)content + ((note->n_descsz + 3) & ~3u);
    }
  }
}

/* An address as an offset into the program, or as it is when it is another library's. */
static inline void camgate_crash_say_address(uintptr_t address) {
#if defined(__aarch64__)
  address &= ((uintptr_t)1 << 48) - 1; /* return addresses are signed in the bits above (PAC) */
#endif
  uintptr_t start = (uintptr_t)&__ehdr_start;
  int is_ours = address >= start && address < (uintptr_t)_end;
  camgate_crash_say(is_ours ? "  +0x" : "  0x");
  camgate_crash_say_number(is_ours ? address - start : address, 16);
  camgate_crash_say(is_ours ? "\n" : " outside of the program\n");
}

/* A frame is two words: the caller's frame, and where it goes on. Callers lie at higher addresses. */
static inline void camgate_crash_say_backtrace(const ucontext_t *context) {
  enum { deepest = 64, largest_frame = 1 << 20 };
#if defined(__aarch64__)
  uintptr_t frame = context->uc_mcontext.regs[29], stack = context->uc_mcontext.sp;
  camgate_crash_say_address(context->uc_mcontext.pc);
  camgate_crash_say_address(context->uc_mcontext.regs[30]); /* the caller, if this is a leaf without a frame */
#elif defined(__x86_64__)
  enum { rbp = 10, rsp = 15, rip = 16 }; /* sys/ucontext.h: REG_RBP and so on, which it shows to _GNU_SOURCE only */
  uintptr_t frame = context->uc_mcontext.gregs[rbp], stack = context->uc_mcontext.gregs[rsp];
  camgate_crash_say_address(context->uc_mcontext.gregs[rip]);
#else
#error "which register holds the frame pointer here?"
#endif
  for (int depth = 0; depth < deepest; depth++) {
    if (frame < stack || frame - stack > largest_frame || frame % sizeof frame != 0) return;
    uintptr_t next = ((const uintptr_t *)frame)[0], address = ((const uintptr_t *)frame)[1];
    if (address == 0) return;
    camgate_crash_say_address(address);
    stack = frame + 2 * sizeof frame;
    frame = next;
  }
}

static inline void camgate_crash_handler(int number, siginfo_t *information, void *context) {
  char thread[17] = {0};
  prctl(PR_GET_NAME, thread, 0, 0, 0);
  camgate_crash_say("camgate: crashed by signal ");
  camgate_crash_say_number((uint64_t)number, 10);
  camgate_crash_say(camgate_crash_name(number));
  if (information->si_code > 0 && (number == SIGSEGV || number == SIGBUS)) {
    camgate_crash_say(" at address 0x");
    camgate_crash_say_number((uintptr_t)information->si_addr, 16);
  }
  camgate_crash_say(" in thread ");
  camgate_crash_say(thread);
  camgate_crash_say("; build ");
  camgate_crash_say_build_id();
  camgate_crash_say("\ncamgate: backtrace, for Toolchain/dev symbolize:\n");
  camgate_crash_say_backtrace(context);
  camgate_crash_say("camgate: end of the backtrace\n");
  raise(number); /* with the default action, which SA_RESETHAND has put back: a core file where one is wanted */
}

/* Installs the handler for the signals that end a program that is wrong. The calling thread gets a second stack for it,
 * so that even an overflow of its own is reported. */
static inline void camgate_report_crashes(void) {
  static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT};
  static char stack[64 << 10];
  stack_t second = {.ss_sp = stack, .ss_size = sizeof stack};
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = camgate_crash_handler;
  action.sa_flags = (int)(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND);
  sigfillset(&action.sa_mask);
  sigaltstack(&second, NULL);
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, NULL);
}
