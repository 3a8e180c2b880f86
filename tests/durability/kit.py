"""What every harness of durability shares: a furnished node, its people, a client, counting.

Standard library only. A node is driven as its users drive it, over HTTP; its database is read
directly only to compare.
"""
import base64, hashlib, hmac, http.client, json, os, random, re, shutil, signal, socket, sqlite3
import struct, subprocess, sys, tempfile, threading, time, uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("MJ_BINARY") or str(ROOT / "target/debug/mingjian")
WORK = Path(tempfile.mkdtemp(prefix="mj-durability-"))
WORK.chmod(0o755)
AGENCY = "11370400004400001P"
SOURCE = "370400"
# what a part is told by the process that started it
FURNISHED, SERVER = "MJ_DURABILITY_FURNISHED", "MJ_DURABILITY_SERVER"
SEED = int(os.environ.get("MJ_SEED") or int.from_bytes(os.urandom(4), "big"))
chance = random.Random(SEED)


class Count:
    """`N passed, N failed`, with what failed on stderr."""

    def __init__(self, name):
        self.name, self.passed, self.failed, self.notes = name, 0, 0, []

    def check(self, holds, what):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print(f"  FAILED {self.name}: {what} (MJ_SEED={SEED})", file=sys.stderr, flush=True)
        return holds

    def note(self, text):
        self.notes.append(text)

    def line(self):
        notes = "".join(f"; {note}" for note in self.notes)
        return f"{self.name}: {self.passed} passed, {self.failed} failed{notes}"


class NotRun(Exception):
    """The machine does not have what this needs."""


def clean_env(**more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("MINGJIAN_")}
    env.update({k: str(v) for k, v in more.items()})
    return env


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Database:
    """A PostgreSQL database of its own in a cluster of the harness."""

    cluster = None

    def __init__(self, server, name):
        self.server, self.name = server, name
        self.url = server.rsplit("/", 1)[0] + "/" + name

    @classmethod
    def start(cls):
        if os.environ.get(SERVER):
            return os.environ[SERVER]
        if cls.cluster is None:
            folder = WORK / "pg"
            ran = subprocess.run([str(ROOT / "scripts/postgres.sh"), "start", str(folder), str(free_port())],
                                 capture_output=True, text=True)
            if ran.returncode != 0:
                raise NotRun("PostgreSQL is not installed")
            cls.cluster = (folder, ran.stdout.strip().splitlines()[-1])
        return cls.cluster[1]

    @classmethod
    def new(cls, template="template1"):
        server = cls.start()
        name = "mj_" + uuid.uuid4().hex[:12]
        psql(server, f"CREATE DATABASE {name} TEMPLATE {template}")
        return cls(server, name)

    @classmethod
    def stop(cls):
        if cls.cluster:
            subprocess.run([str(ROOT / "scripts/postgres.sh"), "stop", str(cls.cluster[0])])


def psql(url, sql):
    ran = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", url, "-c", sql], capture_output=True, text=True)
    if ran.returncode != 0:
        raise RuntimeError(ran.stderr)
    return ran.stdout.strip()


class House:
    """A data directory, and for PostgreSQL a database."""

    def __init__(self, data, database=None):
        self.data, self.database = Path(data), database

    def env(self, **more):
        if self.database:
            more["MINGJIAN_DATABASE_URL"] = self.database.url
        return clean_env(**more)

    def run(self, *args, env=None, input=None, timeout=120):
        more = env or {}
        return subprocess.run([BINARY, *map(str, args)], capture_output=True, text=True, timeout=timeout,
                              input=input, env=self.env(MINGJIAN_DATA_DIR=self.data, **more))

    def copy(self, to=None):
        to = Path(to) if to else WORK / uuid.uuid4().hex[:8]
        shutil.copytree(self.data, to / "data")
        return House(to / "data", Database.new(self.database.name) if self.database else None)

    def query(self, sql):
        """Rows, as text on both databases."""
        if self.database:
            said = psql(self.database.url, sql)
            return [line.split("|") for line in said.splitlines()] if said else []
        db = sqlite3.connect(f"file:{self.data}/db/mingjian.sqlite3?mode=ro", uri=True, timeout=30)
        try:
            return [["" if v is None else str(v) for v in row] for row in db.execute(sql)]
        finally:
            db.close()

    def serve(self, env=None, patience=60):
        return Node(self, env or {}, patience)


