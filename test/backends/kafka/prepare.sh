#!/usr/bin/env bash
# Fetches the jars of a Kafka broker from Maven Central (54 MB, once) and prints the folder that run.sh needs. Needs mvn.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../prepared.sh"

build() {
  mvn -q -B -Dstyle.color=never -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$1/lib" -DincludeScope=runtime
}

prepared kafka "$here"
