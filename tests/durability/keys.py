"""Keys: another master key, killed at every step of the change, and other keys of a class; production
refuses trial keys. Control: with a master key of another node nothing opens."""
import shutil, signal, subprocess, time, uuid
from backups import citizen, push
from kit import BINARY, Count, WORK, chance, delivery, furnished, inspection, is_sound


def wrapped(house):
    return dict(house.query("SELECT id, hex(wrapped) FROM data_key" if not house.database
                            else "SELECT id, encode(wrapped, 'hex') FROM data_key"))


def rows(house):
    """Versions of every row of business truth but the log's own."""
    tables = [r[0] for r in house.query(
        "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' "
        "AND c.name = 'row_digest'" if not house.database else
        "SELECT table_name FROM information_schema.columns WHERE column_name = 'row_digest'")]
    return {t: house.query(f"SELECT id, version, change_seq FROM {t} ORDER BY id") for t in sorted(tables)}


def run(long, postgres=False):
    kills = 40 if long else 4
    count = Count(f"keys {'postgres' if postgres else 'sqlite'}: {kills} kills while the master key changes")
    house, people = furnished(postgres)
    node = house.serve()
    persons = [dict(inspection(n), administrative_cp_na="01", administrative_cp_ce_type="111",
                    administrative_cp_ui_code=citizen(n), administrative_cp="欧阳建国", supervise_object="欧阳建国")
               for n in range(60)]
    answer = node.must(202, "POST", "/api/v1/datahub/batches", dict(delivery(1, 0, 0), rows=persons),
                       token=people.source)
    node.settled(people.source, answer["href"])
    node.stop()
    before, old, digest = rows(house), wrapped(house), house.run("doctor", "--digest").stdout
    master = (house.data / "keys/master.key").read_text()
    log_key = (house.data / "log/key").read_text()
    count.check(len(old) >= 60, f"{len(old)} keys of persons")
    since = time.monotonic()
    ran = house.copy().run("keys", "rotate-master")
    takes = time.monotonic() - since
    count.check(ran.returncode == 0, f"{ran.stdout} {ran.stderr}")
    halfway = 0
    for number in range(kills):
        child = subprocess.Popen([BINARY, "keys", "rotate-master"], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, env=house.env(MINGJIAN_DATA_DIR=house.data))
        time.sleep(chance.uniform(0, takes))
        child.kill()
        child.wait()
        broken_off = (house.data / "keys/master.next").exists()
        halfway += broken_off
        ran = house.run("doctor")
        expected = ran.returncode == 0 or (broken_off and "rotate-master" in ran.stdout)
        count.check(expected and "不符" not in ran.stdout, f"kill {number}: {ran.stdout} {ran.stderr}")
        count.check(house.run("doctor", "--digest").stdout == digest, f"kill {number}: another content")
    ran = house.run("keys", "rotate-master")
    count.check(ran.returncode == 0, f"{ran.stdout} {ran.stderr}")
    count.check(not (house.data / "keys/master.next").exists(), "done")
    count.check((house.data / "keys/master.key").read_text() != master, "another master key")
    new = wrapped(house)
    count.check(new.keys() == old.keys() and all(new[k] != old[k] for k in old), "every person's key is wrapped anew")
    count.check(rows(house) == before, "no row of business truth was written")
    count.check(house.query("SELECT COUNT(*) FROM act_journal WHERE action = 'keys.master.rotate'") != [["0"]],
                "it is an entry")
    node = house.serve()
    push(node, people, 2)
    count.check(node.stop() == 0, "the node works with the new key")
    count.check((house.data / "log/key").read_text() == log_key, "the log's key is the same")
    is_sound(house, count, "after the change")
    # control: another node's master key
    other = house.copy()
    (other.data / "keys/master.key").write_text(master)
    count.check(other.run("doctor").returncode != 0, "control: the old master key opens nothing any more")
    # production refuses what was made for trying
    ran = subprocess.run([BINARY, "serve", "--port", "0"], capture_output=True, text=True, timeout=60,
                         env=house.env(MINGJIAN_DATA_DIR=house.data, MINGJIAN_NODE_PRODUCTION="true"))
    count.check(ran.returncode == 2 and "试用密钥" in ran.stderr, f"production: {ran.returncode} {ran.stderr}")
    destructions(count, house, people, kills)
    log_key_changes(count, house, people, kills)
    if not postgres:
        backup_key(count, house)
    count.note(f"{halfway} kills left the change half done")
    return count


