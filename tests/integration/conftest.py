"""Fixtures: one private PostgreSQL and one set of certificates for the session, stacks for whoever asks."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import stack as support  # noqa: E402
from support.certificates import Certificates  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--against-redis", action="store_true",
                     help="run against Debian's redis-server instead: shows that the tests themselves expect Redis")
    parser.addoption("--keep", action="store_true", help="keep the scratch directory with its logs")


def pytest_configure(config):
    config.addinivalue_line("markers", "asan: run it once more with the programs of build/asan")
    config.addinivalue_line("markers", "tsan: run it once more with the programs of build/tsan")


@pytest.fixture(scope="session")
def stage(request):
    """The scratch directory; ends everything at the end."""
    stage = support.Stage()
    request.config.cofre_stage = stage
    yield stage
    failed = request.session.testsfailed
    if failed:
        print(f"\nlogs are kept in {stage.directory}", file=sys.stderr)
    stage.close(keep=failed or request.config.getoption("--keep"))


@pytest.fixture(scope="session")
def pg(stage):
    """The session's PostgreSQL. Tests that stop or kill one start their own."""
    postgres = support.Postgres(stage.directory)
    stage.on_exit(postgres.stop)
    return postgres


@pytest.fixture(scope="session")
def certs(stage):
    """Certificates by cofre-certs: CA, server, and clients by name."""
    return Certificates(stage.directory / "certs")


@pytest.fixture(scope="module")
def database(stage, pg):
    """One database for all stacks of a file that do not look at the data: to make one takes a second."""
    name = pg.create_database()
    support.Core(stage.folder("database"), pg.conninfo(name)).create_schema()
    return name


@pytest.fixture
def new_stack(stage, pg, certs):
    """new_stack(...) starts a core and a gateway for this test alone; arguments as Stack's."""
    started = []

    def start(postgres=None, **options):
        stack = support.Stack(stage.folder("stack"), postgres or pg, options.pop("certs", certs), **options)
        started.append(stack)
        return stack.start()

    yield start
    failures = []
    for stack in reversed(started):
        try:
            stack.stop()
        except AssertionError as e:
            failures.append(str(e))
    assert not failures, failures


@pytest.fixture(scope="session")
def shared(stage, request):
    """One stack for all tests that neither kill nor configure anything."""
    certs = request.getfixturevalue("certs")
    if request.config.getoption("--against-redis"):
        server = support.PlainRedis(stage.folder("redis"), certs).start()
    else:
        server = support.Stack(stage.folder("shared"), request.getfixturevalue("pg"), certs).start()
    stage.on_exit(server.stop)
    return server


@pytest.fixture
def stack(shared):
    """The shared stack, with empty databases."""
    with shared.raw() as raw:
        assert raw.ask("FLUSHALL") == "OK"
    return shared


@pytest.fixture(scope="session")
def redis_beside(stage, certs):
    """A plain redis-server to compare answers with."""
    server = support.PlainRedis(stage.folder("beside"), certs, False).start()
    stage.on_exit(server.stop)
    return server


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Adds the ends of the logs that were written to last, to a failure's report."""
    report = (yield).get_result()
    stage = getattr(item.config, "cofre_stage", None)
    if not report.failed or stage is None:
        return
    logs = [p for p in stage.directory.rglob("*.log") if p.name.startswith(("core", "gateway"))]
    for log in sorted(logs, key=lambda p: p.stat().st_mtime)[-4:]:
        tail = log.read_bytes()[-1500:].decode(errors="replace")
        report.sections.append((f"end of {log.relative_to(stage.directory)}", tail))
