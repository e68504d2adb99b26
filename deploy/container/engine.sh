#!/usr/bin/env bash
# Starts a Docker engine with stand-ins for the two base images, for machines that reach no
# registry: Debian's packages, this machine's Go and its certificates. It needs root, apt and
# about 1 GB. The stand-ins prove that the steps of the Dockerfile work, and nothing about the
# contents of the real images.
#
#   deploy/container/engine.sh DIRECTORY     then: export DOCKER_HOST=unix://DIRECTORY/docker.sock
set -euo pipefail
dir=$(mkdir -p "$1" && cd "$1" && pwd)
export DOCKER_HOST=unix://$dir/docker.sock

missing=()
[ -x /usr/bin/dockerd ] || [ -x /usr/sbin/dockerd ] || missing+=(docker.io)
command -v debootstrap >/dev/null || missing+=(debootstrap)
if [ "${#missing[@]}" -gt 0 ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

if ! docker version >/dev/null 2>&1; then
  # Containers share the network of this machine: no bridge and no rules of a firewall are made.
  dockerd --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false --bridge=none \
    --data-root "$dir/data" --exec-root "$dir/exec" --host "$DOCKER_HOST" --pidfile "$dir/docker.pid" > "$dir/dockerd.log" 2>&1 < /dev/null &
  for _ in $(seq 100); do docker version >/dev/null 2>&1 && break; sleep 0.1; done
  docker version >/dev/null || { cat "$dir/dockerd.log" >&2; exit 1; }
fi

certificates=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
if ! docker image inspect golang:1.26-bookworm >/dev/null 2>&1; then
  mirror=$(grep -rhsoE "https?://[^ ]+/debian/?" /etc/apt/sources.list /etc/apt/sources.list.d | grep -v snapshot | head -n 1 || true)
  [ -d "$dir/golang/etc" ] || debootstrap --variant=minbase --include=ca-certificates,git bookworm "$dir/golang" "${mirror:-http://deb.debian.org/debian}" > "$dir/debootstrap.log"
  [ -d "$dir/golang/usr/local/go" ] || cp -a "$(go env GOROOT)" "$dir/golang/usr/local/go"
  cp "$certificates" "$dir/golang/etc/ssl/certs/ca-certificates.crt"
  tar -C "$dir/golang" -c . | docker import --change 'ENV PATH=/usr/local/go/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'ENV GOPATH=/go' --change 'ENV GOTOOLCHAIN=local' --change 'WORKDIR /go' - golang:1.26-bookworm >/dev/null
fi
if ! docker image inspect gcr.io/distroless/static-debian12:nonroot >/dev/null 2>&1; then
  mkdir -p "$dir"/static/{etc/ssl/certs,home/nonroot,tmp,usr/share}
  chmod 1777 "$dir/static/tmp"
  printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' > "$dir/static/etc/passwd"
  printf 'root:x:0:\nnonroot:x:65532:\n' > "$dir/static/etc/group"
  printf 'hosts: files dns\n' > "$dir/static/etc/nsswitch.conf"
  cp "$certificates" "$dir/static/etc/ssl/certs/ca-certificates.crt"
  cp -a /usr/share/zoneinfo "$dir/static/usr/share/"
  tar -C "$dir/static" -c . | docker import --change 'USER 65532' --change 'WORKDIR /home/nonroot' \
    --change 'ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt' - gcr.io/distroless/static-debian12:nonroot >/dev/null
fi
