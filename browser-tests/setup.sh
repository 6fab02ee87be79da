#!/usr/bin/env bash
# Makes ready what the browser tests need: Node's packages by the lock file, and Chromium. What is there already is kept.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

command -v node >/dev/null && [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || {
	echo 'Node.js 20 or later is missing. Debian: apt-get install nodejs npm. Elsewhere: https://nodejs.org.' >&2
	exit 1
}

# The stamp tells whether the packages are those of the lock file.
stamp=node_modules/.lock-file
if ! cmp -s package-lock.json "$stamp"; then
	npm ci --no-progress --loglevel=error
	cp package-lock.json "$stamp"
fi

packages=()
[ -n "${CHROMIUM:-}" ] || command -v chromium >/dev/null || packages+=(chromium)
# The tests behind kernel NATs need these. coturn's package may start a TURN server for everybody, so nobody's own computer gets it
# unasked.
if [ "$(id -u)" = 0 ] && { [ "${CI:-}" = true ] || [ "${CI:-}" = 1 ]; }; then
	command -v ip >/dev/null || packages+=(iproute2)
	command -v sysctl >/dev/null || packages+=(procps)
	command -v nft >/dev/null || packages+=(nftables)
	command -v turnserver >/dev/null || packages+=(coturn)
fi
[ ${#packages[@]} -gt 0 ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	echo "installing ${packages[*]}"
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
else
	echo "missing: ${packages[*]}. Debian, Ubuntu: sudo apt-get install ${packages[*]}." >&2
	echo 'Another Chromium or Chrome can be named with CHROMIUM=/path/to/chromium.' >&2
	exit 1
fi
