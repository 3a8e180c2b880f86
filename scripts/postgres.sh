#!/usr/bin/env bash
# Starts a PostgreSQL of its own for the tests and prints its URL; `stop` ends it.
#   scripts/postgres.sh start DIR PORT | scripts/postgres.sh stop DIR
# As root the server runs as the user postgres, because PostgreSQL refuses root.
set -eu
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$bin" ] || { echo "PostgreSQL is not installed" >&2; exit 3; }
as() { if [ "$(id -u)" -eq 0 ]; then su postgres -s /bin/bash -c "$1"; else bash -c "$1"; fi; }
case "$1" in
  start)
    dir=$2 port=$3
    mkdir -p "$dir"
    [ "$(id -u)" -eq 0 ] && chown postgres "$dir"
    as "$bin/initdb -D '$dir/pg' -A trust -U postgres -E UTF8 --locale=C.UTF-8 >/dev/null"
    # a test database is thrown away, so it need not survive a power cut
    as "$bin/pg_ctl -D '$dir/pg' -l '$dir/log' -w -o '-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$dir -c fsync=off -c mingjian.throwaway=on -c max_connections=300' start >/dev/null"
    echo "postgres://postgres@127.0.0.1:$port/postgres"
    ;;
  stop) as "$bin/pg_ctl -D '$2/pg' -m immediate stop >/dev/null 2>&1" || true ;;
esac
