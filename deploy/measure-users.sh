#!/usr/bin/env bash
# What users cost: starts a network in one process, lets 500, 1000 and 2000 virtual users live on it (online all the time, a poll of every namespace
# each 5 s, a message each 30 s, contacts and groups as in examples/load/average-day.yaml), and prints CPU and memory of the server alone.
#   deploy/measure-users.sh [seconds per step]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
dotnet build -c Release --nologo -v quiet src/Session.Orleans.Testnet >/dev/null
program=artifacts/bin/Session.Orleans.Testnet/release/session-testnet
work=$(mktemp -d)
"$program" up --data "$work/data" --no-omq >"$work/up.log" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null || true; rm -rf "$work"' EXIT
"$program" wait --for 60s --data "$work/data" >/dev/null

cpu() { awk '{ print $14 + $15 }' "/proc/$server/stat"; }                       # in 1/100 s
memory() { awk '/^VmRSS/ { printf "%d", $2 / 1024 }' "/proc/$server/status"; } # MiB

printf '%8s %14s %18s %14s\n' users 'server cores' 'cores per 1,000' 'server MiB'
printf '%8d %14s %18s %14d\n' 0 - - "$(memory)"
for users in 500 1000 2000; do
    cat >"$work/plan.yaml" <<END
name: sizing
users: $users
stages: [{ for: 20s, users: $users, ramp: true }, { for: ${seconds}s }]
poll: { interval: 5s }
messages: { pause: { mean: 30s }, size: { median: 60B, p99: 1500B } }
contacts: { mean: 8, exponent: 2.3 }
groups: { count: $((users / 10)), members: { median: 6, p99: 50 }, share: 25% }
fail_if: [lost>0, duplicated>0]
END
    "$program" load --scenario "$work/plan.yaml" --data "$work/data" >"$work/load.log" 2>&1 &
    load=$!
    sleep 30 # users come for 20 s, and the first minute of a server is not like the rest
    before=$(cpu)
    sleep $((seconds - 20))
    after=$(cpu)
    peak=$(memory)
    wait $load || { cat "$work/load.log" >&2; exit 1; }
    awk -v users="$users" -v used="$((after - before))" -v seconds="$((seconds - 20))" -v peak="$peak" \
        'BEGIN { cores = used / 100 / seconds; printf "%8d %14.2f %18.2f %14d\n", users, cores, cores / users * 1000, peak }'
done
