"""R1: nothing acknowledged is lost or doubled however often the node is killed. Control: a node whose
acknowledged rows are taken away by hand must be noticed."""
import os, signal, sqlite3, time
from kit import Clients, Count, all_there, chance, furnished, is_sound, psql


def writing(house):
    """Whether the stopped process is inside a transaction that writes."""
    if house.database:
        sql = ("SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() "
               "AND backend_xid IS NOT NULL AND pid <> pg_backend_pid()")
        return int(psql(house.database.url, sql)) > 0
    probe = sqlite3.connect(house.data / "db/mingjian.sqlite3", timeout=0, isolation_level=None)
    try:
        probe.execute("BEGIN IMMEDIATE")
        probe.execute("ROLLBACK")
        return False
    except sqlite3.OperationalError:
        return True
    finally:
        probe.close()


def kill_frozen(node, house):
    """Stopped first, so that what is looked at is what is killed."""
    node.child.send_signal(signal.SIGSTOP)
    while open(f"/proc/{node.child.pid}/stat").read().rsplit(")", 1)[1].split()[0] != "T":
        time.sleep(0.001)
    hit = writing(house)
    node.kill()
    return hit


def run(long, postgres=False):
    name = "R1 postgres" if postgres else "R1 sqlite"
    kills = 200 if long else (6 if postgres else 12)
    count = Count(f"{name}: {kills} kills")
    house, people = furnished(postgres)
    clients = Clients(people, rows=(1, 12) if long else (1, 25))
    hit, slowest = 0, 0.0
    for number in range(kills):
        node = house.serve()
        slowest = max(slowest, node.took)
        hit += clients.run(node, chance.uniform(0.05, 1.5 if long else 0.7), at_end=lambda: kill_frozen(node, house))
        count.check("panicked" not in node.said(), f"kill {number}: {node.said()[-500:]}")
        if number % 20 == 19 or number + 1 == kills:
            wrong = all_there(house, clients)
            count.check(not wrong, f"kill {number}: {wrong[:5]}")
            is_sound(house, count, f"kill {number}", doctor=False)
    node = house.serve()
    slowest = max(slowest, node.took)
    clients.retry(node)
    count.check(not clients.open and not clients.open_sources, "what got no answer gets one in the end")
    faults = unsettled = 0
    # what is still waiting its turn then is looked at as it stands
    until = time.monotonic() + (240 if long else 90)
    for id, (body, href) in clients.acknowledged.items():
        batch = node.must(200, "GET", href, token=people.source)
        while batch["state"] not in ("settled", "failed") and time.monotonic() < until:
            time.sleep(0.1)
            batch = node.must(200, "GET", href, token=people.source)
        unsettled += batch["state"] != "settled"
        faults += batch["state"] == "failed" or batch["counts"]["front"] != len(body["rows"])
    count.check(faults == 0, f"{faults} acknowledged batches did not come to all their rows")
    count.check(unsettled < len(clients.acknowledged), "batches settle")
    count.check(node.stop() == 0, "ends quietly")
    wrong = all_there(house, clients)
    count.check(not wrong, f"at the end: {wrong[:5]}")
    is_sound(house, count, "at the end")
    count.check(hit * 4 >= kills, f"only {hit} of {kills} kills hit an open transaction")
    count.note(f"{hit} of {kills} kills hit an open transaction, {len(clients.acknowledged)} batches and "
               f"{len(clients.sources)} acts acknowledged, {unsettled} of them still waiting their turn, slowest start {slowest:.1f} s")
    control(count, house, clients)
    return count


def control(count, house, clients):
    """One acknowledged row less, one more: both must be seen, or the harness sees nothing."""
    one = next(iter(clients.acknowledged))
    for sql in (f"DELETE FROM hub_batch WHERE id = '{one}'",):
        if house.database:
            psql(house.database.url, sql)
        else:
            db = sqlite3.connect(house.data / "db/mingjian.sqlite3")
            db.execute(sql)
            db.commit()
            db.close()
    count.check(len(all_there(house, clients)) == 1, "control: a lost batch is seen")
    count.check(house.run("verify").returncode == 1, "control: verify names it")