def destructions(count, house, people, kills):
    """One person's key after another destroyed, killed on the way: the others open at any moment, and the next
    start ends what was begun."""
    since = time.monotonic()
    trial = house.copy()
    trial.run("keys", "erase", "--reason", "试", input=citizen(59))
    takes, gone = time.monotonic() - since, 0
    held = len(wrapped(house))
    for number in range(kills):
        child = subprocess.Popen([BINARY, "keys", "erase", "--reason", "依据第12号决定"], stdin=subprocess.PIPE,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True,
                                 env=house.env(MINGJIAN_DATA_DIR=house.data))
        child.stdin.write(citizen(number) + "\n")
        child.stdin.close()
        time.sleep(chance.uniform(0, takes))
        child.kill()
        child.wait()
        ran = house.run("doctor")
        count.check("不符" not in ran.stdout, f"destruction {number}: {ran.stdout} {ran.stderr}")
        now = len(wrapped(house))
        # with the first of them goes the key of the file in which all were delivered
        count.check(held - 2 <= now <= held, f"destruction {number}: {held} keys and {now}")
        gone, held = gone + held - now, now
        if number % 4 == 0:
            node = house.serve()
            count.check(node.stop() == 0, f"destruction {number}: the node starts and ends")
            left = sorted(path.name for path in (house.data / "keys").glob("personal.*.key"))
            count.check(not left, f"destruction {number}: nothing lies under an older key: {left}")
    ran = house.run("keys", "erase", "--reason", "依据第12号决定", input=citizen(58))
    count.check(ran.returncode == 0 and "此人的密钥已销毁" in ran.stdout, f"{ran.stdout} {ran.stderr}")
    total = gone + held - len(wrapped(house))
    erased = int(house.query("SELECT COUNT(*) FROM erasure")[0][0])
    count.check(erased == total > 0, f"each on record: {erased} of {total}")
    is_sound(house, count, "after destructions")
    count.note(f"{gone} of {kills} kills came after the destruction")


def log_key_changes(count, house, people, kills):
    """Another key for the log, killed on the way: old checkpoints and receipts hold, new ones too."""
    kept, old_key = WORK / uuid.uuid4().hex[:8], (house.data / "log/key").read_text()
    kept.write_text((house.data / "log/checkpoint").read_text())
    since = time.monotonic()
    house.copy().run("keys", "rotate", "log")
    takes = time.monotonic() - since
    for number in range(kills):
        child = subprocess.Popen([BINARY, "keys", "rotate", "log"], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, env=house.env(MINGJIAN_DATA_DIR=house.data))
        time.sleep(chance.uniform(0, takes * 1.2))
        child.kill()
        child.wait()
        ran = house.run("verify", "--checkpoint", kept)
        count.check(ran.returncode == 0, f"log key, kill {number}: {ran.stdout} {ran.stderr}")
        if number % 4 == 0:
            node = house.serve()
            count.check(node.stop() == 0, f"log key, kill {number}: the node starts and ends")
    ran = house.run("keys", "rotate", "log")
    count.check(ran.returncode == 0, f"{ran.stdout} {ran.stderr}")
    count.check((house.data / "log/key").read_text() != old_key, "another public key")
    count.check(old_key in (house.data / "log/keys").read_text(), "the old one stays known")
    node = house.serve()
    push(node, people, 3)
    count.check(node.stop() == 0, "the node signs with the new key")
    ran = house.run("verify", "--checkpoint", kept)
    count.check(ran.returncode == 0, f"an old checkpoint holds: {ran.stdout} {ran.stderr}")
    told = int(house.query("SELECT COUNT(*) FROM act_journal WHERE action = 'keys.class.rotate'")[0][0])
    count.check(told >= 1, "it is an entry")
    # control: a checkpoint signed by a key that never was the log's
    foreign = WORK / uuid.uuid4().hex[:8]
    foreign.write_text(kept.read_text().replace("\ntime ", "\ntime 1", 1))
    count.check(house.run("verify", "--checkpoint", foreign).returncode == 1, "control: a changed checkpoint is refused")


def backup_key(count, house):
    """A new backup key: old copies open with the old file and the new one, new ones with the new only."""
    place, first, second = (WORK / uuid.uuid4().hex[:8] for _ in range(3))
    house.run("keys", "export-backup", "--out", first)
    house.run("backup", "--into", place)
    ran = house.run("keys", "rotate", "backup")
    count.check(ran.returncode == 0, ran.stderr)
    house.run("keys", "export-backup", "--out", second)
    old = house.run("restore", "--from", place, "--key", second, "--data-dir", WORK / uuid.uuid4().hex[:8])
    count.check(old.returncode == 0, f"an old copy with the new file: {old.stdout} {old.stderr}")
    ran = house.run("backup", "--into", place)
    count.check(ran.returncode == 0, ran.stderr)
    new = house.run("restore", "--from", place, "--key", second, "--data-dir", WORK / uuid.uuid4().hex[:8])
    count.check(new.returncode == 0, f"a new copy with the new file: {new.stdout} {new.stderr}")
    refused = house.run("restore", "--from", place, "--key", first, "--data-dir", WORK / uuid.uuid4().hex[:8])
    count.check(refused.returncode == 2, "a new copy with the old file")
