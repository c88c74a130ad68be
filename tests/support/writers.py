"""Clients that write without pause and remember exactly what they were promised."""
import threading
import time

from .resp import Error


class Writers:
    """`count` connections, each setting keys of its own one after the other, and adding to a counter of its own.

    A connection is never made again: that all of them last is part of what is shown. TRYAGAIN means that nothing
    happened and the same write is sent again; UNCERTAIN is remembered as such.
    """

    def __init__(self, endpoint, count=8, name="w"):
        self.endpoint = endpoint
        self.name = name
        self.stopping = threading.Event()
        self.workers = [Writer(self, n) for n in range(count)]
        for worker in self.workers:
            worker.thread.start()

    def stop(self):
        """stop lets each finish its write, and returns self; an exception of a writer is raised here."""
        self.stopping.set()
        for worker in self.workers:
            worker.thread.join(60)
            assert not worker.thread.is_alive(), f"writer {worker.number} hangs"
        for worker in self.workers:
            if worker.failure:
                raise worker.failure
        return self

    def acknowledged(self):
        return sum(len(w.promised) for w in self.workers)

    def progress(self, more, timeout=30):
        """progress waits until so many more writes were acknowledged."""
        goal, end = self.acknowledged() + more, time.monotonic() + timeout
        while self.acknowledged() < goal:
            assert time.monotonic() < end, f"only {self.acknowledged()} of {goal} writes: {self.replies()}"
            time.sleep(0.02)

    def replies(self):
        return {r for w in self.workers for r in w.refusals}

    def uncertain(self):
        return sum(w.uncertain for w in self.workers)

    def check(self, stored):
        """check compares with what is stored ({key: value}): nothing promised is missing, nothing counted twice."""
        for w in self.workers:
            missing = [k for k in w.promised if stored.get(k) != k]
            assert not missing, f"writer {w.number}: {len(missing)} acknowledged writes are gone, as {missing[:3]}"
            counted = int(stored.get(w.counter, 0))
            assert w.counted <= counted <= w.counted + w.maybe_counted, \
                f"writer {w.number}: told {w.counted} (+{w.maybe_counted} uncertain), stored {counted}"


class Writer:
    def __init__(self, writers, number):
        self.writers = writers
        self.number = number
        self.counter = b"%b:%d:count" % (writers.name.encode(), number)
        self.promised = []
        self.counted = 0
        self.uncertain = 0      # answers UNCERTAIN, of both kinds
        self.maybe_counted = 0  # those to INCR
        self.refusals = set()
        self.failure = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        try:
            with self.writers.endpoint.raw(timeout=60) as raw:
                while not self.writers.stopping.is_set():
                    self._write(raw)
        except Exception as e:  # handed to stop()
            self.failure = e

    def _write(self, raw):
        key = b"%b:%d:%d" % (self.writers.name.encode(), self.number, len(self.promised) + 1000000 * self.uncertain)
        reply = raw.ask("SET", key, key)
        if reply == "OK":
            self.promised.append(key)
        else:
            self._refused(reply)
        reply = raw.ask("INCR", self.counter)
        if isinstance(reply, int):
            self.counted += 1
            assert self.counted <= reply <= self.counted + self.maybe_counted, \
                f"{self.counter}: is {reply} after {self.counted} (+{self.maybe_counted} uncertain)"
        else:
            self.maybe_counted += self._refused(reply) == "UNCERTAIN"

    def _refused(self, reply):
        assert isinstance(reply, Error), reply
        word = reply.split()[0]
        self.refusals.add(str(reply))
        assert word in ("TRYAGAIN", "UNCERTAIN"), reply
        self.uncertain += word == "UNCERTAIN"
        time.sleep(0.005)
        return word
