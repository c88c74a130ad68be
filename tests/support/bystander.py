"""A client that wants nothing special, while others misbehave: it must not notice."""
import contextlib
import threading
import time

from .stack import SANITIZED, wait_until


@contextlib.contextmanager
def served_as_before(stack, most=None):
    """A bystander that asks all the while; every reply must be right and none slower than `most` seconds."""
    stopping, slowest, asked, failures = threading.Event(), [0.0], [0], []

    def ask():
        try:
            with stack.raw("bystander", timeout=30) as r:
                while not stopping.is_set():
                    asked[0] += 1
                    began = time.monotonic()
                    assert r.ask("SET", "bystander", asked[0]) == "OK" and r.ask("GET", "bystander") == b"%d" % asked[0]
                    slowest[0] = max(slowest[0], time.monotonic() - began)
                    time.sleep(0.002)
        except BaseException as e:
            failures.append(e)

    stack.certs.client("bystander")
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield
        wait_until(lambda: asked[0] > 3 or failures, 60, "the bystander to be served")
    finally:
        stopping.set()
        thread.join(60)
    assert not failures, failures
    assert not most or SANITIZED or slowest[0] < most, f"the bystander once waited {slowest[0]:.3f} s"
