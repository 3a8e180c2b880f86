#!/usr/bin/env bash
# Two nodes on this machine that witness each other's supervision log. Prints their addresses, and for each
# its own root and what the other signed of it. Ends with Ctrl-C, or by itself with `--once` as soon as each
# has signed for the other (exit 0) or two minutes have passed (exit 1).
#   MINGJIAN   the program (target/quick/mingjian)   PORT_A, PORT_B   8611 and 8612
#   DATA       a folder for both (made anew; gone afterwards unless named)
set -uo pipefail
cd "$(dirname "$0")/.."
program=${MINGJIAN:-target/quick/mingjian}
port_a=${PORT_A:-8611}
port_b=${PORT_B:-8612}
once=${1:-}
data=${DATA:-$(mktemp -d)}
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
  wait 2>/dev/null
  [ -n "${DATA:-}" ] || rm -rf "$data"
}
trap finish EXIT
trap 'exit 0' INT TERM

declare -A area=([a]=370400 [b]=370000) name=([a]=甲市 [b]=乙省) port=([a]=$port_a [b]=$port_b)
for node in a b; do
  dir=$data/$node
  mkdir -p "$dir"
  printf '[node]\nname = "%s"\narea = "%s"\n\n[access]\nsecond_factor = "optional"\n' \
    "${name[$node]}" "${area[$node]}" >"$dir/mingjian.toml"
  "$program" log keys --data-dir "$dir" >"$data/$node.keys" || exit 1
done
key() { awk -F'\t' -v kind="$2" '$1 == kind { print $2 }' "$data/$1.keys"; }
for node in a b; do
  other=b; [ "$node" = b ] && other=a
  log=$(key "$other" log)
  cat >>"$data/$node/mingjian.toml" <<CONFIG

[ledger]
witness_seconds = 5

[[ledger.witnesses]]
url = "http://localhost:${port[$other]}/api/v1/log/witness"
key = "$(key "$other" witness)"

[[ledger.witness_for]]
origin = "${log%%+*}"
key = "$log"
CONFIG
  "$program" serve --data-dir "$data/$node" --port "${port[$node]}" 2>"$data/$node.log" &
  pids+=($!)
done

# something to sign: the administrators of each take up their accounts, and the auditor can look at the page 监管日志
password=Witness-demo-2026
for node in a b; do
  for _ in $(seq 1 60); do
    curl -fs "http://localhost:${port[$node]}/healthz" >/dev/null && break
    sleep 0.5
  done
  # a node works once all three administrators have taken up their accounts
  for role in 系统管理员=system 安全管理员=security 审计管理员=audit; do
    code=$(sed -n "s/^ *${role%%=*}：//p" "$data/$node.log" | head -n 1)
    curl -fs -o /dev/null -X POST "http://localhost:${port[$node]}/api/v1/enrolments" \
      -H 'content-type: application/json' -H "idempotency-key: $node-${role#*=}" \
      -d "{\"code\":\"$code\",\"login\":\"${role#*=}\",\"name\":\"${role%%=*}\",\"password\":\"$password\"}" ||
      { echo "${name[$node]} 没有启动" >&2; cat "$data/$node.log" >&2; exit 1; }
  done
done

# the checkpoint of one node that the other signed last, or nothing
signed_by_other() {
  local log; log=$(key "$1" log)
  curl -fs "http://localhost:${port[$2]}/api/v1/log/witness/checkpoint?origin=${log%%+*}"
}
for node in a b; do
  echo "${name[$node]}  http://localhost:${port[$node]}/desk/  日志 $(key "$node" log | cut -d+ -f1)  见证 $(key "$node" witness | cut -d+ -f1)"
done
echo "登录 audit，密码 $password，打开“监管日志”"
shown=
for _ in $(seq 1 120); do
  done=0
  text=
  for node in a b; do
    other=b; [ "$node" = b ] && other=a
    own=$(curl -fs "http://localhost:${port[$node]}/api/v1/log/checkpoint") || continue
    seen=$(signed_by_other "$node" "$other") || continue
    text+="${name[$node]}  根 $(sed -n 3p <<<"$own")（$(sed -n 2p <<<"$own") 条）"$'\n'
    text+="    ${name[$other]}签 根 $(sed -n 3p <<<"$seen")（$(sed -n 2p <<<"$seen") 条）"$'\n'
    text+="    $(grep /witness <<<"$seen")"$'\n'
    done=$((done + 1))
  done
  if [ "$text" != "$shown" ] && [ "$done" -eq 2 ]; then
    printf '%s' "$text"
    shown=$text
  fi
  [ "$once" = --once ] && [ "$done" -eq 2 ] && exit 0
  sleep 1
done
[ "$once" = --once ] && { cat "$data"/*.log >&2; exit 1; }
echo "继续运行，按 Ctrl-C 结束"
wait
