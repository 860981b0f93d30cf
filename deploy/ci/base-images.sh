#!/usr/bin/env bash
# Builds the images that others start from out of this machine's own files, for machines that reach no image registry:
#   localhost/session-base-sdk      shell, .NET SDK
#   localhost/session-base-runtime  ASP.NET Core runtime without a shell, as in chiselled images
#   localhost/session-base-redis    redis-server and redis-cli (Debian's redis-server must be installed), user 999
# Where registries are reached, deploy/Dockerfile's own defaults are the better choice.
set -euo pipefail
dotnet=$(dirname "$(readlink -f "$(command -v dotnet)")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Copies programs and libraries with all libraries that they load.
collect() {
    local root=$1 file
    shift
    for file in "$@"; do
        echo "$file"
        ldd "$file" 2>/dev/null | grep -o '/[^ ]*' || true
    done | sort -u | while read -r file; do
        mkdir -p "$root$(dirname "$file")"
        cp -Lf "$file" "$root$file"
    done
}

skeleton() {
    local root=$1 user=$2 id=$3
    mkdir -p "$root"/{tmp,etc/ssl/certs,usr/bin,usr/lib/x86_64-linux-gnu,usr/lib64}
    ln -s usr/bin "$root/bin"
    ln -s usr/lib "$root/lib"
    ln -s usr/lib64 "$root/lib64"
    chmod 1777 "$root/tmp"
    printf 'root:x:0:0:root:/root:/bin/sh\n%s:x:%s:%s::/tmp:/bin/false\n' "$user" "$id" "$id" >"$root/etc/passwd"
    printf 'root:x:0:\n%s:x:%s:\n' "$user" "$id" >"$root/etc/group"
    echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    mkdir -p "$root/usr/lib/ssl"
    ln -s /etc/ssl/certs "$root/usr/lib/ssl/certs"
    ln -s /etc/ssl/certs/ca-certificates.crt "$root/usr/lib/ssl/cert.pem"
}

# What the runtime loads by name.
libraries=(/usr/lib/x86_64-linux-gnu/{libssl.so.3,libcrypto.so.3,libresolv.so.2,libstdc++.so.6,libgcc_s.so.1,libz.so.1})

import() {
    tar -C "$1" --sort=name --mtime=@0 --numeric-owner -c . | podman import -q -c "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" "${@:3}" - "localhost/$2" >/dev/null
    echo "localhost/$2"
}

root=$work/runtime
skeleton "$root" app 1654
collect "$root" "$dotnet/dotnet" "${libraries[@]}" "$dotnet"/shared/Microsoft.NETCore.App/10.*/*.so
# The runtime's own files, without what collect put there one by one.
mkdir -p "$root$dotnet"
cp -r "$dotnet/host" "$root$dotnet/"
mkdir -p "$root$dotnet/shared"
cp -r "$dotnet"/shared/Microsoft.{NETCore,AspNetCore}.App "$root$dotnet/shared/"
[ "$dotnet" = /usr/share/dotnet ] || { mkdir -p "$root/etc/dotnet" && echo "$dotnet" >"$root/etc/dotnet/install_location"; }
ln -s "$dotnet/dotnet" "$root/usr/bin/dotnet"
import "$root" session-base-runtime -c "ENV DOTNET_RUNNING_IN_CONTAINER=true"

root=$work/sdk
skeleton "$root" app 1654
collect "$root" "$dotnet/dotnet" "${libraries[@]}" "$dotnet"/shared/Microsoft.NETCore.App/10.*/*.so /usr/bin/{env,bash,dash,ls,cat,cp,mv,rm,mkdir,chmod,ln,uname,dirname,basename,readlink,sed,grep,sort,tr,id}
ln -sf dash "$root/usr/bin/sh"
mkdir -p "$root$(dirname "$dotnet")" "$root/root"
cp -rf "$dotnet" "$root$(dirname "$dotnet")/"
ln -s "$dotnet/dotnet" "$root/usr/bin/dotnet"
import "$root" session-base-sdk -c "ENV DOTNET_RUNNING_IN_CONTAINER=true" -c "ENV DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=true" -c "ENV NUGET_CERT_REVOCATION_MODE=offline"

if command -v redis-server >/dev/null; then
    root=$work/redis
    skeleton "$root" redis 999
    collect "$root" /usr/bin/redis-server /usr/bin/redis-cli
    install -d -o 999 -g 999 "$root/data"
    import "$root" session-base-redis
fi
