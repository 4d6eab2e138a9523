#!/bin/sh
# files.sh FOLDER: copies this machine's journalctl to the folder, and the libraries that it needs, each to where it lies here; but
# for glibc and what belongs to the compiler: these are the image's own, which has to be made of the same Debian.
set -eu
to=$1
program=$(command -v journalctl)

# Under the name by which it is looked for, in the real folder.
place() {
  folder=$(readlink -f "$(dirname "$1")")
  mkdir -p "$to$folder"
  cp -L "$1" "$to$folder/"
}

# What a program links to, as the loader finds it. (A slim image has no ldd.)
linked() {
  LD_TRACE_LOADED_OBJECTS=1 "$1" | grep -o '/[^ ()]*\.so[^ ()]*'
}

place "$program"
folder=$(dirname "$(linked "$program" | grep '/libc\.so')")
# Newer ones are loaded by name when a journal needs them.
for name in libzstd.so.1 liblz4.so.1 liblzma.so.5 libgcrypt.so.20 libgpg-error.so.0; do
  library=$(find "$folder" "/usr$folder" -name "$name" 2> /dev/null | head -n 1)
  [ -n "$library" ] || { echo "files.sh: there is no $name" >&2; exit 1; }
  place "$library"
done
linked "$program" | grep -v '/ld-linux\|/lib\(c\|m\|dl\|rt\|pthread\|resolv\|gcc_s\|stdc++\)\.so' | sort -u | while read -r library; do
  place "$library"
done
