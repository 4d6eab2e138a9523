#!/usr/bin/env bash
# Makes images that stand in for those of the Dockerfile where none can be pulled, from files of this machine:
#   sluice-local/node:local   BUILD_IMAGE: a shell, Node and npm as they are here, the machine's certificates
#   sluice-local/base:local   BASE_IMAGE: glibc, libstdc++, a user 65532
# Needs docker, busybox (static), node with npm, ldd. For tests: no upgrades come to them.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# The Node that the project brings along links to more than the machine's own.
nodes=("$(node -p process.execPath)" "$here"/../../../node_modules/node-linux-*/bin/node)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

# with_libraries ROOT FILE…: copies the shared libraries that the files link to, and the loader, to where they lie on this machine.
with_libraries() {
  local to=$1
  shift
  { ldd "$@" 2> /dev/null || true; } | grep -oE '/[^ ():]+\.so[^ ():]*' | sort -u | while read -r library; do
    install -D "$(readlink -f "$library")" "$to$library"
  done
}

# base ROOT: what any program needs here.
base() {
  mkdir -p "$1"/{etc/ssl/certs,tmp}
  chmod 1777 "$1/tmp"
  printf 'root:x:0:0:root:/:/bin/sh\nnonroot:x:65532:65532:nonroot:/tmp:/bin/sh\n' > "$1/etc/passwd"
  printf 'root:x:0:\nnonroot:x:65532:\n' > "$1/etc/group"
  printf 'hosts: files dns\n' > "$1/etc/nsswitch.conf"
  cp -L /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/"
  # Loaded by name, so that ldd does not see them: user and host look-ups of glibc.
  for library in $(ldconfig -p | awk '/libnss_(files|dns)\.so\.2/ { print $NF }'); do install -D "$library" "$1$library"; done
  with_libraries "$1" "${nodes[@]}"
}

runtime=$root/runtime
base "$runtime"
tar -C "$runtime" -c . | docker import --change 'ENV PATH=/usr/local/bin' - sluice-local/base:local > /dev/null
echo sluice-local/base:local

build=$root/build
base "$build"
busybox=$(command -v busybox)
mkdir -p "$build"/{bin,usr/bin,usr/local/bin,usr/local/lib/node_modules}
cp "$busybox" "$build/bin/busybox"
"$busybox" --list | grep -v '^busybox$' | while read -r applet; do ln -s busybox "$build/bin/$applet"; done
ln -s /bin/env "$build/usr/bin/env"
cp "$(node -p process.execPath)" "$build/usr/local/bin/node"
npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
cp -r "$npm" "$build/usr/local/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$build/usr/local/bin/npm"
tar -C "$build" -c . | docker import --change 'ENV PATH=/usr/local/bin:/bin HOME=/tmp NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt' \
  - sluice-local/node:local > /dev/null
echo sluice-local/node:local
