"""Durability, told by programs: `python3 tests/durability [--long] [NAME…]`.

Each part prints `NAME: N passed, N failed`; the last line is `durability: N passed, N failed`. What the
machine cannot do is said as "not run: why". MJ_SEED repeats a run's moments. Parts know nothing of each
other, so each is a process of its own and as many run at once as there are cores (MJ_JOBS says otherwise);
what they begin with is furnished once.
"""
import json, os, shutil, signal, subprocess, sys, threading, time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kit
import backups, cuts, disk, flips, keys, kills, migrations, pitr

# the longest first, so that none of them is left alone at the end
PARTS = {
    "R9-postgres": lambda long: pitr.run(long),
    "R3-postgres": lambda long: disk.run_postgres(long),
    "R1": lambda long: kills.run(long),
    "R3": lambda long: disk.run(long),
    "R2": lambda long: cuts.run(long),
    "R4-postgres": lambda long: flips.run_postgres(long),
    "R11-postgres": lambda long: migrations.run(long, postgres=True),
    "keys-postgres": lambda long: keys.run(long, postgres=True),
    "R9": lambda long: backups.run(long),
    "R4": lambda long: flips.run(long),
    "R1-postgres": lambda long: kills.run(long, postgres=True),
    "R11": lambda long: migrations.run(long),
    "R2-postgres": lambda long: cuts.run_postgres(long),
    "keys": lambda long: keys.run(long),
}


def one(name, long):
    """One part in this process; what came of it as the last line, for whoever started it."""
    since = time.monotonic()
    told = {"passed": 0, "failed": 0, "skipped": False}
    try:
        count = PARTS[name](long)
        line = f"{count.line()} ({time.monotonic() - since:.0f} s)"
        told.update(passed=count.passed, failed=count.failed)
    except kit.NotRun as why:
        line = f"{name}: not run: {why}"
        told["skipped"] = True
    except Exception as error:
        import traceback
        traceback.print_exc()
        line = f"{name}: 0 passed, 1 failed ({error})"
        told["failed"] = 1
    finally:
        kit.leave_nobody()
    print(json.dumps({**told, "line": line}), flush=True)


def all_of(names, long):
    on_postgres = any("postgres" in name for name in names)
    kit.furnish_for_others(on_postgres)
    env = {**os.environ, **kit.for_others(), **(pitr.template() if on_postgres else {})}
    waiting, lock, total = list(names), threading.Lock(), {"passed": 0, "failed": 0, "skipped": []}

    def work():
        while True:
            with lock:
                if not waiting:
                    return
                name = waiting.pop(0)
            arguments = [sys.executable, os.path.dirname(os.path.abspath(__file__)), f"--part={name}"]
            child = subprocess.Popen(arguments + ["--long"] * long, stdout=subprocess.PIPE, text=True, env=env)
            started.append(child)
            said = child.communicate()[0].strip().splitlines()
            try:
                told = json.loads(said[-1])
            except (IndexError, ValueError):
                told = {"passed": 0, "failed": 1, "skipped": False, "line": f"{name}: 0 passed, 1 failed (it broke off)"}
            with lock:
                print(told["line"], flush=True)
                total["passed"] += told["passed"]
                total["failed"] += told["failed"]
                total["skipped"] += [name] * told["skipped"]

    workers = [threading.Thread(target=work) for _ in range(int(os.environ.get("MJ_JOBS") or os.cpu_count() or 1))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    more = f" (not run: {', '.join(total['skipped'])})" if total["skipped"] else ""
    print(f"durability: {total['passed']} passed, {total['failed']} failed{more}", flush=True)
    return 1 if total["failed"] else 0


def main():
    long = "--long" in sys.argv or os.environ.get("MJ_LONG") == "1"
    part = next((a.split("=", 1)[1] for a in sys.argv[1:] if a.startswith("--part=")), None)
    if not os.path.exists(kit.BINARY):
        print(f"durability: not run: {kit.BINARY} is not built")
        return 3
    if part:
        one(part, long)
        return 0
    wanted = [a for a in sys.argv[1:] if not a.startswith("-")]
    return all_of([name for name in PARTS if not wanted or name in wanted], long)


started = []


def no_more(*_):
    for child in started:
        if child.poll() is None:
            child.terminate()
    sys.exit(143)


# a signal to stop leaves no processes, mounts or folders behind
signal.signal(signal.SIGTERM, no_more)
try:
    code = main()
finally:
    kit.leave_nobody()
    kit.Database.stop()
    shutil.rmtree(kit.WORK, ignore_errors=True)
sys.exit(code)
