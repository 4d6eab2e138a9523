# Entry of the local Elasticsearch image. What the official image is told by variables with dots in their names (one node, no security)
# is so here anyway; the heap is taken from ES_JAVA_OPTS.
ES_HEAP=$(echo "${ES_JAVA_OPTS:-}" | sed -nE 's/.*-Xmx([0-9]+[kmgKMG]).*/\1/p')
export ES_HOME=/opt/home ES_DATA=/data ES_HOST=0.0.0.0 ES_PORT=9200 ES_TRANSPORT_PORT=9300 ES_HEAP="${ES_HEAP:-768m}"
exec sh /opt/backends/elasticsearch/run.sh
