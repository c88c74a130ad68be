"""Another process's own system calls: a test asks a running program's kernel what that program may do.

Only so can be shown what Landlock or ptrace's rules let it do: they bind the process and nobody else. x86-64, as root.
"""
import ctypes
import os
import platform

AVAILABLE = platform.machine() == "x86_64" and os.geteuid() == 0

OPENAT, KILL, CONNECT, SOCKET, PTRACE, PROCESS_VM_READV = 257, 62, 42, 41, 101, 310
AT_FDCWD, O_RDONLY, O_CREAT_WRONLY = -100, 0, 0o101

_ATTACH, _DETACH, _PEEK, _POKE, _GETREGS, _SETREGS, _STEP = 16, 17, 2, 5, 12, 13, 9
_ALL = 0x40000000  # __WALL
_SYSCALL = 0x050F


class _Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in (
        "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es "
        "fs gs").split()]


def _ptrace(request, pid, address=0, data=0):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.restype = ctypes.c_long
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    ctypes.set_errno(0)
    value = libc.ptrace(request, pid, address, data)
    if value == -1 and ctypes.get_errno():
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return value


class Injected:
    """A process held at its main loop's wait; it goes on, as if nothing had been, when the block ends."""

    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        _ptrace(_ATTACH, self.pid)
        os.waitpid(self.pid, _ALL)
        self.saved = self._registers()
        assert _ptrace(_PEEK, self.pid, self.saved.rip - 2) & 0xFFFF == _SYSCALL, "not waiting in a system call"
        return self

    def __exit__(self, *_):
        _ptrace(_SETREGS, self.pid, 0, ctypes.addressof(self.saved))
        _ptrace(_DETACH, self.pid)

    def _registers(self):
        registers = _Registers()
        _ptrace(_GETREGS, self.pid, 0, ctypes.addressof(registers))
        return registers

    def _put(self, address, data):
        data += bytes(-len(data) % 8)
        for at in range(0, len(data), 8):
            _ptrace(_POKE, self.pid, address + at, int.from_bytes(data[at:at + 8], "little"))

    def call(self, number, *arguments):
        """call makes one system call there and returns what it returns; bytes are passed as a pointer to them."""
        registers = _Registers.from_buffer_copy(self.saved)
        free = (registers.rsp - 4096) & ~0xF  # below what the program uses of its stack
        for name, value in zip(("rdi", "rsi", "rdx", "r10", "r8", "r9"), arguments):
            if isinstance(value, bytes):
                free -= (len(value) + 16) & ~0xF
                self._put(free, value)
                value = free
            setattr(registers, name, value & 0xFFFFFFFFFFFFFFFF)
        registers.rip -= 2
        registers.rax, registers.orig_rax = number, 0xFFFFFFFFFFFFFFFF
        _ptrace(_SETREGS, self.pid, 0, ctypes.addressof(registers))
        _ptrace(_STEP, self.pid)
        os.waitpid(self.pid, _ALL)
        return ctypes.c_longlong(self._registers().rax).value

    def open(self, path, flags=O_RDONLY, mode=0o600):
        return self.call(OPENAT, AT_FDCWD, str(path).encode() + b"\0", flags, mode)
