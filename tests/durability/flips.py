"""R4: a flipped byte or a torn tail in tables of business truth, segments, delivered files and the log
is mended or named, never served in silence. Control: a copy nothing was done to is clean."""
import csv, hashlib, os, shutil, sqlite3, uuid
from kit import Count, Database, House, SOURCE, WORK, chance, delivery, furnish, furnished, psql
from pitr import Cluster

# lists for reading only, which nothing is decided by
FREE = ("log/history",)


def is_told(count, house, what):
    """Whether `verify` or `doctor` says in words that something is wrong."""
    said = [house.run("verify"), house.run("doctor")]
    text = " ".join(r.stdout + r.stderr for r in said)
    count.check("panicked" not in text, f"{what}: {text[-400:]}")
    return any(r.returncode != 0 for r in said) and bool(text.strip())


def lived_in():
    house, people = furnished()
    node = house.serve()
    for number, rows in ((1, 40), (2, 300)):
        answer = node.must(202, "POST", "/api/v1/datahub/batches", delivery(number, number * 1000, rows),
                           token=people.source)
        node.settled(people.source, answer["href"])
    node.stop()
    # more rows than stay in the database, so that there is a segment
    path = WORK / "many.csv"
    rows = delivery(3, 100_000, 2_200)["rows"]
    columns = [c for c in rows[0] if c not in ("cd_id", "cd_time", "cd_operation")]
    with open(path, "w", newline="") as f:
        writer = csv.DictWriter(f, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    ran = house.run("import", "check_action", path, "--source", SOURCE)
    if ran.returncode not in (0, 1):
        raise RuntimeError(ran.stderr)
    # everything in its place in the database file
    db = sqlite3.connect(house.data / "db/mingjian.sqlite3")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return house


def truth(house):
    """What rows of business truth say, as one digest; None when it cannot be read. Without the two columns
    that a row's digest does not cover by contract: the number of the change, and the digest itself."""
    try:
        db = sqlite3.connect(f"file:{house.data}/db/mingjian.sqlite3?mode=ro", uri=True)
        tables = [r[0] for r in db.execute(
            "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c "
            "WHERE m.type = 'table' AND c.name = 'row_digest' ORDER BY 1")]
        whole = hashlib.sha256()
        for table in tables:
            columns = [c[1] for c in db.execute(f"PRAGMA table_info({table})")
                       if c[1] not in ("row_digest", "change_seq")]
            for row in db.execute(f"SELECT {', '.join(columns)} FROM {table} NOT INDEXED ORDER BY id"):
                whole.update(repr(row).encode())
        db.close()
        return whole.hexdigest()
    except sqlite3.Error:
        return None


def spoil(path, torn):
    bytes_ = bytearray(path.read_bytes())
    if torn:
        cut = chance.randint(1, min(len(bytes_), 4096))
        path.write_bytes(bytes_[:-cut])
        return f"{cut} bytes torn off"
    at = chance.randrange(len(bytes_))
    bytes_[at] ^= 1 << chance.randrange(8)
    path.write_bytes(bytes_)
    return f"byte {at} flipped"


def run(long, postgres=False):
    cases = 200 if long else 16
    count = Count(f"R4: {cases} flipped or torn")
    plain = lived_in()
    clean = [plain.run("verify").returncode, plain.run("doctor").returncode]
    count.check(clean == [0, 0], f"control: untouched is clean: {clean}")
    before = truth(plain)
    named = harmless = mended = 0
    kinds = {}
    for case in range(cases):
        house = plain.copy()
        kind = ("db", "segments", "blobs", "log")[case % 4]
        files = [p for p in (house.data / kind).rglob("*")
                 if p.is_file() and p.stat().st_size and not p.name.endswith(("-shm", "-wal"))
                 and str(p.relative_to(house.data)) not in FREE]
        path = chance.choice(files)
        what = f"{path.relative_to(house.data)}: {spoil(path, torn=chance.random() < 0.25)}"
        told = is_told(count, house, what)
        if told:
            named += 1
            count.check(True, what)
        elif kind == "db" and truth(house) == before:
            # unused bytes of a page, or tables outside the truth, which integrity_check alone covers
            harmless += 1
            count.check(True, what)
        else:
            # silent: unless the next start mends it
            try:
                node = house.serve()
                stopped = node.stop()
                again = house.run("verify").returncode
                mended += 1
                count.check(stopped == 0 and again == 0 and truth(house) == before, f"{what}: goes unnoticed")
                if kind != "log":
                    count.check(False, f"{what}: goes unnoticed")
            except RuntimeError:
                named += 1
                count.check(True, what)
        kinds[kind] = kinds.get(kind, 0) + 1
        shutil.rmtree(house.data.parent)
    count.note(f"{named} named, {harmless} in unused bytes or outside the truth, {mended} mended at the next start; "
               + ", ".join(f"{kind} {n}" for kind, n in sorted(kinds.items())))
    return count


def truth_postgres(url):
    """As [`truth`]; without the two columns a row's digest does not cover."""
    tables = psql(url, "SELECT table_name FROM information_schema.columns WHERE column_name = 'row_digest' ORDER BY 1")
    whole = hashlib.sha256()
    for table in tables.splitlines():
        columns = psql(url, "SELECT string_agg(column_name, ',' ORDER BY ordinal_position) FROM "
                            f"information_schema.columns WHERE table_name = '{table}' "
                            "AND column_name NOT IN ('row_digest', 'change_seq')")
        whole.update(psql(url, f"SELECT {columns} FROM {table} ORDER BY id").encode())
    return whole.hexdigest()


def run_postgres(long):
    """The files of tables of business truth and of their indexes, in a PostgreSQL with page checksums; delivered
    files, segments and the log are the same on both databases."""
    cases = 200 if long else 5
    count = Count(f"R4 postgres: {cases} flipped")
    cluster = Cluster(archives=False)
    try:
        psql(cluster.url, "CREATE DATABASE mj")
        house = House(WORK / f"flip-{uuid.uuid4().hex[:6]}", Database(cluster.url, "mj"))
        house.data.mkdir()
        people = furnish(house)
        node = house.serve()
        answer = node.must(202, "POST", "/api/v1/datahub/batches", delivery(1, 1_000, 300), token=people.source)
        node.settled(people.source, answer["href"])
        node.stop()
        clean = [house.run("verify").returncode, house.run("doctor").returncode]
        count.check(clean == [0, 0], f"control: untouched is clean: {clean}")
        before = truth_postgres(house.database.url)
        files = psql(house.database.url,
                     "SELECT DISTINCT pg_relation_filepath(r.oid) FROM pg_class r LEFT JOIN pg_index i ON i.indexrelid = r.oid "
                     "JOIN pg_attribute a ON a.attrelid = COALESCE(i.indrelid, r.oid) AND a.attname = 'row_digest' "
                     "WHERE r.relkind IN ('r', 'i') AND pg_relation_size(r.oid) > 8192 OR r.relname = 'act_journal'")
        cluster.stop_quietly()
        whole = WORK / f"whole-{uuid.uuid4().hex[:6]}"
        shutil.copytree(cluster.home / "pg", whole)
        named = harmless = 0
        for case in range(cases):
            path = cluster.home / "pg" / chance.choice(files.split())
            what = f"{path.name}: {spoil(path, torn=False)}"
            cluster.start()
            told = is_told(count, house, what)
            if told:
                named += 1
            else:
                # bytes that no row uses: what is read is what was there
                harmless += 1
                count.check(truth_postgres(house.database.url) == before, f"{what}: goes unnoticed")
            cluster.stop_quietly()
            shutil.copy2(whole / path.relative_to(cluster.home / "pg"), path)
            if os.geteuid() == 0:
                shutil.chown(path, "postgres", "postgres")
        count.check(named > 0, "control: none of them was named")
        count.note(f"{named} named, {harmless} where nothing reads")
    finally:
        cluster.stop()
    return count
