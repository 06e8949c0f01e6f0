#!/bin/sh
# save.sh safe|unsafe FILE: writes a report to FILE by way of a temporary file.
set -eu
case $1 in
unsafe)
	tmp=${TMPDIR:-/tmp}/report.$$
	echo report >"$tmp"
	;;
safe)
	umask 077
	tmp=$(mktemp)
	trap 'rm -f "$tmp"' EXIT
	echo report >"$tmp"
	;;
esac
cat "$tmp" >"$2"
rm "$tmp"
