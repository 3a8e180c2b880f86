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
    """A person's key that was destroyed opens nothing any more: not on the node, not in a copy made before,
    not with an old dump of the database. The others' go on opening."""
    house, people = furnished()
    place, key = WORK / f"copies-{uuid.uuid4().hex[:6]}", WORK / f"{uuid.uuid4().hex[:6]}.key"
    house.run("keys", "export-backup", "--out", key)
    node = house.serve()
    code = citizen(7)
    rows = [dict(inspection(n), administrative_cp_na="01", administrative_cp_ce_type="111",
                 administrative_cp_ui_code=citizen(n), administrative_cp="欧阳建国", supervise_object="欧阳建国")
            for n in (7, 8, 9)]
    answer = node.must(202, "POST", "/api/v1/datahub/batches", dict(delivery(1, 0, 0), rows=rows), token=people.source)
    batch = node.settled(people.source, answer["href"])
    others = [dict(row, check_date="2025-02-31") for row in rows[1:]]
    answer = node.must(202, "POST", "/api/v1/datahub/batches", dict(delivery(9, 0, 0), rows=others), token=people.source)
    node.settled(people.source, answer["href"])
    node.stop()
    keys = lambda at: int(at.query("SELECT COUNT(*) FROM data_key")[0][0])
    files = lambda at: sum(path.is_file() for path in (at.data / "blobs").rglob("*"))
    held, stored = keys(house), files(house)
    count.check(held > 2, f"the persons have keys: {batch['counts']}")

    def restored(place, *more):
        back = House(WORK / f"back-{uuid.uuid4().hex[:6]}")
        return back, back.run("restore", "--from", place, "--key", key, "--data-dir", back.data, *more)

    instant = house.run("backup", "--into", place).stdout.split("\t")[0]
    elsewhere = WORK / f"elsewhere-{uuid.uuid4().hex[:6]}"
    shutil.copytree(place, elsewhere)
    dumped = house.copy()
    ran = house.run("keys", "erase", "--reason", "本人申请删除，依据第12号决定", input=code,
                    env={"MINGJIAN_BACKUP_FOLDER": str(place)})
    # the person's, and the one of the file in which the person was delivered
    count.check(ran.returncode == 0 and keys(house) == held - 2, f"destroyed: {ran.stdout} {ran.stderr}")
    count.check("含此人的原始文件\t1 份批次\t1 个文件已删除" in ran.stdout and files(house) == stored - 1,
                f"and the file: {ran.stdout} {files(house)} of {stored}")
    count.check("备份中销毁的个人密钥\t2" in ran.stdout, f"at once in the copies too: {ran.stdout} {ran.stderr}")
    told = house.query("SELECT COUNT(*) FROM act_journal WHERE action = 'keys.person.destroy'")
    count.check(told == [["1"]], "it is an entry")
    is_sound(house, count, "after the destruction")
    back, ran = restored(place, "--to", instant)
    count.check(ran.returncode == 0 and "再次销毁的个人密钥\t2" in ran.stdout, f"{ran.stdout} {ran.stderr}")
    count.check(keys(back) == held - 2, "the older copy does not bring it back")
    is_sound(back, count, "restored without the person's key")
    node = back.serve()
    push(node, people, 2)
    count.check(node.stop() == 0, "the restored node works")
    # who holds the copies and their key, and takes away the list of what was destroyed
    kept = (place / "erased").read_bytes()
    (place / "erased").unlink()
    other, ran = restored(place, "--to", instant)
    count.check(ran.returncode == 1 and "缺失的个人密钥\t2" in ran.stdout, f"nothing opens it: {ran.stdout} {ran.stderr}")
    left = sorted(path.name for path in (other.data / "keys").iterdir())
    count.check("personal.1.key" not in left, f"no older key in the copy: {left}")
    (place / "erased").write_bytes(kept)
    # who has an old dump of the database and the keys of today
    dumped_keys = dumped.data / "keys"
    shutil.rmtree(dumped_keys)
    shutil.copytree(house.data / "keys", dumped_keys)
    ran = dumped.run("doctor")
    count.check(f"{held} 把个人密钥用现在的密钥打不开" in ran.stdout, f"an old dump: {ran.stdout}")
    # its lawful owner has the archive
    ran = dumped.run("keys", "recover", "--from", place, "--key", key)
    said = f"个人密钥\t{held - 2} 把可用\t0 把缺失\n再次销毁的个人密钥\t2\n"
    count.check(ran.returncode == 0 and said in ran.stdout, f"recovered: {ran.stdout} {ran.stderr}")
    is_sound(dumped, count, "recovered")
    # the key over those of persons is in no copy; without it the node does not start, and the archive helps
    (house.data / "keys/personal.key").unlink()
    for command in (("serve", "--port", "0"), ("doctor",)):
        ran = house.run(*command)
        count.check(ran.returncode != 0 and "keys recover" in ran.stdout + ran.stderr,
                    f"{command}: {ran.returncode} {ran.stdout} {ran.stderr}")
    ran = house.run("keys", "recover", "--from", place, "--key", key)
    count.check(ran.returncode == 0 and f"个人密钥\t{held - 2} 把可用\t0 把缺失" in ran.stdout, f"{ran.stdout} {ran.stderr}")
    is_sound(house, count, "recovered after a loss")
    node = house.serve()
    push(node, people, 3)
    count.check(node.stop() == 0, "and works")
    # control: a copy of the copies that was carried away before still opens all of them
    other, ran = restored(elsewhere)
    count.check(ran.returncode == 0 and keys(other) == held, f"control: {ran.stdout} {ran.stderr}")
    is_sound(other, count, "control: carried away before")


def citizen(number):
    body = f"37040219850703{2 * (number % 499) + 1:03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(int(c) * w for c, w in zip(body, weights)) % 11]


def run(long, postgres=False):
    count = Count("R9: restore to an instant")
    sqlite(count, long)
    erased(count)
    return count
