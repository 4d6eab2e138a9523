#!/bin/sh
# Runs one Elasticsearch node in the foreground; SIGTERM stops it cleanly. A start takes about 8 s.
# The same script starts it as a child process of the tests and inside the image of infra/docker/backends.
#   ES_HOME, ES_DATA         the folder that prepare.sh printed; folder of data, logs and configuration
#   ES_PORT                  port of HTTP on ES_HOST (127.0.0.1); ES_TRANSPORT_PORT: one more free port
#   ES_HEAP                  768m
#   ES_CPUS                  processors that it has to itself, as taskset has them: all unless given
#   ES_SETTINGS              more lines of elasticsearch.yml; ES_CONFIG: folder of files that belong beside it
set -eu
. "$(dirname "$0")/../java.sh"
java=$(java_home 21 java)/bin/java
heap=${ES_HEAP:-768m}

mkdir -p "$ES_DATA/config" "$ES_DATA/logs"
cat > "$ES_DATA/config/elasticsearch.yml" << Y
cluster.name: sluice
node.name: sluice-1
discovery.type: single-node
http.host: ${ES_HOST:-127.0.0.1}
transport.host: 127.0.0.1
http.port: $ES_PORT
transport.port: $ES_TRANSPORT_PORT
path.data: $ES_DATA/data
path.logs: $ES_DATA/logs
cluster.routing.allocation.disk.threshold_enabled: false
${ES_SETTINGS:-}
Y
[ -z "${ES_CONFIG:-}" ] || cp "$ES_CONFIG"/* "$ES_DATA/config/"
cat > "$ES_DATA/config/log4j2.properties" << 'Y'
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%c{1.}] %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
Y
# x-pack-core is a module of Java's, and finds the server only where that is one too.
jars="-cp $ES_HOME/boot:$ES_HOME/lib/*"
[ ! -d "$ES_HOME/modules/x-pack-core" ] || jars="--module-path $ES_HOME/lib --add-modules=ALL-MODULE-PATH -cp $ES_HOME/boot \
    --enable-native-access=org.elasticsearch.foreign,org.apache.lucene.core"
# No expansion of the star: Java does that.
set -f
# There is no libvec.so on Maven Central; without the flag its absence would switch off libzstd too.
exec ${ES_CPUS:+taskset -c "$ES_CPUS"} "$java" -Xms"$heap" -Xmx"$heap" -XX:+UseG1GC -XX:+ExitOnOutOfMemoryError \
  --add-modules=jdk.incubator.vector --enable-native-access=ALL-UNNAMED \
  -Djava.awt.headless=true -Dlog4j2.disable.jmx=true -Dio.netty.noUnsafe=true -Dio.netty.allocator.numDirectArenas=0 \
  -Dorg.elasticsearch.nativeaccess.enableVectorLibrary=false -Des.path.home="$ES_HOME" -Des.path.conf="$ES_DATA/config" \
  $jars EsMain
