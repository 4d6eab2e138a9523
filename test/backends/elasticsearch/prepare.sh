#!/usr/bin/env bash
# Fetches the server and the HTTP transport of Elasticsearch from Maven Central (45 MB, once), lays them out as an ES home,
# and prints that folder, which run.sh needs. Needs mvn and a JDK 21 or newer.
#
# Works: templates, _bulk, data streams (created by _bulk; rollover; create + same _id = 409), search, aggregations, _cat, PIT, scroll.
# Not on Maven Central, so absent: ingest processors, ILM, data stream lifecycle enforcement, ES|QL, async search,
# match_only_text, constant_keyword, wildcard. `text` with index_options docs and no norms serves instead of match_only_text.
# GET / and GET|PUT|DELETE /_data_stream are answered by src/glue, not by Elastic's own modules: prove nothing by their exact format.
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
  local home=$1 jdk version arch zstd
  jdk=$(java_home 21 javac)
  mkdir -p "$home"/{lib,boot,config,plugins,modules/transport-netty4,modules/glue,classes}
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

  "$jdk/bin/javac" -nowarn --release 21 -cp "$home/lib/*" -d "$home/boot" "$here"/src/boot/*.java
  "$jdk/bin/javac" -nowarn --release 21 -Xlint:-deprecation -cp "$home/lib/*" -d "$home/classes" "$here"/src/glue/*.java 2>&1 | grep -v '^Note:' || true
  "$jdk/bin/jar" --create --file "$home/modules/glue/glue.jar" -C "$home/classes" .
  descriptor "$home/modules/glue" glue glue.GluePlugin "$version"
  rm -r "$home/classes"
}

prepared elasticsearch "$here"
