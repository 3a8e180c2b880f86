"""R9 on PostgreSQL: to any second, by the server's own log, with two roles as docs/operate.md sets them up.
Control: an instant before the first copy is refused, and a copy whose log has a hole does not come up."""
import os, shutil, subprocess, time, urllib.parse, uuid
from backups import citizen, numbers, push, sealed
from kit import (BINARY, Clients, Count, Database, House, NotRun, ROOT, WORK, all_there, clean_env, delivery, free_port,
                 furnish, inspection, is_sound, psql)


# an empty cluster that is copied instead of being made each time
TEMPLATE = "MJ_DURABILITY_CLUSTER"


def template():
    """The environment that tells others of such a cluster; none where there is no PostgreSQL."""
    try:
        cluster = Cluster()
    except NotRun:
        return {}
    cluster.stop_quietly()
    # as it was before it was told to archive
    (cluster.home / "pg/postgresql.conf").write_text("")
    return {TEMPLATE: str(cluster.home / "pg")}


class Cluster:
    """A PostgreSQL of the harness with everything made durable; it archives its log unless told not to."""

    def __init__(self, home=None, settings="", archives=True):
        self.settings = settings
        self.bin = max((p for p in __import__("pathlib").Path("/usr/lib/postgresql").glob("*/bin")), default=None)
        if self.bin is None:
            raise NotRun("PostgreSQL is not installed")
        self.home, self.port = home or WORK / f"cluster-{uuid.uuid4().hex[:6]}", free_port()
        self.wal = self.home / "wal"
        self.wal.mkdir(parents=True)
        if os.geteuid() == 0:
            shutil.chown(self.home, "postgres")
            shutil.chown(self.wal, "postgres")
        if os.environ.get(TEMPLATE):
            self.sh(f"cp -a '{os.environ[TEMPLATE]}' '{self.home}/pg'")
        else:
            self.sh(f"{self.bin}/initdb -D '{self.home}/pg' -A trust -U postgres -E UTF8 --locale=C.UTF-8 --data-checksums")
        archive = f"cp %p {self.wal}/%f.part && mv {self.wal}/%f.part {self.wal}/%f"
        with open(self.home / "pg/postgresql.conf", "a") as f:
            mode = "on" if archives else "off"
            f.write(f"\narchive_mode = {mode}\narchive_command = '{archive}'\nwal_level = replica\n")
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/postgres"
        self.start()

    def start(self, before=""):
        self.sh(f"{before} {self.bin}/pg_ctl -D '{self.home}/pg' -l '{self.home}/log' -w -t 60 "
                f"-o '-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= {self.settings}' start")
        self.pid = int((self.home / "pg/postmaster.pid").read_text().split()[0])

    def kill(self):
        """Every process of it, as when the machine goes."""
        pid = self.pid
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
        for one in [pid, *map(int, children.stdout.split())]:
            try:
                os.kill(one, 9)
            except ProcessLookupError:
                pass

    def sh(self, line, check=True):
        command = ["su", "postgres", "-s", "/bin/bash", "-c", line] if os.geteuid() == 0 else ["bash", "-c", line]
        ran = subprocess.run(command, capture_output=True, text=True)
        if check and ran.returncode != 0:
            log = self.home / "log"
            raise RuntimeError(ran.stderr + (log.read_text(errors="replace")[-600:] if log.exists() else ""))

    def said(self):
        return (self.home / "log").read_text(errors="replace")

    def forget(self):
        """What it said so far."""
        with open(self.home / "log", "r+") as f:
            f.truncate(0)

    def stop_quietly(self):
        self.sh(f"{self.bin}/pg_ctl -D '{self.home / 'pg'}' -m fast -w stop")

    def stop(self, folder=None):
        self.sh(f"{self.bin}/pg_ctl -D '{folder or self.home / 'pg'}' -m immediate stop", check=False)


OWNER, SERVANT, SECRET = "mingjian_owner", "mingjian", "枣庄 p@ss/w:rd%2F"


def url_of(role, port):
    return f"postgres://{role}:{urllib.parse.quote(SECRET, safe='')}@127.0.0.1:{port}/mj"


def two_roles(cluster):
    """One role that owns the tables and one that serves and backs up; both must give their password."""
    hba = cluster.home / "pg/pg_hba.conf"
    asked = "".join(f"host {base} {OWNER},{SERVANT} 127.0.0.1/32 scram-sha-256\n" for base in ("all", "replication"))
    hba.write_text(asked + hba.read_text())
    for role, right in ((OWNER, ""), (SERVANT, "REPLICATION")):
        psql(cluster.url, f"CREATE ROLE {role} LOGIN {right} PASSWORD '{SECRET}'")
    psql(cluster.url, "SELECT pg_reload_conf()")
    psql(cluster.url, f"CREATE DATABASE mj OWNER {OWNER}")
    psql(cluster.url.rsplit("/", 1)[0] + "/mj", f"GRANT EXECUTE ON FUNCTION pg_switch_wal() TO {SERVANT}")


def served(cluster_port, data):
    """The house whose database is reached as the role that serves; the other's URL lies in its settings."""
    settings = data / "mingjian.toml"
    settings.write_text(f'[database]\nmigrate_url = "{url_of(OWNER, cluster_port)}"\n')
    settings.chmod(0o600)
    database = Database(url_of(SERVANT, cluster_port), "mj")
    return House(data, database)


