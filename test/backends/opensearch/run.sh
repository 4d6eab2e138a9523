#!/bin/sh
# Runs one OpenSearch node in the foreground; SIGTERM stops it cleanly.
#   OS_HOME, OS_DATA         the folder that prepare.sh printed; folder of data, logs and configuration
#   OS_PORT                  port of HTTP on 127.0.0.1; OS_TRANSPORT_PORT: one more free port
#   OS_HEAP                  1g
set -eu
. "$(dirname "$0")/../java.sh"
java=$(java_home 21 java)/bin/java
heap=${OS_HEAP:-1g}

mkdir -p "$OS_DATA/config" "$OS_DATA/logs"
cat > "$OS_DATA/config/opensearch.yml" << Y
cluster.name: sluice
node.name: sluice-1
discovery.type: single-node
network.host: 127.0.0.1
http.port: $OS_PORT
transport.port: $OS_TRANSPORT_PORT
path.data: $OS_DATA/data
path.logs: $OS_DATA/logs
cluster.routing.allocation.disk.threshold_enabled: false
indices.breaker.total.use_real_memory: false
Y
cat > "$OS_DATA/config/log4j2.properties" << 'Y'
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%c{1.}] %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
Y
# The options of G1 are those of its own jvm.options. By default it refuses requests by how full the heap is, garbage
# included: a small one is full of garbage at any time, so only what requests are counted with is asked here.
exec "$java" -Xms"$heap" -Xmx"$heap" -XX:+UseG1GC -XX:G1ReservePercent=25 -XX:InitiatingHeapOccupancyPercent=30 \
  -XX:+ExitOnOutOfMemoryError --add-modules=jdk.incubator.vector \
  --enable-native-access=ALL-UNNAMED -Djava.awt.headless=true -Dlog4j2.disable.jmx=true -Dopensearch.path.home="$OS_HOME" \
  -Dopensearch.path.conf="$OS_DATA/config" -cp "$OS_HOME/boot:$OS_HOME/lib/*" OsMain
