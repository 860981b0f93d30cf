#!/usr/bin/env bash
# Puts Debian's prometheus and promtool into artifacts/tools/prometheus/usr/bin; prints that folder. The package is unpacked, not installed: there
# is no service to start. A second call does nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$PWD/artifacts/tools/prometheus
if [ ! -x "$folder/usr/bin/prometheus" ] || [ ! -x "$folder/usr/bin/promtool" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    chmod 755 "$work"
    ( cd "$work" && { apt-get download -qq prometheus 2>/dev/null || { apt-get update -qq && apt-get download -qq prometheus; }; } ) >&2
    dpkg-deb -x "$work"/prometheus_*.deb "$work/unpacked"
    mkdir -p "$PWD/artifacts/tools"
    rm -rf "$folder"
    # Moved into place whole: two calls at once do not meet half of it.
    mv "$work/unpacked" "$folder"
fi
echo "$folder/usr/bin"
