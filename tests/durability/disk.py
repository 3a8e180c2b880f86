"""R3: a full disk and a failing fsync are told, and nothing is acknowledged that is not there. Control:
without an injected failure answers go on, so their absence after one says something."""
import os, time, uuid
from kit import Clients, Count, Disk, NotRun, WORK, all_there, chance, furnished, is_sound, shim


def full(count, long):
    plain, people = furnished()
    # the database's own log may grow to 64 MB
    disk = Disk(320)
    try:
        house = plain.copy(disk.place / "node")
        node = house.serve()
        clients = Clients(people, rows=(400, 500) if long else (100, 150), acts=False)
        until = time.monotonic() + 60
        ballast = disk.place / "ballast"
        free = os.statvfs(disk.place)
        with open(ballast, "wb") as f:
            # most of it is taken by somebody else
            f.write(b"\1" * max(0, free.f_bavail * free.f_frsize - (6 << 20 if long else 2 << 20)))
        while time.monotonic() < until and not clients.open:
            clients.run(node, 1)
        count.check(bool(clients.open), "the disk is full and deliveries are refused")
        taken = len(clients.acknowledged)
        count.check("panicked" not in node.said(), node.said()[-400:])
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
        count.note(f"disk full after {taken} batches")
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
        late, failed_at = 0, None

        def watched():
            nonlocal failed_at
            until = time.monotonic() + 20
            while time.monotonic() < until and not arm.read_text():
                time.sleep(0.005)
            if arm.read_text():
                failed_at = float(arm.read_text().split()[0])
            # long enough for many more answers, if it still gave any
            time.sleep(0.4)
            before = len(clients.acknowledged) + len(clients.sources)
            time.sleep(0.6)
            return len(clients.acknowledged) + len(clients.sources) - before

        late = clients.run(node, 0, at_end=watched)
        count.check(failed_at is not None, f"fsync {n}: it came to a failure")
        count.check(late == 0, f"fsync {n}: {late} acknowledged after it failed")
        time.sleep(0.1)
        ended = node.child.poll()
        stopped += ended is not None
        count.check(ended == 3, f"fsync {n}: the node ended with {ended}")
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


def run(long, postgres=False):
    count = Count("R3: disk full, failing fsync")
    try:
        full(count, long)
    except NotRun as why:
        count.note(f"disk full not run: {why}")
    failing(count, long)
    return count
