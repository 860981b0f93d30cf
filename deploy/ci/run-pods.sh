#!/usr/bin/env bash
# Runs what the chart renders, for real, under `podman play kube`: Redis, two silos and a gateway in pods of their own, with the chart's security
# settings, ConfigMaps and Secrets. Then a message goes through three hops and comes back; a silo is killed, and it is still there; the gateway is told
# to stop, and ends in time with code 0. podman knows no StatefulSets, Services and names of pods: Redis becomes a Deployment, and addresses are given.
# Needs the image of build-image.sh, root, and the network range below free.
set -euo pipefail
cd "$(dirname "$0")/../.."
export CONTAINERS_CONF=$PWD/deploy/ci/containers.conf
tag=${TAG:-0.1.0}
tools=$(deploy/ci/get-helm.sh)
release=podci
name=$release-session-orleans
network=$release
base=10.89.77
password=0123456789abcdef
redis=$base.10 gateway=$base.20 silo1=$base.31 silo2=$base.32
work=$(mktemp -d)

podman() { command podman "$@"; }

clean() {
    for pod in redis silo-1 silo-2 gateway; do
        podman pod rm -f -t 1 "$release-$pod-pod-0" >/dev/null 2>&1 || true
    done
    podman volume rm -f "$name" "$name-tls" "$name-redis" >/dev/null 2>&1 || true
    podman secret rm "$name" "$name-tls" >/dev/null 2>&1 || true
    podman network rm -f "$network" >/dev/null 2>&1 || true
    rm -rf "$work"
}

fail() {
    echo "run-pods: $*" >&2
    for pod in redis silo-1 silo-2 gateway; do
        echo "--- $pod" >&2
        podman logs --tail 8 "$release-$pod-pod-0-$([ "$pod" = redis ] && echo redis || echo session)" >&2 2>&1 || true
    done
    exit 1
}

render() {
    "$tools/helm" template "$release" helm/session-orleans --set image.repository=localhost/session-orleans,image.tag="$tag" \
        --set redis.image.repository=localhost/session-base-redis,redis.image.tag=built,redis.persistence.enabled=false,redis.auth.password=$password \
        --set secrets.networkSecret=0123456789abcdef,secrets.adminToken=fedcba9876543210 --set topology=split,silo.replicas=1,gateway.replicas=1 \
        --set service.publicAddress=$gateway --set nodes.blockTime=00:00:02 --set shutdown.drainDelaySeconds=2,shutdown.timeoutSeconds=20 "$@"
}

# One Deployment of a rendering under another name, at an address of its own.
play() {
    local pod=$1 address=$2 file=$work/$1.yaml
    cat >"$file"
    # podman does not know the pod's IP of the downward API; it would open all ports at the machine itself, run probes by systemd, and set limits by
    # cgroups that sandboxes have not.
    sed -i -E -e "0,/^  name: .*/s//  name: $release-$pod/" \
        -e '/SESSION_Silo__AdvertisedAddress/,/fieldPath/c\            - name: SESSION_Silo__AdvertisedAddress\n              value: '"$address" \
        -e '/^          ports:$/,/^          securityContext:$/{/securityContext/!d}' "$file"
    podman play kube --network "$network" --ip "$address" ${CONFIGMAPS:+--configmap "$CONFIGMAPS"} "$file" >"$work/$pod.log" 2>&1 \
        || { cat "$work/$pod.log" >&2; fail "$pod could not be started"; }
}

# The object of this kind and name out of a rendering.
pick() { awk -v kind="$1" -v name="$2" 'BEGIN { RS = "---\n" } $0 ~ "\nkind: " kind "\n" && $0 ~ "\n  name: " name "\n"'; }

wait_for() {
    local what=$1 until=$((SECONDS + 60))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $until ] || fail "$what: not within 60 s"
        sleep 0.5
    done
}

ready() { curl -fsS --max-time 2 "http://$1:22001/health/ready"; }
seed() { curl -fksS --max-time 5 "https://$gateway:22000/json_rpc" -d '{"jsonrpc":"2.0","id":0,"method":"get_n_service_nodes","params":{"fields":{"public_ip":true,"storage_port":true,"pubkey_ed25519":true}}}'; }
tool() { podman run --rm --network "$network" --read-only --tmpfs /tmp --cap-drop ALL "localhost/session-orleans:$tag" "$@"; }

podman image exists "localhost/session-orleans:$tag" || { echo "run-pods: build-image.sh makes the image" >&2; exit 1; }
podman tag localhost/session-base-redis localhost/session-base-redis:built
clean
work=$(mktemp -d)
trap clean EXIT
podman network create --subnet $base.0/24 "$network" >/dev/null

