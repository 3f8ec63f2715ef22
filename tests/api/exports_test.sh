#!/bin/sh
# usage: exports_test.sh LIBRARY: nothing but sw_* is exported
out=$(nm -D --defined-only "$1" | awk '{ sub(/@.*/, "", $3); print $3 }')
others=$(printf '%s\n' "$out" | grep -v '^sw_')
count=$(printf '%s\n' "$out" | grep -c '^sw_')
echo 1..2
if [ -z "$others" ]; then echo 'ok 1 - exports sw_* only'; else echo "not ok 1 - exports also: $others"; fi
if [ "$count" -ge 14 ]; then echo 'ok 2 - exports the whole header'; else echo "not ok 2 - exports $count"; fi
