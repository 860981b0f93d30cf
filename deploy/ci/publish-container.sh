#!/usr/bin/env bash
# Makes the image without a Dockerfile, by `dotnet publish /t:PublishContainer`, and starts it with a read-only root and without capabilities. The
# base image of base-images.sh and the result go through a registry of this script's own on the loopback interface (Debian's docker-registry).
set -euo pipefail
cd "$(dirname "$0")/../.."
export CONTAINERS_CONF=$PWD/deploy/ci/containers.conf
command -v docker-registry >/dev/null || { echo "publish-container: no docker-registry on the PATH (apt-get install docker-registry)" >&2; exit 1; }
podman image exists localhost/session-base-runtime || deploy/ci/base-images.sh

work=$(mktemp -d)
port=$((20000 + RANDOM % 10000))
registry=127.0.0.1:$port
cat >"$work/registry.yml" <<EOF
version: 0.1
storage:
  filesystem:
    rootdirectory: $work/registry
http:
  addr: $registry
EOF
docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null || true; rm -rf "$work"' EXIT
fail() { echo "publish-container: $*" >&2; exit 1; }

for _ in {1..100}; do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    kill -0 $server 2>/dev/null || fail "the registry did not start: $(cat "$work/registry.log")"
    sleep 0.1
done
podman push -q --tls-verify=false localhost/session-base-runtime "$registry/session-base-runtime:latest"
version=$(dotnet msbuild src/Session.Orleans.Testnet -getProperty:Version)
DOTNET_CONTAINER_INSECURE_REGISTRIES=$registry dotnet publish src/Session.Orleans.Testnet -c Release -a x64 /t:PublishContainer \
    -p:ContainerBaseImage="$registry/session-base-runtime:latest" -p:ContainerRegistry="$registry" -p:ArtifactsPath="$work/artifacts" \
    >"$work/publish.log" 2>&1 || { tail -n 40 "$work/publish.log" >&2; exit 1; }

image=$registry/session-orleans:$version
podman pull -q --tls-verify=false "$image" >/dev/null
[[ $(podman image inspect -f '{{.Config.User}}' "$image") == 1654* ]] || fail "the user is $(podman image inspect -f '{{.Config.User}}' "$image"), not 1654"
run() { podman run --rm --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges "$image" "$@"; }
[[ $(run --help) == *serve* ]] || fail "it does not start"
code=0
said=$(run 2>&1) || code=$?
{ [ "$code" = 2 ] && [[ $said == *Silo:Redis* ]]; } || fail "without a store it ended with $code: $said"
size=$(($(podman image inspect -f '{{.Size}}' "$image") - $(podman image inspect -f '{{.Size}}' localhost/session-base-runtime)))
podman rmi -f "$image" >/dev/null
echo "session-orleans:$version by dotnet publish: $((size / 1024 / 1024)) MiB on top of the runtime"
