#!/usr/bin/env bash
# Builds deploy/Dockerfile with podman on the images of base-images.sh and checks the result: size, labels, user, a start with a read-only root
# and without capabilities. With --twice it builds again without cache and compares the layers.
set -euo pipefail
cd "$(dirname "$0")/../.."
export CONTAINERS_CONF=$PWD/deploy/ci/containers.conf
image=localhost/session-orleans:${TAG:-0.1.0}
limit=$((150 * 1024 * 1024))

log=$(mktemp)
trap 'rm -f "$log"' EXIT
podman image exists localhost/session-base-runtime || deploy/ci/base-images.sh

build() {
    # Packages that this machine has need not be fetched again; what is written there is the build's own, and gone with it.
    local packages=${NUGET_PACKAGES:-$HOME/.nuget/packages}
    mkdir -p "$packages"
    podman build --network host --timestamp 0 -f deploy/Dockerfile -t "$1" "${@:2}" \
        --build-arg SDK_IMAGE=localhost/session-base-sdk --build-arg RUNTIME_IMAGE=localhost/session-base-runtime \
        --build-arg REVISION="$(git rev-parse HEAD)" \
        -v "$packages:/root/.nuget/packages:O" . >"$log" 2>&1 || { tail -n 40 "$log" >&2; exit 1; }
}

fail() { echo "build-image: $*" >&2; exit 1; }

run() { podman run --rm --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges "$@"; }

build "$image"
size=$(($(podman image inspect -f '{{.Size}}' "$image") - $(podman image inspect -f '{{.Size}}' localhost/session-base-runtime)))
[ "$size" -lt "$limit" ] || fail "$size bytes on top of the runtime, more than $limit"
[ "$(podman image inspect -f '{{.Config.User}}' "$image")" = 1654:1654 ] || fail "the user is not 1654"
[ "$(podman image inspect -f '{{index .Config.Labels "org.opencontainers.image.revision"}}' "$image")" = "$(git rev-parse HEAD)" ] || fail "the label with the revision is wrong"
[[ $(run "$image" --help) == *serve* ]] || fail "it does not start"
# Without configuration it says what is missing, and ends with the code for that.
code=0
said=$(run "$image" 2>&1) || code=$?
{ [ "$code" = 2 ] && [[ $said == *Silo:Redis* ]]; } || fail "without a store it ended with $code: $said"
podman run --rm --entrypoint dotnet "$image" --list-runtimes >/dev/null || fail "there is no runtime"
echo "$image: $((size / 1024 / 1024)) MiB on top of the runtime"

if [ "${1:-}" = --twice ]; then
    build "$image-again" --no-cache
    layers() { podman image inspect -f '{{.RootFS.Layers}}' "$1"; }
    [ "$(layers "$image")" = "$(layers "$image-again")" ] || fail "a second build has other layers"
    podman rmi -q "$image-again" >/dev/null 2>&1 || true
    echo "a second build has the same layers"
fi
