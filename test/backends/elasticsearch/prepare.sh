#!/usr/bin/env bash
# prepare.sh [distributed]
#
# Fetches the server and the HTTP transport of Elasticsearch from Maven Central (45 MB, once), lays them out as an ES home,
# and prints that folder, which run.sh needs. Needs mvn and a JDK 21 or newer.
#
# Works: templates, _bulk, data streams (created by _bulk; rollover; create + same _id = 409), search, aggregations, _cat, PIT, scroll.
# Not on Maven Central, so absent: ingest processors, ILM, data stream lifecycle enforcement, ES|QL, async search,
# match_only_text, constant_keyword, wildcard. `text` with index_options docs and no norms serves instead of match_only_text.
# GET / and GET|PUT|DELETE /_data_stream are answered by src/glue, not by Elastic's own modules: prove nothing by their exact format.
#
# distributed: Elasticsearch as it is distributed for integration tests (130 MB), with Elastic's own x-pack-core and x-pack-security,
# in which all of security is. It lacks most other modules too, so the two pages of src/glue are added; they ask security for leave.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../java.sh"
. "$here/../prepared.sh"

# descriptor FOLDER NAME CLASS VERSION: what makes a folder a module of Elasticsearch.
descriptor() {
  printf 'description=%s\nname=%s\nclassname=%s\nversion=%s\nelasticsearch.version=%s\njava.version=21\ndeployment.target=ALL\n' \
    "$2" "$2" "$3" "$4" "$4" > "$1/plugin-descriptor.properties"
}

build() {
  local home=$1 version arch zstd
  mkdir -p "$home"/{lib,config,plugins,modules/transport-netty4}
  mvn -q -B -Dstyle.color=never -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$home/lib"
  version=$(ls "$home/lib" | sed -nE 's/^elasticsearch-([0-9][0-9.]*)\.jar$/\1/p')
  mv "$home"/lib/{transport-netty4-,netty-,elasticsearch-ssl-config-}*.jar "$home/modules/transport-netty4/"
  descriptor "$home/modules/transport-netty4" transport-netty4 org.elasticsearch.transport.netty4.Netty4Plugin "$version"

  # Elasticsearch loads libzstd and does without any native call where it is missing; Debian's libzstd1 has the same C API.
  arch=$(uname -m)
  [ "$arch" != x86_64 ] || arch=x64
  zstd=$(ldconfig -p | awk '/libzstd\.so\.1/ && !found++ { print $NF }')
  if [ -n "$zstd" ]; then
    mkdir -p "$home/lib/platform/linux-$arch"
    cp -L "$zstd" "$home/lib/platform/linux-$arch/libzstd.so"
  fi

  add_glue "$home" "$version"
}

build_distributed() {
  local home=$1 version
  mvn -q -B -Dstyle.color=never -f "$here/distributed.xml" dependency:unpack-dependencies -DoutputDirectory="$home/unpacked" \
    -DmarkersDirectory="$home/markers"
  version=$(ls "$home/unpacked" | sed -nE 's/^elasticsearch-([0-9][0-9.]*)$/\1/p')
  mv "$home/unpacked/elasticsearch-$version"/{lib,modules,config} "$home/"
  rm -r "$home/unpacked" "$home/markers"
  mkdir "$home/plugins"
  add_glue "$home" "$version"
}

# add_glue HOME VERSION: our own main class, and the module of src/glue.
add_glue() {
  local home=$1 version=$2 jdk
  jdk=$(java_home 21 javac)
  mkdir -p "$home"/{boot,modules/glue,classes}
  "$jdk/bin/javac" -nowarn --release 21 -cp "$home/lib/*" -d "$home/boot" "$here"/src/boot/*.java
  "$jdk/bin/javac" -nowarn --release 21 -Xlint:-deprecation -cp "$home/lib/*" -d "$home/classes" "$here"/src/glue/*.java 2>&1 | grep -v '^Note:' || true
  "$jdk/bin/jar" --create --file "$home/modules/glue/glue.jar" -C "$home/classes" .
  descriptor "$home/modules/glue" glue glue.GluePlugin "$version"
  rm -r "$home/classes"
}

if [ "${1:-}" = distributed ]; then
  build() { build_distributed "$1"; }
  prepared elasticsearch-distributed "$here"
else
  prepared elasticsearch "$here"
fi
