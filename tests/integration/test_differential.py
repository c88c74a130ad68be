"""Random stories told to a real Redis and to us: the same replies, and in the end the same keys, values and expiries."""
import os

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.database import DirectoryBasedExampleDatabase

from support.differential import DATABASES, Comparison, left_out, stories
from support.stack import ROOT

CONNECTIONS = 3
EXAMPLES = int(os.environ.get("COFRE_EXAMPLES", 300))
RANDOM = bool(os.environ.get("COFRE_RANDOM"))
HOME = ROOT / "build" / "hypothesis"

set_hypothesis_home_dir(str(HOME))


class Server:
    """One of the two: its connections, and one more to look on."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.open()

    def open(self):
        self.connections = [self.endpoint.raw() for _ in range(CONNECTIONS)]
        self.eye = self.endpoint.raw()

    def close(self):
        for raw in [*self.connections, self.eye]:
            raw.close()

    def clear(self, protocol):
        """clear makes it empty, and its connections new."""
        for raw in self.connections:
            raw.ask_all([("RESET",), ("HELLO", protocol)])
        assert self.eye.ask("FLUSHALL") == "OK"

    def contents(self):
        """contents returns all keys with their values and the milliseconds that they have left, by database."""
        found = {}
        for db in range(DATABASES):
            _, keys = self.eye.ask_all([("SELECT", db), ("KEYS", "*")])
            replies = self.eye.ask_all([(name, key) for key in keys for name in ("GET", "PTTL")])
            found[db] = dict(zip(keys, zip(replies[::2], replies[1::2])))
        return found


@pytest.fixture(scope="module")
def servers(shared, redis_beside):
    both = [Server(shared), Server(redis_beside)]
    yield both
    for server in both:
        server.close()


@pytest.fixture(scope="module")
def listed(servers):
    """The names of the commands and subcommands that we have."""
    rows = servers[0].eye.ask("COMMAND")
    names = {row[0].decode() for row in rows} | {sub[0].decode() for row in rows for sub in row[9]}
    assert {"get", "set", "multi", "exec", "watch", "client|setname"} <= names
    return names


def tell(servers, story):
    """tell plays a story to both and returns the first difference as text, or None."""
    ours, theirs = servers
    comparisons = [Comparison() for _ in range(CONNECTIONS)]
    for number, (who, batch) in enumerate(story.steps):
        replies = [server.connections[who].ask_all(batch) for server in servers]
        difference = comparisons[who].difference(batch, *replies)
        if difference:
            return f"step {number}, {difference}"
    for server in servers:
        for raw in server.connections:
            raw.ask("DISCARD")
    return left_over(ours.contents(), theirs.contents())


def left_over(ours, theirs):
    """left_over compares what is there in the end."""
    for db in range(DATABASES):
        for key in sorted(set(ours[db]) | set(theirs[db])):
            (a, a_ttl), (b, b_ttl) = (side[db].get(key, (None, None)) for side in (ours, theirs))
            if a != b or (a_ttl != b_ttl and not (a_ttl and b_ttl and min(a_ttl, b_ttl) > 0 and abs(a_ttl - b_ttl) < 2000)):
                return f"in the end, {key!r} of database {db}: ours {a!r} for {a_ttl} ms, Redis {b!r} for {b_ttl} ms"
    return None


@pytest.mark.asan
def test_stories(servers, listed):
    told = []

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=not RANDOM, print_blob=True,
              database=DirectoryBasedExampleDatabase(HOME / "examples") if RANDOM else None,
              phases=[Phase.reuse, Phase.generate, Phase.shrink],
              suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(stories(listed, CONNECTIONS))
    def run(story):
        told.append(sum(len(batch) for _, batch in story.steps))
        for server in servers:
            server.clear(story.protocol)
        difference = tell(servers, story)
        if difference:
            for server in servers:  # whatever state their connections are in now
                server.close()
                server.open()
            raise AssertionError(difference)

    run()
    print(f"{len(told)} stories, {sum(told)} commands; not there yet: {', '.join(left_out(listed)) or 'none'}")
