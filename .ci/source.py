"""What the checks know about C sources: which there are, their text without comments, what they include.

No check itself: `arrows` and `banned` use it.
"""

import os
import re
import subprocess
from pathlib import Path

PROGRAM_DIRS = ("gateway", "core", "client")
TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL
)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+(<[^>\n]+>|"[^"\n]+")', re.MULTILINE)


class File:
    """One source: `path` is relative to the root; `code` has the same lines, with comments and literals blanked."""

    def __init__(self, root, path):
        self.path = path
        self.folder, self.name = os.path.split(path)
        self.stem = self.name.split(".")[0]
        self.text = (Path(root) / path).read_text(encoding="utf-8", errors="replace")
        self.code = TOKEN.sub(_blank, self.text)
        kept = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group()), self.text, flags=re.DOTALL)
        self.includes = [(m.group(1), kept.count("\n", 0, m.start()) + 1) for m in INCLUDE.finditer(kept)]

    def within(self, folder):
        return self.path == folder or self.path.startswith(folder + "/")

    def matches(self, pattern):
        """(line number, what was found) for every match in the code; include lines do not count."""
        code = INCLUDE.sub(lambda m: " " * len(m.group()), self.code)
        for m in re.finditer(pattern, code):
            yield code.count("\n", 0, m.start()) + 1, m.group()


def _blank(match):
    text = match.group()
    if text[0] in "\"'":
        return text[0] + " " * (len(text) - 2) + text[0]
    return re.sub(r"[^\n]", " ", text)


def list_files(root, folders, suffixes=(".c", ".h")):
    """Tracked files and new ones that git does not ignore; in a folder without git, all files."""
    if (Path(root) / ".git").exists():
        found = subprocess.run(
            ["git", "-C", str(root), "ls-files", "-z", "-co", "--exclude-standard", "--", *folders],
            check=True, capture_output=True, text=True).stdout.split("\0")
    else:
        found = [str(p.relative_to(root)) for f in folders for p in (Path(root) / f).rglob("*")]
    return sorted({p for p in found if p.endswith(suffixes) and (Path(root) / p).is_file()})


def load(root, folders=PROGRAM_DIRS):
    return {path: File(root, path) for path in list_files(root, folders)}


def search_path(file):
    """Where the compiler looks for a file's quoted includes (see the CMakeLists.txt of each program)."""
    program = file.path.split("/")[0]
    return [file.folder, program, "core/shared", "core/shared/base", "core/shared/wire", ""]


def resolve(file, include, files):
    """The project file that an include names, else None: a system header."""
    if include[0] == "<":
        return None
    for folder in search_path(file):
        path = os.path.normpath(os.path.join(folder, include[1:-1]))
        if path in files:
            return path
    return None