render >"$work/all.yaml"
pick ConfigMap "$name-redis" <"$work/all.yaml" >"$work/redis-config.yaml"
# podman 4.3 has its own forms of a Secret: one for variables, and one for files, in which nothing is encoded.
pick Secret "$name" <"$work/all.yaml" | awk 'BEGIN { printf "{" } /^data:/ { on = 1; next } /^[^ ]/ { on = 0 } on { sub(/:/, "", $1); printf "%s\"%s\":\"%s\"", n++ ? "," : "", $1, $2 } END { print "}" }' \
    | podman secret create "$name" - >/dev/null
pick Secret "$name-tls" <"$work/all.yaml" >"$work/tls.yaml"
{
    printf 'apiVersion: v1\nkind: Secret\nmetadata:\n  name: %s\ndata:\n' "$name-tls"
    for file in tls.crt tls.key; do
        echo "  $file: |"
        sed -n "s/^  $file: //p" "$work/tls.yaml" | base64 -d | sed 's/^/    /'
    done
} | podman secret create "$name-tls" - >/dev/null

CONFIGMAPS=$work/redis-config.yaml
pick StatefulSet "$name-redis" <"$work/all.yaml" | sed -e 's/^kind: StatefulSet/kind: Deployment/' -e '/^  serviceName:/d' -e "s/\$(REDISCLI_AUTH)/$password/" | play redis $redis
wait_for "Redis" podman exec "$release-redis-pod-0-redis" redis-cli -e ping

# No Services, so no name for Redis: silos are told its address; and the password, as podman does not put variables into others.
sed -i -e "s/$name-redis:6379/$redis:6379/" -e "s/\$(REDIS_PASSWORD)/$password/" "$work/all.yaml"
pick ConfigMap "$name" <"$work/all.yaml" >"$work/config.yaml"
CONFIGMAPS=$work/config.yaml
pick Deployment "$name-silo" <"$work/all.yaml" | play silo-1 $silo1
pick Deployment "$name-silo" <"$work/all.yaml" | play silo-2 $silo2
pick Deployment "$name-gateway" <"$work/all.yaml" | play gateway $gateway
for address in $silo1 $silo2 $gateway; do
    wait_for "the process at $address" ready $address
done
curl -fs --max-time 2 "http://$silo1:22000/json_rpc" -o /dev/null && fail "a silo has the clients' port open"
wait_for "32 nodes at the seed" sh -c "$(declare -f seed); gateway=$gateway; [ \$(seed | grep -o pubkey_ed25519 | wc -l) -ge 32 ]"
[ "$(seed | grep -o "\"public_ip\":\"$gateway\"" | wc -l)" -ge 32 ] || fail "nodes advertise another address"
echo "ready: Redis, two silos, a gateway with 32 nodes"

# The console comes from the image as well: its login, the page behind it, and all that the two load.
console=http://$gateway:22001/console
browse() { curl -fsSL --max-time 10 -b "$work/cookies" -c "$work/cookies" "$@"; }
login=$(browse "$console/") || fail "no console"
field=$(grep -oE '<input[^>]*__RequestVerificationToken[^>]*>' <<<"$login" | grep -oE 'value="[^"]*"' | cut -d'"' -f2)
page=$(browse "$console/login" --data-urlencode token=fedcba9876543210 --data-urlencode user=admin --data-urlencode "__RequestVerificationToken=$field") || fail "no login to the console"
assets=$(grep -ohE '(href|src)="[^"]+\.(css|js|svg)[^"]*"' <<<"$login$page" | cut -d'"' -f2 | sort -u)
[[ $assets == *blazor.web* && $assets == *MudBlazor* ]] || fail "the page behind the login loads only: $assets"
for asset in $assets; do
    case $asset in /*) url=http://$gateway:22001$asset ;; *) url=$console/$asset ;; esac
    browse -o "$work/asset" "$url" || fail "the console lacks $asset"
    [ -s "$work/asset" ] || fail "the console's $asset is empty"
done
echo "the console has its login, its page and $(wc -w <<<"$assets") files"

check() { tool demo --seed "https://$gateway:22000"; }
check || fail "store and retrieve"
echo "stored and retrieved through onions"
# What `helm test` runs.
if tool watch --help >/dev/null 2>&1; then
    tool watch --seed "https://$gateway:22000" --path-addressing --trust-on-first-use --count 1 || fail "store and retrieve through one port"
    echo "stored and retrieved through one port"
fi

podman kill "$release-silo-1-pod-0-session" >/dev/null
wait_for "store and retrieve after a silo was killed" check
echo "a silo was killed: stored and retrieved again"

before=$SECONDS
podman stop -t 40 "$release-gateway-pod-0-session" >/dev/null
code=$(podman inspect -f '{{.State.ExitCode}}' "$release-gateway-pod-0-session")
[ "$code" = 0 ] || fail "the gateway ended with $code"
[ $((SECONDS - before)) -lt 32 ] || fail "the gateway took $((SECONDS - before)) s to stop"
echo "the gateway drained and ended with code 0 in $((SECONDS - before)) s"