def run(long, postgres=True):
    count = Count("R9 postgres: restore to any second, with two roles")
    cluster = Cluster()
    restored = None
    try:
        two_roles(cluster)
        data = WORK / f"pitr-{uuid.uuid4().hex[:6]}"
        data.mkdir()
        house = served(cluster.port, data)
        people = furnish(house)
        owners = house.query("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
        count.check(owners == [[OWNER]], f"the tables are the owner's: {owners}")
        place, key, kept = (WORK / f"pitr-{uuid.uuid4().hex[:6]}" for _ in range(3))
        env = {"MINGJIAN_BACKUP_WAL_FOLDER": str(cluster.wal)}
        house.run("keys", "export-backup", "--out", key)
        node = house.serve()
        push(node, people, 1, 200)
        named = [dict(inspection(n), administrative_cp_na="01", administrative_cp_ce_type="111",
                      administrative_cp_ui_code=citizen(n), administrative_cp="欧阳建国", supervise_object="欧阳建国")
                 for n in range(900_000, 900_050)]
        answer = node.must(202, "POST", "/api/v1/datahub/batches", dict(delivery(89_997, 0, 0), rows=named),
                           token=people.source)
        settled = node.settled(people.source, answer["href"])
        count.check(settled["counts"]["correct"] == 50, f"fifty people are named: {settled['counts']}")
        ran = house.run("backup", "--into", place, env=env)
        count.check(ran.returncode == 0, f"base: {ran.stderr}")
        psql(cluster.url, "CHECKPOINT")
        telling = [str(path) for folder in (cluster.home, place, house.data) for path in folder.rglob("*")
                   if path.is_file() and any(citizen(n).encode() in path.read_bytes() for n in range(900_000, 900_050))]
        count.check(not telling, f"no number of theirs in the cluster, its log, the copies: {telling[:3]}")
        clients = Clients(people, start=100)
        clients.run(node, 15 if long else 2)
        clients.retry(node)
        for _, href in clients.acknowledged.values():
            node.settled(people.source, href)
        kept.write_text(sealed(node, house))
        noted = numbers(house)
        time.sleep(1.2)
        instant = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + 8 * 3600))
        time.sleep(1.2)
        push(node, people, 89_999)
        ran = house.run("backup", "--into", place, env=env)
        count.check(ran.returncode == 0, f"later: {ran.stderr}")
        count.check(not list(cluster.wal.glob("0*")), "the server's log is taken from its folder")
        node.kill()
        later = numbers(house)
        ran = house.run("keys", "erase", "--reason", "依据第12号决定", input=citizen(900_000),
                        env=dict(env, MINGJIAN_BACKUP_FOLDER=str(place)))
        count.check(ran.returncode == 0 and "备份中销毁的个人密钥\t2" in ran.stdout, f"{ran.stdout} {ran.stderr}")
        cluster.stop()
        shutil.rmtree(cluster.home / "pg")
        house.data.rename(WORK / f"destroyed-{uuid.uuid4().hex[:6]}")

        port, restored = free_port(), WORK / f"back-{uuid.uuid4().hex[:6]}"
        since = time.monotonic()
        ran = subprocess.run([str(ROOT / "scripts/pg_restore.sh"), place, key, instant, house.data, restored,
                              str(port), "mj", kept], capture_output=True, text=True, timeout=600,
                             env=clean_env(MINGJIAN=BINARY, DATABASE_USER=SERVANT, PGPASSWORD=SECRET))
        took = time.monotonic() - since
        count.check(ran.returncode == 0, f"restore: {ran.stdout[-800:]} {ran.stderr[-800:]}")
        size, root = kept.read_text().splitlines()[1:3]
        count.check(f"日志根\t{size}\t{root}\n" in ran.stdout, f"the noted root {size} {root}: {ran.stdout}")
        count.check("再次销毁的个人密钥\t2" in ran.stdout, f"destroyed again: {ran.stdout}")
        house.database = Database(url_of(SERVANT, port), "mj")
        ran = house.run("migrate")
        count.check(ran.returncode in (2, 3) and "migrate_url" in ran.stderr and SECRET not in ran.stderr,
                    f"the old server's migrate_url is refused: {ran.returncode} {ran.stderr}")
        house = served(port, house.data)
        count.check(numbers(house) == noted and len(later) == len(noted) + 1, "everything up to then, nothing after")
        wrong = all_there(house, clients)
        count.check(not wrong, f"{wrong[:3]}")
        is_sound(house, count, "restored")
        node = house.serve()
        push(node, people, 89_998)
        count.check(node.stop() == 0, "the restored node works")
        is_sound(house, count, "restored and used")
        count.note(f"restored {len(noted)} batches to {instant} in {took:.1f} s")
        # control: without one file of the server's log before the last there is no such state to come to
        holed = WORK / f"holed-{uuid.uuid4().hex[:6]}"
        shutil.copytree(place, holed)
        segments = sorted(path for path in (holed / "wal").iterdir() if len(path.name) == 24)
        segments[-2].unlink()
        holed_pg = WORK / f"holed-{uuid.uuid4().hex[:6]}"
        ran = subprocess.run([str(ROOT / "scripts/pg_restore.sh"), holed, key, instant, WORK / "holed-data", holed_pg,
                              str(free_port()), "mj", kept], capture_output=True, text=True, timeout=600,
                             env=clean_env(MINGJIAN=BINARY, DATABASE_USER=SERVANT, PGPASSWORD=SECRET))
        count.check(ran.returncode == 3 and "recovery ended before" in ran.stderr,
                    f"control: a hole in the log: {ran.returncode} {ran.stdout[-300:]} {ran.stderr[-300:]}")
        cluster.stop(holed_pg)
        ran = house.run("restore", "--from", place, "--key", key, "--to", "2020-01-01 00:00:00",
                        "--data-dir", WORK / "no", "--pg-dir", WORK / "nopg")
        count.check(ran.returncode == 2, f"control: before the first copy: {ran.returncode}")
    finally:
        cluster.stop()
        if restored:
            cluster.stop(restored)
    return count
