#!/usr/bin/env bash
# prepare.sh [VERSION]: fetches OpenSearch (3.0.0 unless given) as distributed from Maven Central (60 MB, once), adds the module
# analysis-common, and prints the folder, which run.sh needs. Needs mvn and a JDK 21 or newer.
#
# It is the server itself, with data streams and flat_object. Not on Maven Central, so absent: the plugins for index state management
# and security. OsMain starts it, without the agent that guards plugins, so that root may run it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../java.sh"
. "$here/../prepared.sh"
version=${1:-3.0.0}

build() {
  local home=$1 jdk class module=$1/modules/analysis-common
  jdk=$(java_home 21 javac)
  mvn -q -B -Dstyle.color=never -f "$here/pom.xml" -Dopensearch.version="$version" dependency:unpack-dependencies \
    -DincludeTypes=zip -DoutputDirectory="$home/unpacked" -DmarkersDirectory="$home/markers"
  mv "$home/unpacked/opensearch-$version"/{lib,modules} "$home/"
  rm -r "$home/unpacked" "$home/markers"
  mkdir -p "$home"/{boot,plugins,config} "$module"
  mvn -q -B -Dstyle.color=never -f "$here/pom.xml" -Dopensearch.version="$version" dependency:copy-dependencies \
    -DincludeTypes=jar -DexcludeTransitive=true -DoutputDirectory="$module"
  # Its name is another one in each major version.
  class=$("$jdk/bin/jar" --list --file "$module"/analysis-common-*.jar | sed -nE 's|^org/opensearch/analysis/common/(Common\w*Plugin)\.class$|\1|p')
  printf 'description=%s\nname=%s\nclassname=%s\nversion=%s\nopensearch.version=%s\njava.version=11\n' analysis-common analysis-common \
    "org.opensearch.analysis.common.$class" "$version" "$version" > "$module/plugin-descriptor.properties"
  "$jdk/bin/javac" -nowarn --release 21 -cp "$home/lib/*" -d "$home/boot" "$here"/src/boot/*.java
}

prepared "opensearch-$version" "$here"
