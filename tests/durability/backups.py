"""R9: a backup restores to a chosen instant and proves itself against the log; keys destroyed since
stay destroyed; the copies tell nothing without their key. Control: a spoiled backup is not taken."""
import os, re, shutil, sqlite3, subprocess, threading, time, uuid
from kit import (BINARY, Clients, Count, Database, House, NotRun, ROOT, SOURCE, WORK, all_there, chance, clean_env,
                 delivery, free_port, furnished, inspection, is_sound, need, psql)


def push(node, people, number, rows=50):
    answer = node.must(202, "POST", "/api/v1/datahub/batches", delivery(number, number * 1000, rows),
                       token=people.source)
    return node.settled(people.source, answer["href"])


def sealed(node, house):
    """The checkpoint that covers everything so far, as anybody may fetch it."""
    due = int(house.query("SELECT entries FROM change_head")[0][0])
    for _ in range(200):
        text = (house.data / "log/checkpoint").read_text()
        if int(text.splitlines()[1]) >= due:
            return text
        time.sleep(0.05)
        due = int(house.query("SELECT entries FROM change_head")[0][0])
    raise RuntimeError("the log is not sealed")


def numbers(house):
    return sorted(row[0] for row in house.query("SELECT cd_batch FROM hub_batch"))


def sqlite(count, long):
    house, people = furnished()
    place, key, kept = WORK / f"copies-{uuid.uuid4().hex[:6]}", WORK / f"{uuid.uuid4().hex[:6]}.key", WORK / "kept"
    export = house.run("keys", "export-backup", "--out", key)
    count.check(export.returncode == 0 and key.stat().st_mode & 0o77 == 0, f"the key goes out: {export.stderr}")
    node = house.serve()
    push(node, people, 1, 200)
    backup = house.run("backup", "--into", place)
    count.check(backup.returncode == 0, f"first copy: {backup.stderr}")
    push(node, people, 2)
    # while people and systems write at full speed
    clients = Clients(people, start=100)
    busy = threading.Thread(target=clients.run, args=(node, 1.5 if not long else 20))
    busy.start()
    copies = 0
    while busy.is_alive():
        ran = house.run("backup", "--into", place)
        copies += 1
        count.check(ran.returncode == 0, f"a copy beside writers: {ran.stderr}")
    busy.join()
    clients.retry(node)
    for _, href in clients.acknowledged.values():
        node.settled(people.source, href)
    checkpoint = sealed(node, house)
    kept.write_text(checkpoint)
    noted = numbers(house)
    ran = house.run("backup", "--into", place)
    instant = ran.stdout.split("\t")[0]
    count.check(ran.returncode == 0, ran.stderr)
    time.sleep(1.1)
    push(node, people, 90_000 - 1)
    count.check(house.run("backup", "--into", place).returncode == 0, "a later copy")
    node.kill()
    later = numbers(house)
    text = b"".join(p.read_bytes() for p in place.rglob("*") if p.is_file())
    count.check(b"hub_batch" not in text and "枣庄".encode() not in text, "nothing readable in the copies")
    lost = house.data
    house.data.rename(WORK / f"destroyed-{uuid.uuid4().hex[:6]}")

    since = time.monotonic()
    ran = house.run("restore", "--from", place, "--key", key, "--to", instant, "--data-dir", lost, "--checkpoint", kept)
    took = time.monotonic() - since
    count.check(ran.returncode == 0, f"restore: {ran.stdout[-800:]} {ran.stderr[-500:]}")
    size, root = checkpoint.splitlines()[1:3]
    count.check(f"日志根\t{size}\t{root}\n" in ran.stdout, f"the noted root: {checkpoint} {ran.stdout}")
    count.check(numbers(house) == noted and len(later) == len(noted) + 1, "everything up to then, nothing after")
    wrong = all_there(house, clients)
    count.check(not wrong, f"{wrong[:3]}")
    is_sound(house, count, "restored")
    node = house.serve()
    push(node, people, 95_000)
    count.check(node.stop() == 0, "the restored node works")
    is_sound(house, count, "restored and used")
    count.note(f"sqlite: {copies} copies beside writers, restored {len(noted)} batches in {took:.1f} s")

    again = house.run("restore", "--from", place, "--key", key, "--to", instant, "--data-dir", house.data)
    count.check(again.returncode == 2, f"only into an empty directory: {again.stderr}")
    other = furnished()[0]
    wrong_key = WORK / f"{uuid.uuid4().hex[:6]}.key"
    other.run("keys", "export-backup", "--out", wrong_key)
    ran = house.run("restore", "--from", place, "--key", wrong_key, "--data-dir", WORK / "nowhere")
    count.check(ran.returncode == 2 and "密钥" in ran.stderr, f"another key: {ran.stderr}")
    for text, code in (("yesterday", 2), ("2020-01-01 00:00:00", 2)):
        ran = house.run("restore", "--from", place, "--key", key, "--to", text, "--data-dir", WORK / "nowhere")
        count.check(ran.returncode == code, f"{text}: {ran.returncode} {ran.stderr}")
    # control: spoiled copies
    refused = 0
    trials = 12 if long else 2
    for n in range(trials):
        spoiled = WORK / f"spoiled-{uuid.uuid4().hex[:6]}"
        shutil.copytree(place, spoiled)
        pieces = [p for p in spoiled.rglob("*") if p.is_file() and p.parent.name not in ("copies", spoiled.name)]
        for path in pieces:
            if path.stat().st_size > 100:
                data = bytearray(path.read_bytes())
                data[chance.randrange(len(data))] ^= 4
                path.write_bytes(data)
        ran = house.run("restore", "--from", spoiled, "--key", key, "--to", instant,
                        "--data-dir", WORK / f"t-{uuid.uuid4().hex[:6]}")
        refused += ran.returncode in (1, 2, 3) and "panicked" not in ran.stderr
        shutil.rmtree(spoiled)
    count.check(refused == trials, f"control: {refused} of {trials} spoiled backups refused")