class Node:
    # every process that was started, so that none outlives a part that failed
    started = []

    def __init__(self, house, env, patience):
        self.house, self.port = house, free_port()
        self.log = open(WORK / f"node-{self.port}-{uuid.uuid4().hex[:4]}.log", "w+b")
        since = time.monotonic()
        self.child = subprocess.Popen([BINARY, "serve", "--port", str(self.port)], stdout=subprocess.DEVNULL,
                                      stderr=self.log, env=house.env(MINGJIAN_DATA_DIR=house.data, **env))
        Node.started.append(self.child)
        while True:
            if self.child.poll() is not None:
                raise RuntimeError(f"the node ended with {self.child.returncode}: {self.said()}")
            try:
                if self.ask("GET", "/healthz", timeout=2)[0] == 200:
                    break
            except OSError:
                pass
            if time.monotonic() - since > patience:
                self.kill()
                raise RuntimeError(f"the node does not answer: {self.said()}")
            time.sleep(0.02)
        self.took = time.monotonic() - since

    def said(self):
        self.log.flush()
        return Path(self.log.name).read_text(errors="replace")

    def ask(self, method, path, body=None, token=None, key=None, timeout=60):
        """Status and JSON; OSError when there is no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        headers = {}
        if token:
            headers["authorization"] = f"Bearer {token}"
        if body is not None:
            headers["content-type"] = "application/json"
            body = json.dumps(body, ensure_ascii=False).encode()
            headers["idempotency-key"] = key or str(uuid.uuid4())
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text.decode(errors="replace")

    def must(self, status, *args, **more):
        got = self.ask(*args, **more)
        if got[0] != status:
            trace = got[1].get("trace_id") if isinstance(got[1], dict) else None
            why = [line for line in self.said().splitlines() if trace and trace in line]
            raise RuntimeError(f"{args[:2]}: {got} {why}")
        return got[1]

    def kill(self):
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        return self.child.wait(timeout=40)

    def settled(self, token, href, patience=120):
        until = time.monotonic() + patience
        while time.monotonic() < until:
            batch = self.must(200, "GET", href, token=token)
            if batch["state"] in ("settled", "failed"):
                return batch
            time.sleep(0.1)
        raise RuntimeError(f"{href} does not settle")


def totp(uri):
    secret = re.search(r"secret=([A-Z2-7]+)", uri)[1]
    digest = {"SHA1": "sha1", "SHA256": "sha256"}.get((re.search(r"algorithm=(\w+)", uri) or [0, "SHA1"])[1], "sha1")
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    mac = hmac.new(key, struct.pack(">Q", int(time.time()) // 30), digest).digest()
    at = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7FFFFFFF) % 10**6:06d}"


def secret(login):
    return f"{login[::-1]}-滕州大白菜42"


def login(node, name):
    session = node.must(201, "POST", "/api/v1/sessions", {"login": name, "password": secret(name)})
    if session["state"] == "active":
        return session["token"]
    path = "/api/v1/sessions/current/second-factor"
    offer = node.must(200, "POST", f"{path}/offer", {}, token=session["token"])
    return node.must(200, "POST", f"{path}/confirm", {"totp": totp(offer["uri"])}, token=session["token"])["token"]


def leave_nobody():
    for child in Node.started:
        if child.poll() is None:
            child.kill()
            child.wait()
    Node.started.clear()


class People:
    operator = source = None


_furnished = {}


def furnished(postgres=False):
    """A house with accounts and a source, made as a new owner makes it; a copy for each caller."""
    if postgres not in _furnished:
        _furnished[postgres] = made_before(postgres) or made_now(postgres)
    house, people = _furnished[postgres]
    return house.copy(), people


def made_now(postgres):
    data = WORK / f"furnished-{'pg' if postgres else 'sqlite'}"
    data.mkdir()
    house = House(data, Database.new() if postgres else None)
    return house, furnish(house)


def made_before(postgres):
    """What the process that started this one has furnished."""
    told = json.loads(os.environ.get(FURNISHED) or "{}").get("pg" if postgres else "sqlite")
    if not told:
        return None
    people = People()
    people.operator, people.source = told["operator"], told["source"]
    database = Database(os.environ[SERVER], told["database"]) if postgres else None
    return House(told["data"], database), people


def furnish_for_others(postgres):
    for kind in (False, True) if postgres else (False,):
        try:
            _furnished[kind] = made_now(kind)
        except NotRun:
            pass


def for_others():
    """The environment in which parts find what is furnished, and the server its databases are in."""
    told = {"pg" if house.database else "sqlite":
            {"data": str(house.data), "operator": people.operator, "source": people.source,
             "database": house.database.name if house.database else None}
            for house, people in _furnished.values()}
    env = {FURNISHED: json.dumps(told), "MJ_SEED": str(SEED)}
    return {**env, SERVER: Database.cluster[1]} if Database.cluster else env


def furnish(house):
    people = People()
    node = house.serve()
    codes = {}
    for line in node.said().splitlines():
        if "：" in line and line.strip().startswith(("系统管理员", "安全管理员", "审计管理员")):
            title, code = line.strip().split("：")
            codes[title] = code
    logins = dict(zip(("系统管理员", "安全管理员", "审计管理员"), ("sys-admin", "sec-admin", "audit-admin")))
    for title, name in logins.items():
        node.must(201, "POST", "/api/v1/enrolments",
                  {"code": codes[title], "login": name, "password": secret(name), "name": name})
    system, security = login(node, "sys-admin"), login(node, "sec-admin")
    node.must(201, "POST", "/api/v1/access/agencies",
              {"uscc": AGENCY, "name": "枣庄市市场监督管理局", "area_number": "370400", "line": "31",
               "nature": "1", "valid_from": "2010-01-01"}, token=system)
    made = node.must(201, "POST", "/api/v1/access/accounts",
                     {"login": "operator", "name": "数据汇聚管理员"}, token=system)
    node.must(201, "POST", "/api/v1/enrolments",
              {"code": made["activation_code"], "login": "operator", "password": secret("operator")})
    # a role that only two may give
    requests = "/api/v1/access/grant-requests"
    asked = node.must(201, "POST", requests, {"account_id": made["id"], "role": "datahub_operator",
                                              "areas": ["370000"], "reason": "汇聚数据"}, token=security)
    node.must(200, "POST", f"{requests}/{asked['id']}/confirm", {"version": asked["version"]},
              token=login(node, "audit-admin"))
    people.operator = login(node, "operator")
    node.must(201, "POST", "/api/v1/datahub/sources", new_source(SOURCE), token=people.operator)
    people.source = node.must(201, "POST", f"/api/v1/datahub/sources/{SOURCE}/token", {},
                              token=people.operator)["token"]
    if node.stop() != 0:
        raise RuntimeError(node.said())
    return people


def new_source(cd_source):
    return {"cd_source": cd_source, "name": "业务系统", "kind": "agency", "agency": AGENCY,
            "agency_name": "枣庄市市场监督管理局", "area": "370400", "priority": 10,
            "channels": ["file", "push", "upload", "manual"], "tables": []}


def uscc(number):
    body = f"MA{number:06d}"
    total = sum(int(c, 36) * w for c, w in zip(body, (3, 7, 9, 10, 5, 8, 4, 2)))
    code = "91370402" + body + "0123456789X0"[11 - total % 11]
    alphabet, total, weight = "0123456789ABCDEFGHJKLMNPQRTUWXY", 0, 1
    for c in code:
        total, weight = total + weight * alphabet.index(c), weight * 3 % 31
    return code + alphabet[(31 - total % 31) % 31]


def beijing(offset=0):
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + 8 * 3600 + offset))


def inspection(number):
    return {"cd_id": f"A-{number}", "cd_time": beijing(-60), "cd_operation": "i", "plan_id": "P-2025-01",
            "supervise_item_implement_code": "31010001000001",
            "supervise_item_check_icode": "11370400004400001P331010001000001",
            "check_action_name": "对某公司进行食品经营的检查", "check_action_code": f"J-{number:07d}",
            "area_number": "370402", "implement_institution": "枣庄市市场监督管理局",
            "implement_institution_code": AGENCY, "administrative_cp": "枣庄恒达商贸有限公司",
            "administrative_cp_na": "02", "administrative_cp_ce_type": "001",
            "administrative_cp_ui_code": uscc(number % 900_000),
            "supervise_object": "枣庄恒达商贸有限公司", "check_form": "01", "check_type": "01", "check_mode": "1",
            "check_result": "01", "check_date": "2025-06-18", "check_personnel": "张三;李四",
            "check_personnel_code": "15040100001;15040100002", "check_item_result": "1;1;4",
            "check_document_code": f"枣市监检〔2025〕{number}号"}


def delivery(batch, first, rows):
    # five digits a day: later ones go on with the day before
    day = time.strftime("%Y%m%d", time.gmtime(time.time() + 8 * 3600 - 86400 * (batch // 90_000)))
    return {"table": "check_action", "cd_source": SOURCE, "cd_batch": f"{day}{batch % 90_000 + 1:05d}",
            "rows": [inspection(first + i) for i in range(rows)]}


class Clients:
    """Clients at full speed, each with ids of its own; what was acknowledged is kept here."""

    def __init__(self, people, start=0, rows=(1, 120), acts=True):
        self.people, self.rows, self.acts = people, rows, acts
        self.next, self.lock = start, threading.Lock()
        self.acknowledged, self.sources = {}, {}
        self.open, self.open_sources = {}, {}
        # of its own faults the node told, by the numbers under which it logged their causes
        self.traces = set()

    def number(self):
        with self.lock:
            self.next += 1
            return self.next

    def run(self, node, seconds, clients=8, at_end=None):
        over = threading.Event()
        threads = [threading.Thread(target=self._work, args=(node, over, n), daemon=True) for n in range(clients)]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        ended = at_end() if at_end else None
        over.set()
        for thread in threads:
            thread.join()
        return ended

    def _work(self, node, over, n):
        while not over.is_set():
            try:
                if self.acts and n % 4 == 3:
                    self._act(node)
                else:
                    self._push(node)
            except OSError:
                if over.wait(0.02):
                    return

    def _push(self, node):
        with self.lock:
            waiting = next(iter(self.open), None)
            key, body = (waiting, self.open.pop(waiting)) if waiting else (None, None)
        if key is None:
            number = self.number()
            key = str(uuid.uuid4())
            body = delivery(number, number * 1000, chance.randint(*self.rows))
        try:
            status, answer = node.ask("POST", "/api/v1/datahub/batches", body, token=self.people.source, key=key)
        except OSError:
            with self.lock:
                self.open[key] = body
            raise
        with self.lock:
            if status == 202:
                self.acknowledged[answer["batch_id"]] = (body, answer["href"])
            else:
                self.open[key] = body
                self._refused(status, answer)
        if status != 202:
            time.sleep(0.02)

    def _act(self, node):
        with self.lock:
            waiting = next(iter(self.open_sources), None)
            key = self.open_sources.pop(waiting) if waiting else None
        name = waiting or f"370400_{self.number():06d}"
        key = key or str(uuid.uuid4())
        try:
            status, answer = node.ask("POST", "/api/v1/datahub/sources", new_source(name),
                                      token=self.people.operator, key=key)
        except OSError:
            with self.lock:
                self.open_sources[name] = key
            raise
        with self.lock:
            if status == 201:
                self.sources[name] = answer.get("id") or name
            elif status != 409:
                self.open_sources[name] = key
                self._refused(status, answer)

    def _refused(self, status, answer):
        if status == 500:
            self.traces.add(answer["trace_id"])

    def faults(self, node):
        """What the node logged where it told of a fault of its own: a store that is away or full is none."""
        return [line for line in node.said().splitlines() if any(trace in line for trace in self.traces)]

    def retry(self, node, patience=60):
        """What got no answer is asked again under its own id."""
        until = time.monotonic() + patience
        while (self.open or self.open_sources) and time.monotonic() < until:
            try:
                if self.open:
                    self._push(node)
                if self.open_sources:
                    self._act(node)
            except OSError:
                time.sleep(0.1)


def body_digest(body):
    return hashlib.sha256(json.dumps(body, ensure_ascii=False).encode()).hexdigest()


def all_there(house, clients):
    """What was acknowledged and is not there exactly once, with the digest that was sent."""
    wrong = []
    batches = {}
    for cd_batch, id, digest in house.query("SELECT cd_batch, id, body_sha256 FROM hub_batch"):
        batches.setdefault(cd_batch, []).append((id, digest))
    for id, (body, _) in clients.acknowledged.items():
        found = batches.get(body["cd_batch"], [])
        if len(found) != 1 or found[0][0] != id:
            wrong.append(f"batch {body['cd_batch']} acknowledged as {id}, found {found}")
    blobs = {row[0] for row in house.query("SELECT id FROM blob")}
    for found in batches.values():
        wrong += [f"batch {id} without its delivery" for id, digest in found if digest not in blobs]
    sources = {}
    for (name,) in house.query("SELECT cd_source FROM hub_source"):
        sources[name] = sources.get(name, 0) + 1
    wrong += [f"source {name}: {sources.get(name, 0)}" for name in clients.sources if sources.get(name) != 1]
    return wrong


def is_sound(house, count, say, doctor=True):
    ran = house.run("verify")
    count.check(ran.returncode == 0, f"{say}: verify {ran.returncode} {ran.stdout[:600]} {ran.stderr[-300:]}")
    if doctor:
        ran = house.run("doctor")
        # the harness's own disks are small, and a node that was stopped under load leaves work for its start
        besides = ("注意\t磁盘", "注意\t任务队列", "注意\t通知队列", "正常")
        said = [line for line in ran.stdout.splitlines() if not line.startswith(besides)]
        count.check(not said and ran.returncode in (0, 1), f"{say}: doctor {ran.returncode} {said[:5]} {ran.stderr[-300:]}")


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise NotRun(f"{program} is missing")


def shim():
    """A library put before the system's own: swallows or fails `fsync` (see shim.c)."""
    need("cc")
    out = WORK / "shim.so"
    if not out.exists():
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(out), str(Path(__file__).parent / "shim.c"), "-ldl"],
                       check=True)
    return str(out)


