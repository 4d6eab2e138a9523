#!/usr/bin/env bash
# Builds local images of Kafka and Elasticsearch where none can be pulled: a root of busybox, a Java runtime with the libraries
# that it links to, and the jars that test/backends prepares from Maven Central. They take the variables of the official images
# that the tests use, so that the tests start both kinds alike:
#   sluice-test/kafka:local          for SLUICE_TEST_KAFKA_IMAGE
#   sluice-test/elasticsearch:local  for SLUICE_TEST_ELASTICSEARCH_IMAGE
# Needs docker, busybox (static), mvn, and a JDK 21 or newer. Images of tests only: no security, no upgrades, everything as root.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
backends=$(cd "$here/../../../test/backends" && pwd)
. "$backends/java.sh"

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

# with_libraries FILE…: copies the shared libraries that the files link to, and the loader, to where they lie on this machine.
with_libraries() {
  { ldd "$@" 2> /dev/null || true; } | grep -oE '/[^ ():]+\.so[^ ():]*' | sort -u | while read -r library; do
    [[ $library == "$root"* ]] || install -D "$(readlink -f "$library")" "$root$library"
  done
}

base_root() {
  local busybox jdk
  busybox=$(command -v busybox)
  mkdir -p "$root"/{bin,etc,tmp,data,opt}
  cp "$busybox" "$root/bin/busybox"
  "$busybox" --list | grep -v "^busybox$" | while read -r applet; do ln -s busybox "$root/bin/$applet"; done
  printf 'root:x:0:0:root:/:/bin/sh\n' > "$root/etc/passwd"
  printf 'hosts: files dns\n' > "$root/etc/nsswitch.conf"
  jdk=$(java_home 21 java)
  mkdir -p "$root/opt/java"
  # Debian keeps some of a JDK's files elsewhere, behind links.
  cp -rL "$jdk"/{bin,conf,lib} "$root/opt/java/"
  rm -f "$root"/opt/java/lib/{src.zip,ct.sym}
  with_libraries "$root/opt/java/bin/java" "$root"/opt/java/lib/*.so "$root/opt/java/lib/server/libjvm.so"
  # Loaded by name, so that ldd does not see them: user look-ups of glibc.
  for library in $(ldconfig -p | awk '/libnss_(files|dns)\.so\.2/ { print $NF }'); do install -D "$library" "$root$library"; done
  mkdir -p "$root/opt/backends"
  cp "$backends/java.sh" "$root/opt/backends/"
}

# image NAME: adds the server's prepared folder, its run.sh and its entry, and imports the root as one layer.
image() {
  local home
  home=$(bash "$backends/$1/prepare.sh")
  rm -rf "$root"/opt/backends/{kafka,elasticsearch} "$root/opt/home"
  mkdir -p "$root/opt/backends/$1"
  cp -r "$home" "$root/opt/home"
  cp "$backends/$1/run.sh" "$root/opt/backends/$1/"
  cp "$here/$1-entry.sh" "$root/opt/entry.sh"
  tar -C "$root" -c . | docker import \
    --change 'ENV PATH=/bin' --change 'ENV JAVA_HOME=/opt/java' --change 'ENTRYPOINT ["/bin/sh", "/opt/entry.sh"]' \
    --change "EXPOSE $2" - "sluice-test/$1:local" > /dev/null
  echo "sluice-test/$1:local"
}

base_root
image kafka 9092
image elasticsearch 9200
