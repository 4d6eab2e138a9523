# Entry of the local Kafka image: KAFKA_SOME_KEY is some.key of server.properties, as in the official image.
export BROKER_HOME=/opt/home BROKER_DATA=/data BROKER_HOST=0.0.0.0 BROKER_PORT=9092 BROKER_CONTROLLER_PORT=9093
BROKER_PROPERTIES=$(env | grep '^KAFKA_' | while IFS='=' read -r name value; do
  key=$(echo "${name#KAFKA_}" | tr 'A-Z_' 'a-z.')
  echo "$key=$value"
done)
export BROKER_PROPERTIES
exec sh /opt/backends/kafka/run.sh
