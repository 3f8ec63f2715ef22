#!/bin/sh
# usage: install_test.sh BUILD: what meson installs is complete, and runs from where it lies
set -u
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
n=0
check() {
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}
DESTDIR=$root meson install -C "$1" --no-rebuild --quiet >"$root/log" 2>&1
check $? 'installs'
for name in bin/steward libexec/steward/steward-keeper libexec/steward/steward-gateway libexec/steward/steward-witness share/man/man1/steward.1 share/bash-completion/completions/steward steward.example.yaml LICENSE \
    include/steward/steward.h libsteward.so pkgconfig/libsteward.pc steward/libduckdb.so; do
    found=$(find "$root" -path "*/$name" | head -1)
    [ -n "$found" ]
    check $? "installs $name"
done
program=$(find "$root" -path '*/bin/steward' | head -1)
"$program" --version | grep -q '^DuckDB v'
check $? 'the installed program runs'
ldd "$program" | grep -q "libduckdb.so => $root/"
check $? 'and with the DuckDB that was installed'
library=$(find "$root" -name 'libsteward.so.0' | head -1)
ldd "$library" | grep -q "libduckdb.so => $root/"
check $? 'and so does the library'
echo "1..$n"
