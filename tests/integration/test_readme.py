"""Every command of the root README works as written: its ```sh blocks run in order in a scratch clone."""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from support.stack import ROOT, am_root, free_port

LIMIT = 900  # seconds for all of it; a fresh build is most of that


def blocks(text):
    """blocks returns the ```sh blocks in order."""
    return re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)


@pytest.mark.skipif(not am_root(), reason="installs packages and uses several users")
def test_the_commands_of_the_readme(stage, request):
    if request.config.getoption("--against-redis"):
        pytest.skip("about our own programs")
    clone = stage.directory / "readme"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    # BoringSSL as built here: its own build is third_party's matter, and would take a minute each time.
    if (ROOT / "build" / "third_party").is_dir():
        shutil.copytree(ROOT / "build" / "third_party", clone / "build" / "third_party", symlinks=True)
    found = blocks((clone / "README.md").read_text())
    assert len(found) >= 3, "the README has commands"
    script = clone / "build" / "readme.sh"
    script.parent.mkdir(exist_ok=True)
    # The blocks make a folder of their own, $dir; it goes when everything in it has ended.
    made = stage.directory / "readme.dir"
    script.write_text(f"set -euo pipefail\ntrap 'echo \"${{dir-}}\" >{made}' EXIT\n"
                      + "\n".join(f"echo '== block {n}'\n{b}" for n, b in enumerate(found)))
    log = stage.directory / "readme.log"
    began = time.monotonic()
    with open(log, "wb") as out:
        shell = subprocess.Popen(["bash", "-x", str(script)], cwd=clone, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                 start_new_session=True, env={**os.environ, "COFRE_PORT": str(free_port()), "EXPORTER_PORT": str(free_port())})
        try:
            code = shell.wait(LIMIT)
        except subprocess.TimeoutExpired:
            code = "too long"
        finally:
            end_session(shell.pid)
            folder = made.read_text().strip() if made.exists() else ""
            if folder.startswith("/tmp/cofre."):
                shutil.rmtree(folder, ignore_errors=True)
            if (clone / "client" / "demo.sh").exists():
                subprocess.run(["client/demo.sh", "stop"], cwd=clone, capture_output=True, timeout=60)
    assert code == 0, f"{code} after {time.monotonic() - began:.0f} s:\n{log.read_text(errors='replace')[-3000:]}"


def end_session(leader):
    """end_session ends what the blocks left running in the background: processes of the session started above."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in members(leader):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        end = time.monotonic() + 10
        while members(leader) and time.monotonic() < end:
            time.sleep(0.1)


def members(leader):
    return [int(p) for p in os.listdir("/proc") if p.isdigit() and session_of(p) == leader]


def session_of(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return int(f.read().rsplit(")", 1)[1].split()[3])
    except OSError:
        return None
