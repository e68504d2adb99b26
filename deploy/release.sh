#!/usr/bin/env bash
# Makes a release: an archive and an SBOM for each system, and their checksums. The same source
# and toolchain make the same binaries and archives.
#
#   VERSION=1.0.0 [TARGETS='linux/amd64'] deploy/release.sh DIRECTORY
set -euo pipefail
cd "$(dirname "$0")/.."
version=${VERSION:?set VERSION, such as 1.0.0}
out=$1
cyclonedx=github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
epoch=$(git log -1 --format=%ct)

rm -rf "$out" && mkdir -p "$out"
out=$(cd "$out" && pwd)
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
GOFLAGS='' GOBIN=$tools go install "$cyclonedx"
go run ./internal/thirdparty | diff -q - THIRD_PARTY || { echo "THIRD_PARTY is not current; run make third-party" >&2; exit 1; }

for target in ${TARGETS:-linux/amd64 linux/arm64 windows/amd64 darwin/arm64}; do
  os=${target%/*} arch=${target#*/}
  name=curfew_${version}_${os}_${arch}
  folder=$tools/$name
  mkdir -p "$folder"
  binary=curfew; [ "$os" = windows ] && binary=curfew.exe
  echo "$name"
  CGO_ENABLED=0 GOOS=$os GOARCH=$arch go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$version" -o "$folder/$binary" ./cmd/curfew
  cp README.md CHANGELOG.md THIRD_PARTY schedules.yaml "$folder/"
  [ "$os" = linux ] && cp deploy/systemd/curfew.service deploy/systemd/curfew.sysusers "$folder/"
  tar -C "$tools" --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX -c "$name" | gzip -n9 > "$out/$name.tar.gz"
  # Of the binary itself; that our own module is on no proxy is a warning.
  "$tools/cyclonedx-gomod" bin -json -licenses -std -noserial -version "v${version#v}" -output "$out/$name.cdx.json" "$folder/$binary"
  grep -q '"bomFormat": "CycloneDX"' "$out/$name.cdx.json"
done
(cd "$out" && sha256sum -- * > SHA256SUMS)
ls -l "$out"
