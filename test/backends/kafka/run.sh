#!/bin/sh
# Runs one Kafka broker (KRaft: broker and controller in one process) in the foreground; SIGTERM stops it.
# The same script starts it as a child process of the tests and inside the image of infra/docker/backends.
#   BROKER_HOME              the folder that prepare.sh printed
#   BROKER_DATA              folder of its log and configuration
#   BROKER_PORT              port on BROKER_HOST (127.0.0.1); BROKER_CONTROLLER_PORT: one more free port
#   BROKER_HEAP              512m; BROKER_JAVA_OPTIONS: more options of Java
#   BROKER_PROPERTIES        more lines for server.properties; a later line wins
set -eu
. "$(dirname "$0")/../java.sh"
java=$(java_home 17 java)/bin/java
heap=${BROKER_HEAP:-512m}
host=${BROKER_HOST:-127.0.0.1}

mkdir -p "$BROKER_DATA"
cat > "$BROKER_DATA/server.properties" << P
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$BROKER_CONTROLLER_PORT
listeners=PLAINTEXT://$host:$BROKER_PORT,CONTROLLER://127.0.0.1:$BROKER_CONTROLLER_PORT
advertised.listeners=PLAINTEXT://127.0.0.1:$BROKER_PORT
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$BROKER_DATA/log
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
num.partitions=4
group.initial.rebalance.delay.ms=0
${BROKER_PROPERTIES:-}
P
[ -f "$BROKER_DATA/log/meta.properties" ] ||
  "$java" -Xmx256m -XX:+UseSerialGC -cp "$BROKER_HOME/lib/*" kafka.tools.StorageTool format -t MkU3OEVBNTcwNTJENDM2Qg -c "$BROKER_DATA/server.properties" > "$BROKER_DATA/format.log" 2>&1 ||
  { cat "$BROKER_DATA/format.log" >&2; exit 1; }
exec "$java" -Xms"$heap" -Xmx"$heap" -XX:+UseSerialGC ${BROKER_JAVA_OPTIONS:-} -cp "$BROKER_HOME/lib/*" kafka.Kafka "$BROKER_DATA/server.properties"
