#!/usr/bin/env bash
# make bench: twice a million behaviour rows with stated error rates (once with as many subjects as a city
# has, once with nearly every other row about somebody new) through the whole chain (blob, read,
# check, seal, mentions, facts, link), on SQLite and, where it is installed, PostgreSQL.
#   scripts/bench.sh [ROWS]      RUNS=3 by default
# Prints the machine, sizes, versions, rows/s, CPU seconds and peak memory of each run. Needs the
# release build, python3 (also for the slow reference), and about 3 GB below TMPDIR.
set -euo pipefail
cd "$(dirname "$0")/.."
rows=${1:-1000000}
runs=${RUNS:-3}
bin=target/release/mingjian
make_file=target/release/bench_file
log_bench=target/release/bench_log
source=370400_31
for need in "$bin" "$make_file" "$log_bench"; do
  [ -x "$need" ] || { echo "$need is missing: cargo build --release --workspace --locked" >&2; exit 2; }
done
command -v python3 >/dev/null || { echo "not run: python3 is not installed" >&2; exit 3; }

work=$(mktemp -d "${TMPDIR:-/tmp}/mingjian-bench.XXXXXX")
chmod 755 "$work"
node=
finish() {
  [ -n "$node" ] && kill "$node" 2>/dev/null && wait "$node" 2>/dev/null
  [ -d "$work/postgres" ] && scripts/postgres.sh stop "$work/postgres"
  rm -rf "$work"
}
trap finish EXIT
free_port() { python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])'; }

# runs a command; prints its wall seconds, CPU seconds and peak memory, and keeps what it said
cat >"$work/measure.py" <<'PY'
import os, sys, time
said, rest = sys.argv[1], sys.argv[2:]
start = time.monotonic()
child = os.fork()
if child == 0:
    out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(out, 1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    os.execvp(rest[0], rest)
_, status, used = os.wait4(child, 0)
wall = time.monotonic() - start
print(f"{wall:.2f} {used.ru_utime + used.ru_stime:.2f} {used.ru_maxrss // 1024} {os.waitstatus_to_exitcode(status)}")
PY

echo "== machine"
grep -m1 'model name' /proc/cpuinfo 2>/dev/null | sed 's/.*: */cpu      /' || true
echo "cores    $(nproc)"
awk '/MemTotal/ { printf "memory   %.1f GiB\n", $2 / 1048576 }' /proc/meminfo
echo "load     $(cut -d' ' -f1-3 /proc/loadavg) (before)"
echo "system   $(. /etc/os-release 2>/dev/null && echo "${PRETTY_NAME:-}"), Linux $(uname -r)"
echo "commit   $(git rev-parse --short HEAD 2>/dev/null || echo unknown)$(git diff --quiet HEAD -- crates 2>/dev/null || echo ' with changes')"
echo "versions $("$bin" --version), $(rustc --version 2>/dev/null || echo 'rustc not here'), $(python3 --version)"

echo "== supervision log, on one core"
"$log_bench" 1000000

echo "== files: subjects as a city has them, and the worst of first loads"
"$make_file" "$rows" "$work/city.csv"
"$make_file" "$rows" "$work/many.csv" many

prepare() { # DATA-DIR: a node that holds the demonstration city and ends again
  "$bin" demo --data-dir "$1" --port "$(free_port)" --size small >"$work/demo.log" 2>&1 &
  node=$!
  for _ in $(seq 600); do
    [ -f "$1/demo-accounts.json" ] && break
    kill -0 "$node" 2>/dev/null || { cat "$work/demo.log" >&2; exit 1; }
    sleep 0.5
  done
  kill "$node" && wait "$node" || true
  node=
}

one_run() { # NAME DATA-DIR FILE
  local wall cpu memory code
  read -r wall cpu memory code < <(python3 "$work/measure.py" "$work/said.json" \
    "$bin" import check_action "$work/$3.csv" --source "$source" --data-dir "$2")
  [ "$code" -le 1 ] || { echo "import ended with $code" >&2; cat "$work/said.json" >&2; exit 1; }
  python3 - "$1" "$work/said.json" "$rows" "$wall" "$cpu" "$memory" <<'PY'
import json, sys
name, said, rows, wall, cpu, memory = sys.argv[1:]
counts = json.load(open(said))["counts"]
rest = counts["front"] - sum(counts[k] for k in ("pending", "correct", "error", "duplicate", "superseded"))
assert counts["front"] == int(rows) and rest == 0 and counts["pending"] == 0, counts
print(f"{name}: {int(rows) / float(wall):,.0f} rows/s, {wall} s, {cpu} CPU s, peak {memory} MiB;", end=" ")
print(", ".join(f"{k} {counts[k]:,}" for k in ("correct", "error", "duplicate", "superseded")))
PY
  echo "$1 $wall $cpu $memory" >>"$work/figures"
}

summary() { # NAME
  python3 - "$1" "$work/figures" "$rows" <<'PY'
import statistics, sys
name, figures, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
runs = [line.split()[1:] for line in open(figures) if line.split()[0] == name]
def spread(values, form):
    return " / ".join(form.format(f(values)) for f in (min, statistics.median, max))
print(f"{name}, {len(runs)} runs, min / median / max: "
      f"{spread([rows / float(r[0]) for r in runs], '{:,.0f}')} rows/s; "
      f"{spread([float(r[1]) for r in runs], '{:.1f}')} CPU s; "
      f"{spread([int(r[2]) for r in runs], '{}')} MiB")
PY
}

echo "== SQLite"
prepare "$work/seed"
for file in city many; do
  for run in $(seq "$runs"); do
    rm -rf "$work/data"
    cp -r "$work/seed" "$work/data"
    sync
    one_run "sqlite-$file" "$work/data" "$file"
  done
  "$bin" doctor --data-dir "$work/data"
  summary "sqlite-$file"
done
rm -rf "$work/data" "$work/seed"

echo "== PostgreSQL"
if url=$(scripts/postgres.sh start "$work/postgres" "$(free_port)" 2>&1); then
  # one run: a second import of the same bytes would be recognised as the first
  export MINGJIAN_DATABASE_URL=$url
  prepare "$work/pg"
  one_run postgres-city "$work/pg" city
  unset MINGJIAN_DATABASE_URL
  echo "(the server's own CPU and memory not counted; fsync off)"
else
  echo "not run: $url"
fi

echo "== the slow reference, 10,000 rows"
"$make_file" 10000 "$work/small.csv" >/dev/null
read -r wall cpu memory code < <(python3 "$work/measure.py" "$work/said.json" \
  python3 tools/reference.py "$work/small.spec.json" "$work/small.csv" \
  --source "$source" --now "2026-11-20 10:00:00")
[ "$code" -eq 0 ] || { echo "tools/reference.py ended with $code" >&2; exit 1; }
echo "reference.py: $(python3 -c "print(f'{10000 / $wall:,.0f}')") rows/s, $wall s, $cpu CPU s, peak $memory MiB; checks and counts only: no store, no linking"
echo "load     $(cut -d' ' -f1-3 /proc/loadavg) (after)"
