#!/usr/bin/env python3
"""Has each thread of a running program make system calls, as code that took it over would, and says what came of them.

usage: inject.py PID --forbidden FILE --allowed FILE

A thread is stopped (ptrace(2)), its registers are set to a call at a `syscall` instruction of the program's own, one
step is made, and the thread goes on where it was: what judges the call is what judges the thread's own. Prints a JSON
object a thread: its name, and the answers to open(FORBIDDEN), open(ALLOWED), execve, ptrace and a call that no kernel
has; an error is a negative errno. x86-64 only; needs the right to trace.
"""

import argparse
import ctypes
import json
import os
import pathlib
import platform
import sys

ATTACH, DETACH, GETREGS, SETREGS, SINGLESTEP = 16, 17, 12, 13, 9
OPEN, CLOSE, EXECVE, PTRACE, NONE = 2, 3, 59, 101, 9_999
WALL = 0x40000000
# struct user_regs_struct of sys/user.h.
GENERAL = "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi"
SPECIAL = "orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs"
NAMES = f"{GENERAL} {SPECIAL}".split(" ")

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.restype = ctypes.c_long
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


class Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in NAMES]

    def copy(self):
        return Registers(*(getattr(self, name) for name in NAMES))


def trace(request, thread, data=None):
    if LIBC.ptrace(request, thread, None, data) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace {request} of {thread}: {os.strerror(number)}")


def syscall_instruction(process):
    """Where the program has one."""
    with open(f"/proc/{process}/mem", "rb") as memory:
        for line in pathlib.Path(f"/proc/{process}/maps").read_text().splitlines():
            extent, rights, *rest = line.split()
            if "x" not in rights or "libc" not in line and rest[-1] != os.readlink(f"/proc/{process}/exe"):
                continue
            start, end = (int(place, 16) for place in extent.split("-"))
            memory.seek(start)
            found = memory.read(end - start).find(b"\x0f\x05")
            if found >= 0:
                return start + found
    raise SystemExit("no syscall instruction found")


class Thread:
    def __init__(self, process, thread, instruction):
        self.process, self.thread, self.instruction = process, thread, instruction
        trace(ATTACH, thread)
        os.waitpid(thread, WALL)
        self.saved = Registers()
        trace(GETREGS, thread, ctypes.addressof(self.saved))

    def release(self):
        trace(SETREGS, self.thread, ctypes.addressof(self.saved))
        trace(DETACH, self.thread)

    def text(self, content):
        """Puts a text below the stack, and what the thread keeps there for itself."""
        address = self.saved.rsp - 1_024
        with open(f"/proc/{self.process}/mem", "r+b", buffering=0) as memory:
            memory.seek(address)
            memory.write(content.encode() + b"\0")
        return address

    def call(self, number, first=0, second=0, third=0):
        registers = self.saved.copy()
        registers.rip, registers.rax, registers.orig_rax = self.instruction, number, (1 << 64) - 1
        registers.rdi, registers.rsi, registers.rdx = first, second, third
        trace(SETREGS, self.thread, ctypes.addressof(registers))
        trace(SINGLESTEP, self.thread)
        os.waitpid(self.thread, WALL)
        trace(GETREGS, self.thread, ctypes.addressof(registers))
        return ctypes.c_longlong(registers.rax).value

    def open(self, path):
        result = self.call(OPEN, self.text(path), os.O_RDONLY)
        if result >= 0:
            self.call(CLOSE, result)
            return 0
        return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("process", type=int)
    parser.add_argument("--forbidden", required=True)
    parser.add_argument("--allowed", required=True)
    options = parser.parse_args()
    if platform.machine() != "x86_64":
        raise SystemExit("inject.py knows the registers of x86-64 only")
    instruction = syscall_instruction(options.process)
    for task in sorted(pathlib.Path(f"/proc/{options.process}/task").iterdir()):
        name = (task / "comm").read_text().strip()
        # Who answers refused calls would wait for itself.
        if name == "sandbox":
            continue
        thread = Thread(options.process, int(task.name), instruction)
        try:
            answers = {
                "thread": name,
                "forbidden": thread.open(options.forbidden),
                "allowed": thread.open(options.allowed),
                "execve": thread.call(EXECVE, thread.text("/bin/true")),
                "ptrace": thread.call(PTRACE),
                "unknown": thread.call(NONE),
            }
        finally:
            thread.release()
        print(json.dumps(answers), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
