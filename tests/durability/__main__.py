"""Durability, told by programs: `python3 tests/durability [--long] [NAME…]`.

Each part prints `NAME: N passed, N failed`; the last line is `durability: N passed, N failed`. What the
machine cannot do is said as "not run: why". MJ_SEED repeats a run's moments.
"""
import os, shutil, signal, sys, time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kit
import backups, cuts, disk, flips, keys, kills, migrations, pitr

PARTS = [
    ("R1", lambda long: kills.run(long)),
    ("R1-postgres", lambda long: kills.run(long, postgres=True)),
    ("R2", lambda long: cuts.run(long)),
    ("R2-postgres", lambda long: cuts.run_postgres(long)),
    ("R3", lambda long: disk.run(long)),
    ("R4", lambda long: flips.run(long)),
    ("R9", lambda long: backups.run(long)),
    ("R9-postgres", lambda long: pitr.run(long)),
    ("R11", lambda long: migrations.run(long)),
    ("R11-postgres", lambda long: migrations.run(long, postgres=True)),
    ("keys", lambda long: keys.run(long)),
    ("keys-postgres", lambda long: keys.run(long, postgres=True)),
]


def main():
    long = "--long" in sys.argv or os.environ.get("MJ_LONG") == "1"
    wanted = [a for a in sys.argv[1:] if not a.startswith("-")]
    passed = failed = 0
    skipped = []
    if not os.path.exists(kit.BINARY):
        print(f"durability: not run: {kit.BINARY} is not built")
        return 3
    for name, part in PARTS:
        if wanted and name not in wanted:
            continue
        since = time.monotonic()
        try:
            count = part(long)
            print(f"{count.line()} ({time.monotonic() - since:.0f} s)", flush=True)
            passed, failed = passed + count.passed, failed + count.failed
        except kit.NotRun as why:
            skipped.append(name)
            print(f"{name}: not run: {why}", flush=True)
        except Exception as error:
            failed += 1
            import traceback
            traceback.print_exc()
            print(f"{name}: 0 passed, 1 failed ({error})", flush=True)
        finally:
            kit.leave_nobody()
    more = f" (not run: {', '.join(skipped)})" if skipped else ""
    print(f"durability: {passed} passed, {failed} failed{more}", flush=True)
    return 1 if failed else 0


# a signal to stop leaves no processes, mounts or folders behind
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
try:
    code = main()
finally:
    kit.leave_nobody()
    kit.Database.stop()
    shutil.rmtree(kit.WORK, ignore_errors=True)
sys.exit(code)
