# Sourced by the scripts beside it: finds a Java that is new enough. Debian's default may be older than what a server needs.

# java_home MINIMUM PROGRAM: prints the home of a Java of at least that version which has bin/PROGRAM (java or javac).
java_home() {
  for home in "${JAVA_HOME:-}" /usr/lib/jvm/*; do
    [ -x "$home/bin/$2" ] || continue
    version=$("$home/bin/$2" -version 2>&1 | sed -nE '1s/^[^0-9]*([0-9]+).*/\1/p')
    if [ "${version:-0}" -ge "$1" ]; then
      echo "$home"
      return
    fi
  done
  echo "Cannot find Java $1 or newer with $2: set JAVA_HOME" >&2
  return 1
}
