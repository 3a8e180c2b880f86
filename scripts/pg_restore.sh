#!/usr/bin/env bash
# Restores a node whose database is PostgreSQL to an instant: files and base backup, the server's own
# log up to then, the proof against the supervision log. Everything goes into empty directories; the
# cluster that comes of it is left running on PORT.
#   scripts/pg_restore.sh FROM KEY "2026-11-22 09:30:15" DATA_DIR PG_DIR PORT DATABASE [CHECKPOINT]
# As root the cluster runs as the user postgres. DATABASE_USER (postgres) must be let in from 127.0.0.1.
set -eu
from=$1 key=$2 to=$3 data=$4 pg=$5 port=$6 database=$7 checkpoint=${8:-}
mingjian=${MINGJIAN:-mingjian}
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$bin" ] || { echo "PostgreSQL is not installed" >&2; exit 3; }
as() { if [ "$(id -u)" -eq 0 ]; then su postgres -s /bin/bash -c "$1"; else bash -c "$1"; fi; }

"$mingjian" restore --from "$from" --key "$key" --to "$to" --data-dir "$data" --pg-dir "$pg"
[ "$(id -u)" -eq 0 ] && chown -R postgres "$pg"
as "$bin/pg_ctl -D '$pg' -l '$pg/restore.log' -w -t 3600 -o '-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$pg -c archive_mode=off' start" >/dev/null \
  || { tail -n 20 "$pg/restore.log" >&2; exit 3; }
url="postgres://${DATABASE_USER:-postgres}@127.0.0.1:$port/$database"
for _ in $(seq 1 3600); do
  [ "$(psql -XAtq "$url" -c 'SELECT pg_is_in_recovery()' 2>/dev/null)" = f ] && break
  # it opens before it has come to the instant, and ends where its log does not lead there
  as "$bin/pg_ctl -D '$pg' status" >/dev/null || { tail -n 20 "$pg/restore.log" >&2; exit 3; }
  sleep 0.2
done
export MINGJIAN_DATABASE_URL=$url
if [ -n "$checkpoint" ]; then
  exec "$mingjian" restore --finish --data-dir "$data" --checkpoint "$checkpoint"
fi
exec "$mingjian" restore --finish --data-dir "$data"
