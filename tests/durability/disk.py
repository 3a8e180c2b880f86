"""R3: a full disk and a failing fsync are told, and nothing is acknowledged that is not there. Control:
without an injected failure answers go on, so their absence after one says something."""
import os, time, uuid
from kit import (Clients, Count, Database, Disk, House, NotRun, WORK, all_there, chance, furnish, furnished, is_sound,
                 psql, shim)
from pitr import Cluster


def take_room(disk, left):
    """Somebody else's file that leaves so many bytes of the disk; unlinking it makes room again."""
    ballast = disk.place / "ballast"
    free = os.statvfs(disk.place)
    with open(ballast, "wb") as f:
        os.posix_fallocate(f.fileno(), 0, max(1, free.f_bavail * free.f_frsize - left))
    return ballast


def until_refused(count, clients, node):
    until = time.monotonic() + 60
    while time.monotonic() < until and not clients.open:
        clients.run(node, 1)
    count.check(bool(clients.open), "the disk is full and deliveries are refused")
    count.note(f"disk full after {len(clients.acknowledged)} batches")
    count.check("panicked" not in node.said(), node.said()[-400:])
    count.check(not clients.traces, f"a full disk is told as one: {clients.faults(node)}")


def nothing_lost(count, house, node, people, clients):
    """Every delivery that was acknowledged is settled, and the house is sound."""
    faults = 0
    for body, href in list(clients.acknowledged.values()):
        batch = node.settled(people.source, href, 400)
        if batch["state"] == "failed":
            # five attempts on a full disk: the department sends the same again
            node.must(202, "POST", "/api/v1/datahub/batches", body, token=people.source)
            batch = node.settled(people.source, href, 400)
        faults += batch["state"] != "settled"
    count.check(faults == 0, f"{faults} batches did not settle")
    count.check(node.stop() == 0, "ends quietly")
    wrong = all_there(house, clients)
    count.check(not wrong, f"{wrong[:4]}")
    is_sound(house, count, "after a full disk")


def full(count, long):
    plain, people = furnished()
    # the database's own log may grow to 64 MB
    disk = Disk(320)
    try:
        house = plain.copy(disk.place / "node")
        node = house.serve()
        clients = Clients(people, rows=(400, 500) if long else (100, 150), acts=False)
        ballast = take_room(disk, 6 << 20 if long else 2 << 20)
        until_refused(count, clients, node)
        if node.child.poll() is None:
            status, _ = node.ask("GET", "/api/v1/datahub/batches?limit=1", token=people.operator)
            count.check(status == 200, f"reading goes on: {status}")
        ran = house.run("verify")
        count.check(ran.returncode == 0, f"verify on a full disk: {ran.stdout[:300]} {ran.stderr[-200:]}")
        ballast.unlink()
        if node.child.poll() is not None:
            node = house.serve()
        clients.retry(node)
        count.check(not clients.open, "with room again everything is taken")
        if not long:
            # a job whose end could not be written waits two minutes for its lease, or for a start
            count.check(node.stop() == 0, "ends quietly with room again")
            node = house.serve()
        nothing_lost(count, house, node, people, clients)
    finally:
        disk.remove()


def failing(count, long):
    library = shim()
    plain, people = furnished()
    stopped = 0
    numbers = range(1, 51) if long else (1, 4, 9)
    for n in numbers:
        house = plain.copy()
        arm = WORK / f"arm-{uuid.uuid4().hex[:6]}"
        node = house.serve(env={"LD_PRELOAD": library, "MJ_SHIM": f"eio:{n}", "MJ_SHIM_ARM": arm})
        clients = Clients(people)
        arm.write_text("")
        late, failed_at, file = 0, None, None

        def watched():
            nonlocal failed_at, file
            until = time.monotonic() + 20
            while time.monotonic() < until and not arm.read_text():
                time.sleep(0.005)
            if arm.read_text():
                at, file = arm.read_text().split()[:2]
                failed_at = float(at)
                file = os.path.relpath(file, house.data)
            # long enough for many more answers, if it still gave any
            time.sleep(0.4)
            before = len(clients.acknowledged) + len(clients.sources)
            time.sleep(0.6)
            return len(clients.acknowledged) + len(clients.sources) - before

        late = clients.run(node, 0, at_end=watched)
        count.check(failed_at is not None, f"fsync {n}: it came to a failure")
        count.check(late == 0, f"fsync {n} ({file}): {late} acknowledged after it failed")
        time.sleep(0.1)
        ended = node.child.poll()
        stopped += ended is not None
        count.check(ended == 3, f"fsync {n} ({file}): the node ended with {ended}")
        count.check("panicked" not in node.said(), f"fsync {n}: {node.said()[-400:]}")
        if ended is None:
            node.kill()
        wrong = all_there(house, clients)
        count.check(not wrong, f"fsync {n}: {wrong[:4]}")
        node = house.serve()
        clients.retry(node)
        count.check(node.stop() == 0, f"fsync {n}: starts again and ends")
        wrong = all_there(house, clients)
        count.check(not wrong, f"fsync {n}, after the restart: {wrong[:4]}")
        is_sound(house, count, f"fsync {n}", doctor=False)
    count.note(f"{stopped} of {len(numbers)} failing fsyncs stopped the node")
    # control: no failure is injected, so answers must go on, or "no answer" above says nothing
    house = plain.copy()
    node = house.serve(env={"LD_PRELOAD": library, "MJ_SHIM": "eio:1", "MJ_SHIM_ARM": WORK / "never"})
    clients = Clients(people)
    clients.run(node, 1.5)
    count.check(len(clients.acknowledged) > 0 and node.child.poll() is None, "control: without a failure it answers")
    node.kill()


