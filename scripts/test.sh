#!/usr/bin/env bash
# make test: Rust on SQLite, the same on PostgreSQL, front-end units, stories in a browser.
# Closes with one line each (durability, sqlite, postgres, web, browser): `name: N passed, N failed`. What cannot run here says "not run: why";
# MJ_REQUIRE=postgres,chromium turns that into a failure. `scripts/test.sh browser` runs one part (rust, durability, browser);
# MJ_LONG=1 makes it the long form.
set -uo pipefail
cd "$(dirname "$0")/.."
only=${1:-all}
work=$(mktemp -d)
chmod 755 "$work"
red=0
declare -A line
finish() {
  [ -n "${server:-}" ] && kill "$server" 2>/dev/null && wait "$server" 2>/dev/null
  for dir in "$work"/postgres*; do [ -d "$dir" ] && scripts/postgres.sh stop "$dir"; done
  rm -rf "$work"
}
trap finish EXIT
required() { case ",${MJ_REQUIRE:-}," in *",$1,"*) return 0 ;; *) return 1 ;; esac; }
not_run() { line[$1]="not run: $3"; required "$2" && red=1; return 0; }
free_port() { python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])' 2>/dev/null || echo $((20000 + RANDOM % 20000)); }

# sums cargo's "test result:" lines
counted() { awk '/^test result:/ { for (i = 1; i <= NF; i++) { if ($i ~ /^passed/) p += $(i-1); if ($i ~ /^failed/) f += $(i-1) } } END { printf "%d passed, %d failed", p, f }' "$1"; }

rust() { # name
  # to the end even when one crate is red: the first failure is seldom the only one
  cargo test --workspace --locked --no-fail-fast 2>&1 | tee "$work/$1.log"
  local code=${PIPESTATUS[0]}
  line[$1]=$(counted "$work/$1.log")
  [ "$code" -eq 0 ] || red=1
}

scripts/setup.sh

if [ "$only" = all ] || [ "$only" = rust ]; then
  unset MJ_TEST_DATABASE_URL
  rust sqlite
  if url=$(scripts/postgres.sh start "$work/postgres" "$(free_port)"); then
    MJ_TEST_DATABASE_URL=$url rust postgres
    if [ "${line[sqlite]}" != "${line[postgres]}" ]; then
      echo "the two databases did not run the same tests" >&2
      red=1
    fi
  else
    not_run postgres postgres "PostgreSQL is not installed"
  fi
fi
if [ "$only" = all ]; then
  if make -s web/node_modules/.installed; then
    (cd web && npm test 2>&1) | tee "$work/web.log"
    [ "${PIPESTATUS[0]}" -eq 0 ] || red=1
    plain=$(sed 's/\x1b\[[0-9;]*m//g' "$work/web.log" | grep -E '^ *Tests ' | tail -n 1)
    passed=$(grep -oE '[0-9]+ passed' <<<"$plain" | head -n 1 | cut -d' ' -f1)
    failed=$(grep -oE '[0-9]+ failed' <<<"$plain" | head -n 1 | cut -d' ' -f1)
    line[web]="${passed:-0} passed, ${failed:-0} failed"
  else
    line[web]="0 passed, 1 failed"; red=1
  fi
fi

# Kills, power cuts, failing disks, flipped bytes, restores: the short forms, on the debug binary.
durability() {
  command -v python3 >/dev/null || { line[durability]="not run: python3 is not installed"; return; }
  cargo build --workspace --locked || { line[durability]="0 passed, 1 failed"; red=1; return; }
  python3 tests/durability | tee "$work/durability.log"
  [ "${PIPESTATUS[0]}" -eq 0 ] || red=1
  line[durability]=$(sed -n 's/^durability: //p' "$work/durability.log" | tail -n 1)
  [ -n "${line[durability]}" ] || { line[durability]="0 passed, 1 failed"; red=1; }
}
if [ "$only" = all ] || [ "$only" = durability ]; then durability; fi

# fills a demonstration city and walks stories in it: stories NAME DATABASE-URL-or-'' WHICH...
stories() {
  local name=$1 url=$2 port data=$work/city-$1 ready=0
  shift 2
  port=$(free_port)
  if [ -n "$url" ]; then export MINGJIAN_DATABASE_URL=$url; else unset MINGJIAN_DATABASE_URL; fi
  target/debug/mingjian demo --data-dir "$data" --port "$port" --size small >"$work/server-$name.log" 2>&1 &
  server=$!
  unset MINGJIAN_DATABASE_URL
  for _ in $(seq 1 600); do
    kill -0 "$server" 2>/dev/null || break
    curl -fs "http://localhost:$port/healthz" >/dev/null 2>&1 && { ready=1; break; }
    sleep 0.5
  done
  if [ "$ready" -ne 1 ]; then
    tail -n 50 "$work/server-$name.log" >&2
    browser_failed=$((browser_failed + 1)); red=1
  else
    (cd web && MJ_BASE="http://localhost:$port" MJ_ACCOUNTS="$data/demo-accounts.json" npm run -s e2e -- "$@" 2>&1) | tee "$work/browser.log"
    [ "${PIPESTATUS[0]}" -eq 0 ] || red=1
    local said passed failed
    said=$(sed 's/\x1b\[[0-9;]*m//g' "$work/browser.log" | grep -oE 'browser: [0-9]+ passed, [0-9]+ failed' | tail -n 1)
    passed=$(grep -oE '[0-9]+ passed' <<<"$said" | cut -d' ' -f1)
    failed=$(grep -oE '[0-9]+ failed' <<<"$said" | cut -d' ' -f1)
    browser_passed=$((browser_passed + ${passed:-0}))
    browser_failed=$((browser_failed + ${failed:-1}))
  fi
  kill "$server" 2>/dev/null && wait "$server" 2>/dev/null
  server=
}

# All stories on SQLite; the main story, from the department's file to the public record, on
# PostgreSQL too.
browser() {
  command -v chromium >/dev/null || { not_run browser chromium "Chromium is not installed"; return; }
  make -s web || { line[browser]="0 passed, 1 failed"; red=1; return; }
  # the faces are embedded, so the binary is built after them
  cargo build --workspace --locked || { line[browser]="0 passed, 1 failed"; red=1; return; }
  browser_passed=0 browser_failed=0
  stories sqlite ""
  local url
  if [ -d "$work/postgres" ]; then scripts/postgres.sh stop "$work/postgres"; fi
  if url=$(scripts/postgres.sh start "$work/postgres-browser" "$(free_port)"); then
    echo "== the main story on PostgreSQL"
    stories postgres "$url" main
    scripts/postgres.sh stop "$work/postgres-browser"
  else
    echo "browser stories on PostgreSQL: not run: PostgreSQL is not installed"
    required postgres && red=1
  fi
  line[browser]="$browser_passed passed, $browser_failed failed"
}
if [ "$only" = all ] || [ "$only" = browser ]; then browser; fi

echo
[ -n "${line[durability]:-}" ] && echo "durability: ${line[durability]}"
for name in sqlite postgres web browser; do
  [ -n "${line[$name]:-}" ] && echo "$name: ${line[$name]}"
done
exit $red
