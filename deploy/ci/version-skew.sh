#!/usr/bin/env bash
# Builds an earlier release and tests that a network of it can be upgraded to this one, process by process, and rolled back, under traffic,
# with nothing lost. Needs redis-server.
#   deploy/ci/version-skew.sh v0.1.0
set -euo pipefail
cd "$(dirname "$0")/../.."
ref=${1:?usage: deploy/ci/version-skew.sh REF}
work=$(mktemp -d)
trap 'git worktree remove --force "$work/old" 2>/dev/null || true; rm -rf "$work"' EXIT
git worktree add --quiet --detach "$work/old" "$ref"
dotnet publish "$work/old/src/Session.Orleans.Testnet" -c Release -o "$work/release" --nologo -v quiet
export SESSION_OLD_RELEASE=$work/release
dotnet run -c Release --project tests/Session.Orleans.Failure.Tests -- --filter-class '*VersionSkewTests' --output Detailed
