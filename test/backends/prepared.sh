# Sourced by the prepare scripts: a folder of prepared parts in the user's cache, named by the content of what it is made from,
# so that a change of a pom or a source makes a new one, and laid down by a rename, so that two who prepare at once do no harm.

# prepared NAME SOURCE_FOLDER: prints the folder; calls `build FOLDER` first where it is not there.
prepared() {
  local hash # `home` is read by the trap, after our end.
  hash=$(cd "$2" && find . -type f ! -name run.sh | LC_ALL=C sort | xargs cat | sha256sum | cut -c1-12)
  home=${XDG_CACHE_HOME:-$HOME/.cache}/sluice-backends/$1-$hash
  if [ ! -d "$home" ]; then
    mkdir -p "$home.$$"
    trap 'rm -rf "$home.$$"' EXIT
    build "$home.$$" >&2
    mv -T "$home.$$" "$home" 2> /dev/null || [ -d "$home" ]
  fi
  echo "$home"
}
