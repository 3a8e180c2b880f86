"""R2: nothing acknowledged is lost when the power goes. The node's disk is an ext4 that stops taking
writes without flushing its log. Control: the same with fsync swallowed must lose something."""
import subprocess
from kit import Clients, Count, Disk, all_there, chance, furnished, is_sound, shim


def on(disk, plain):
    """A copy on that disk, safe before the first cut."""
    house = plain.copy(disk.place / "node")
    subprocess.run(["sync", "-f", str(disk.place)], check=True)
    return house


def rounds(count, number, house, people, disk, env, say):
    """So many power cuts; in how many of them something was lost."""
    lost = 0
    for at in range(number):
        node = house.serve(env=env)
        clients = Clients(people, start=(at + 1) * 1_000)

        def cut():
            # what is answered from here on may have been answered after the power went: a sync under way may
            # find its transaction thrown away and say "done", to a machine that would be dark by then
            answered = (dict(clients.acknowledged), dict(clients.sources))
            disk.cut()
            node.kill()
            return answered

        clients.acknowledged, clients.sources = clients.run(node, chance.uniform(0.3, 1.2), at_end=cut)
        disk.unmount()
        disk.mount()
        try:
            wrong = all_there(house, clients)
            sound = house.run("verify")
            if sound.returncode != 0:
                wrong.append(f"verify {sound.returncode}: {sound.stdout[:200]}{sound.stderr[-200:]}")
            integrity = house.query("PRAGMA integrity_check")
            if integrity != [["ok"]]:
                wrong.append(f"integrity: {integrity[:3]}")
        except Exception as error:
            wrong = [f"cannot be read: {error}"]
        lost += bool(wrong)
        if say:
            count.check(not wrong, f"cut {at}: {wrong[:4]}")
        elif wrong:
            return lost
    return lost


def run_postgres(long):
    """The same with the rows in a PostgreSQL of its own on that disk."""
    from pitr import Cluster
    from kit import Database, House, furnish, psql
    cuts = 100 if long else 3
    count = Count(f"R2 postgres: {cuts} power cuts")
    for settings, number, fails in (("", cuts, False), ("-c fsync=off -c mingjian.throwaway=on", 8, True)):
        disk = Disk(640)
        cluster = None
        lost = 0
        try:
            disk.place.chmod(0o755)
            cluster = Cluster(disk.place / "cluster", settings, archives=False)
            psql(cluster.url, "CREATE DATABASE mj")
            house = House(disk.place / "node" / "data", Database(cluster.url, "mj"))
            house.data.mkdir(parents=True)
            people = furnish(house)
            psql(cluster.url, "CHECKPOINT")
            subprocess.run(["sync", "-f", str(disk.place)], check=True)
            for at in range(number):
                node = house.serve()
                clients = Clients(people, start=(at + 1) * 1_000, rows=(1, 40))

                def cut():
                    answered = (dict(clients.acknowledged), dict(clients.sources))
                    disk.cut()
                    node.kill()
                    cluster.kill()
                    return answered

                clients.acknowledged, clients.sources = clients.run(node, chance.uniform(0.3, 1.2), at_end=cut)
                disk.unmount()
                disk.mount()
                # of a process that is gone; where nobody reaps it, its number still looks alive
                (cluster.home / "pg/postmaster.pid").unlink(missing_ok=True)
                try:
                    cluster.start()
                    wrong = all_there(house, clients)
                    sound = house.run("verify")
                    if sound.returncode != 0:
                        wrong.append(f"verify {sound.returncode}: {sound.stdout[:200]}{sound.stderr[-200:]}")
                except RuntimeError as error:
                    wrong = [f"cannot be read: {error}"]
                lost += bool(wrong)
                if not fails:
                    count.check(not wrong, f"cut {at}: {wrong[:4]}")
                elif wrong:
                    break
            if fails:
                count.check(lost > 0, "control: with fsync off nothing was lost, so the harness proves nothing")
                count.note("control with fsync off lost rows")
        finally:
            if cluster:
                cluster.stop()
            disk.remove()
    return count


def run(long, postgres=False):
    cuts = 100 if long else 6
    count = Count(f"R2: {cuts} power cuts")
    disk = Disk(768 if long else 256)
    try:
        plain, people = furnished()
        house = on(disk, plain)
        rounds(count, cuts, house, people, disk, {}, True)
        node = house.serve()
        count.check(node.stop() == 0, "starts and ends after the last cut")
        is_sound(house, count, "at the end")
    finally:
        disk.remove()
    disk = Disk(256)
    try:
        house = on(disk, plain)
        env = {"LD_PRELOAD": shim(), "MJ_SHIM": "eat"}
        lost = rounds(count, 20 if long else 8, house, people, disk, env, False)
        count.check(lost > 0, "control: with fsync swallowed nothing was lost, so the harness proves nothing")
        count.note("control with fsync swallowed lost rows")
    except RuntimeError:
        count.check(True, "")
        count.note("control with fsync swallowed: the node does not even start again")
    finally:
        disk.remove()
    return count