def erased(count):
    """A person's key that was destroyed does not come back with an older copy."""
    house, people = furnished()
    place, key = WORK / f"copies-{uuid.uuid4().hex[:6]}", WORK / f"{uuid.uuid4().hex[:6]}.key"
    house.run("keys", "export-backup", "--out", key)
    node = house.serve()
    code = citizen(7)
    rows = [dict(inspection(1), administrative_cp_na="01", administrative_cp_ce_type="111",
                 administrative_cp_ui_code=code, administrative_cp="欧阳建国", supervise_object="欧阳建国")]
    answer = node.must(202, "POST", "/api/v1/datahub/batches", dict(delivery(1, 0, 0), rows=rows), token=people.source)
    batch = node.settled(people.source, answer["href"])
    node.stop()
    keys = lambda at: int(at.query("SELECT COUNT(*) FROM data_key")[0][0])
    held = keys(house)
    count.check(held > 0, f"the person has a key: {batch['counts']}")
    instant = house.run("backup", "--into", place).stdout.split("\t")[0]
    time.sleep(0.01)
    ran = house.run("keys", "erase", "--reason", "本人申请删除，依据第12号决定", input=code)
    count.check(ran.returncode == 0 and keys(house) == held - 1, f"destroyed: {ran.stdout} {ran.stderr}")
    told = house.query("SELECT COUNT(*) FROM act_journal WHERE action = 'keys.person.destroy'")
    count.check(told == [["1"]], "it is an entry")
    count.check(house.run("backup", "--into", place).returncode == 0, "a copy after it")
    back = House(WORK / f"back-{uuid.uuid4().hex[:6]}")
    ran = back.run("restore", "--from", place, "--key", key, "--to", instant, "--data-dir", back.data)
    count.check(ran.returncode == 0 and "再次销毁的个人密钥\t1" in ran.stdout, f"{ran.stdout} {ran.stderr}")
    count.check(keys(back) == held - 1, "the older copy does not bring it back")
    is_sound(back, count, "restored without the person's key")
    # control: without the list of what was destroyed it would come back
    (place / "erased").unlink()
    other = House(WORK / f"back-{uuid.uuid4().hex[:6]}")
    other.run("restore", "--from", place, "--key", key, "--to", instant, "--data-dir", other.data)
    count.check(keys(other) == held, "control: without the list the key is back")


def citizen(number):
    body = f"37040219850703{2 * (number % 499) + 1:03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(int(c) * w for c, w in zip(body, weights)) % 11]


def run(long, postgres=False):
    count = Count("R9: restore to an instant")
    sqlite(count, long)
    erased(count)
    return count
