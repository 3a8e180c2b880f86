"""R11: a kill or a power cut during migration leaves the old schema or the new one. Control: a schema
between two steps, made by hand, must be noticed."""
import re, sqlite3, subprocess, time, uuid
from kit import BINARY, Count, Database, Disk, House, NotRun, ROOT, WORK, chance, furnished, is_sound, psql

LINE = sorted((ROOT / "crates/mj-migrations/sql").glob("*.sql"))


def schema(house):
    """Tables, columns and indexes, and which migrations say they are done."""
    if house.database:
        columns = psql(house.database.url, "SELECT table_name || '.' || column_name FROM information_schema.columns "
                       "WHERE table_schema = 'public' ORDER BY 1").splitlines()
        names = psql(house.database.url, "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1")
        there = "schema_migration.name" in columns
        done = psql(house.database.url, "SELECT name FROM schema_migration ORDER BY 1") if there else ""
        return (len(done.splitlines()), tuple(columns) + tuple(names.splitlines()))
    path = house.data / "db/mingjian.sqlite3"
    if not path.exists():
        return (0, ())
    db = sqlite3.connect(path)
    things = [r for r in db.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")]
    found = [f"{t}:{n}" for t, n in things]
    for t, n in things:
        if t == "table":
            found += [f"{n}.{row[1]}" for row in db.execute(f"PRAGMA table_info({n})")]
    there = "table:schema_migration" in found
    done = db.execute("SELECT COUNT(*) FROM schema_migration").fetchone()[0] if there else 0
    db.close()
    return (done, tuple(sorted(found)))


def steps(postgres):
    """The schema after each step, made by applying the files themselves."""
    if postgres:
        base = Database.new()
        psql(base.url, "CREATE TABLE schema_migration (name TEXT PRIMARY KEY, sm3 TEXT NOT NULL, applied_at BIGINT NOT NULL)")
        house = House(WORK, base)
        made = {0: schema(house)[1]}
        for n, path in enumerate(LINE, 1):
            psql(base.url, re.sub(r" BLOB", " BYTEA", path.read_text()))
            made[n] = schema(house)[1]
        return made
    place = WORK / uuid.uuid4().hex[:8]
    (place / "db").mkdir(parents=True)
    house, made = House(place), {}
    db = sqlite3.connect(place / "db/mingjian.sqlite3")
    db.execute("CREATE TABLE schema_migration (name TEXT PRIMARY KEY, sm3 TEXT NOT NULL, applied_at BIGINT NOT NULL)")
    db.commit()
    made[0] = schema(house)[1]
    for n, path in enumerate(LINE, 1):
        db.executescript(path.read_text())
        made[n] = schema(house)[1]
    db.close()
    return made


def migrate(house):
    return subprocess.Popen([BINARY, "migrate"], env=house.env(MINGJIAN_DATA_DIR=house.data),
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def bare(place, postgres):
    place.mkdir(parents=True)
    return House(place, Database.new() if postgres else None)


def run(long, postgres=False):
    kills = 50 if long else (6 if postgres else 12)
    count = Count(f"R11 {'postgres' if postgres else 'sqlite'}: {kills} kills during migration")
    made = steps(postgres)
    house = bare(WORK / uuid.uuid4().hex[:8], postgres)
    since = time.monotonic()
    migrate(house).wait()
    takes = time.monotonic() - since
    count.check(schema(house)[1] == made[len(LINE)], "untroubled it comes to the schema of the files")
    between = 0
    for number in range(kills):
        house = bare(WORK / uuid.uuid4().hex[:8], postgres)
        child = migrate(house)
        time.sleep(chance.uniform(0, takes))
        child.kill()
        child.wait()
        done, found = schema(house)
        between += 0 < done < len(LINE)
        count.check(found == made[done] if found else done == 0, f"kill {number}: {done} steps done, another schema")
        again = migrate(house)
        count.check(again.wait() == 0 and schema(house)[1] == made[len(LINE)], f"kill {number}: ends when run again")
    if not postgres:
        cuts(count, made, takes, 20 if long else 3)
    grown(count, postgres)
    count.check(between > 0 or not long, "no kill came between two steps")
    count.note(f"{between} kills came between two steps")
    # control: half a step by hand
    half = "DROP INDEX act_journal_log"
    if postgres:
        psql(house.database.url, half)
    else:
        db = sqlite3.connect(house.data / "db/mingjian.sqlite3")
        db.execute(half)
        db.commit()
        db.close()
    done, found = schema(house)
    count.check(found != made[done], "control: a schema that lacks something is seen")
    return count


def cuts(count, made, takes, number):
    try:
        disk = Disk(48)
    except NotRun as why:
        count.note(f"power cuts not run: {why}")
        return
    try:
        for at in range(number):
            house = bare(disk.place / f"node-{at}", False)
            subprocess.run(["sync", "-f", str(disk.place)])
            child = migrate(house)
            time.sleep(chance.uniform(0, takes))
            disk.cut()
            child.kill()
            child.wait()
            disk.unmount()
            disk.mount()
            house.data.mkdir(exist_ok=True)
            done, found = schema(house)
            count.check(found == made[done] if found else done == 0, f"cut {at}: {done} steps, another schema")
            count.check(migrate(house).wait() == 0, f"cut {at}: ends when run again")
        count.note(f"{number} power cuts")
    finally:
        disk.remove()


def grown(count, postgres):
    """A node with a log, its newest table taken away: killed while that comes back."""
    house, _ = furnished(postgres)
    undo = "DROP TABLE backup_mark; DELETE FROM schema_migration WHERE name = '0022_backup_mark';"
    for number in range(3):
        if house.database:
            psql(house.database.url, undo)
        else:
            db = sqlite3.connect(house.data / "db/mingjian.sqlite3")
            db.executescript(undo)
            db.close()
        child = migrate(house)
        time.sleep(chance.uniform(0, 0.3))
        child.kill()
        child.wait()
        count.check(migrate(house).wait() == 0, f"grown {number}: migrates")
    is_sound(house, count, "a grown node after kills")
