#!/usr/bin/env bash
# Provides what the simulator's tests need of the system: GNU parallel, by which one of them runs the shards of a sweep.
set -euo pipefail

# moreutils has a program of this name that is another one.
parallel --version 2>/dev/null | grep -q '^GNU parallel' && exit 0

# Without it that test skips itself and says so, except in continuous integration.
if [ "$(id -u)" = 0 ] && { [ "${CI:-}" = true ] || [ "${CI:-}" = 1 ]; } && command -v apt-get >/dev/null; then
	echo 'installing parallel'
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends parallel >/dev/null
else
	echo 'GNU parallel is missing; its test is skipped. Debian, Ubuntu: sudo apt-get install parallel.'
fi