class Disk:
    """An ext4 of its own behind a loop device, which can lose its power."""

    def __init__(self, megabytes, journal=True):
        if os.geteuid() != 0:
            raise NotRun("needs root for a loop mount")
        need("mkfs.ext4", "losetup")
        self.image, self.place = WORK / f"{uuid.uuid4().hex[:6]}.img", WORK / f"mnt-{uuid.uuid4().hex[:6]}"
        with open(self.image, "wb") as f:
            f.truncate(megabytes << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", str(self.image)], check=True)
        self.place.mkdir()
        self.mount()

    def mount(self):
        ran = subprocess.run(["mount", "-o", "loop", str(self.image), str(self.place)], capture_output=True, text=True)
        if ran.returncode != 0:
            raise NotRun("no loop device: " + ran.stderr.strip())

    def cut(self):
        """What was not flushed is gone; nothing goes to the disk any more."""
        import fcntl
        fd = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, 0x8004587D, struct.pack("I", 2))
        finally:
            os.close(fd)

    def unmount(self):
        for _ in range(100):
            if subprocess.run(["umount", str(self.place)], capture_output=True).returncode == 0:
                return
            time.sleep(0.05)
        raise RuntimeError("the disk stays busy")

    def remove(self):
        leave_nobody()
        subprocess.run(["umount", "-l", str(self.place)], capture_output=True)
        self.image.unlink(missing_ok=True)