def run_postgres(long):
    """The same where the rows are in a PostgreSQL of its own: its disk fills up, its log cannot be synced. It
    stops by itself then and comes back from its log; the node must acknowledge nothing meanwhile, and go on."""
    count = Count("R3 postgres: disk full, failing fsync")
    try:
        full_postgres(count, long)
    except NotRun as why:
        count.note(f"disk full not run: {why}")
    failing_postgres(count, long)
    return count


def housed(cluster, data):
    psql(cluster.url, "CREATE DATABASE mj")
    house = House(data, Database(cluster.url, "mj"))
    house.data.mkdir(parents=True)
    return house, furnish(house)


def patient(act):
    """A server that comes back takes its moment."""
    for _ in range(200):
        try:
            return act()
        except RuntimeError:
            time.sleep(0.1)
    return act()


def full_postgres(count, long):
    disk = Disk(320)
    cluster = None
    try:
        disk.place.chmod(0o755)
        # segments of the log are made anew, not used again: a full disk is met soon; a copy of each beside them
        # would fill it a second time
        settings = "-c max_wal_size=64MB -c min_wal_size=32MB -c wal_recycle=off"
        cluster = Cluster(disk.place / "cluster", settings, archives=False)
        house, people = housed(cluster, WORK / f"full-{uuid.uuid4().hex[:6]}")
        node = house.serve()
        clients = Clients(people, rows=(400, 500) if long else (100, 150), acts=False)
        ballast = take_room(disk, 6 << 20 if long else 3 << 20)
        until_refused(count, clients, node)
        ballast.unlink()
        if node.child.poll() is not None:
            node = house.serve()
        patient(lambda: psql(cluster.url, "SELECT 1"))
        clients.retry(node)
        count.check(not clients.open, "with room again everything is taken")
        count.check(node.stop() in (0, 3), "ends")
        node = house.serve()
        nothing_lost(count, house, node, people, clients)
    finally:
        if cluster:
            cluster.stop()
        disk.remove()


def failing_postgres(count, long):
    library, arm = shim(), WORK / f"arm-{uuid.uuid4().hex[:6]}"
    os.chmod(library, 0o755)
    cluster = Cluster(archives=False)
    # which sync of a server process fails; its log is synced by fdatasync
    cases = [n % 5 + 1 for n in range(50 if long else 3)]
    came_back = 0
    try:
        house, people = housed(cluster, WORK / f"eio-{uuid.uuid4().hex[:6]}")
        for case, n in enumerate(cases):
            cluster.stop_quietly()
            cluster.start(f"LD_PRELOAD={library} MJ_SHIM=eio:{n} MJ_SHIM_ARM={arm}")
            node = house.serve()
            clients = Clients(people, start=(case + 1) * 500, rows=(1, 40))

            def watched():
                arm.write_text("")
                arm.chmod(0o666)
                until = time.monotonic() + 20
                while time.monotonic() < until and not arm.read_text():
                    time.sleep(0.005)
                failed = bool(arm.read_text())
                # processes of the server that start now must not fail again
                arm.unlink()
                time.sleep(0.5)
                return failed

            failed = clients.run(node, 0.2, at_end=watched)
            count.check(failed, f"sync {n}: it came to a failure")
            stopped = "PANIC" in cluster.said()
            came_back += stopped
            count.check(stopped, f"sync {n}: the server stopped by itself")
            cluster.forget()
            count.check("panicked" not in node.said(), f"sync {n}: {node.said()[-400:]}")
            patient(lambda: psql(house.database.url, "SELECT 1"))
            wrong = all_there(house, clients)
            count.check(not wrong, f"sync {n}: {wrong[:4]}")
            if node.child.poll() is not None:
                node = house.serve()
            clients.retry(node)
            count.check(not clients.open and not clients.open_sources, f"sync {n}: what got no answer gets one")
            count.check(not clients.traces, f"sync {n}: a server that is away is told as that: {clients.faults(node)}")
            count.check(node.stop() in (0, 3), f"sync {n}: ends")
            wrong = all_there(house, clients)
            count.check(not wrong, f"sync {n}, after it came back: {wrong[:4]}")
            is_sound(house, count, f"sync {n}", doctor=False)
        count.note(f"{came_back} of {len(cases)} failing syncs stopped the server, which came back from its log")
        # control: no failure is injected, so the server must not stop
        cluster.stop_quietly()
        cluster.start(f"LD_PRELOAD={library} MJ_SHIM=eio:1 MJ_SHIM_ARM={WORK / 'never'}")
        node = house.serve()
        clients = Clients(people, start=90_000 - 600)
        clients.run(node, 1.5)
        count.check(len(clients.acknowledged) > 0 and "PANIC" not in cluster.said(), "control: without a failure it answers")
        node.kill()
    finally:
        cluster.stop()


def run(long, postgres=False):
    count = Count("R3: disk full, failing fsync")
    try:
        full(count, long)
    except NotRun as why:
        count.note(f"disk full not run: {why}")
    failing(count, long)
    return count
