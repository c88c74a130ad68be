"""A client that wants nothing special, while others misbehave: it must not notice."""
import contextlib
import threading
import time

from .stack import SANITIZED


@contextlib.contextmanager
def served_as_before(stack, most=None):
    """A bystander that asks all the while; every reply must be right and none slower than `most` seconds."""
    stopping, slowest, failures = threading.Event(), [0.0], []

    def ask():
        try:
            with stack.raw("bystander", timeout=30) as r:
                n = 0
                while not stopping.is_set():
                    n += 1
                    began = time.monotonic()
                    assert r.ask("SET", "bystander", n) == "OK" and r.ask("GET", "bystander") == b"%d" % n
                    slowest[0] = max(slowest[0], time.monotonic() - began)
                    time.sleep(0.002)
                assert SANITIZED or n > 3, "it hardly got to ask"
        except BaseException as e:
            failures.append(e)

    stack.certs.client("bystander")
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield
        time.sleep(0.05)
    finally:
        stopping.set()
        thread.join(60)
    assert not failures, failures
    assert not most or SANITIZED or slowest[0] < most, f"the bystander once waited {slowest[0]:.3f} s"
