#!/usr/bin/env bash
# Installs from Debian what the tests need beyond Rust, Node and a C compiler: PostgreSQL, Chromium,
# fonts. As root it installs; otherwise it prints the one command that does. Never fails the caller.
set -u
packages=()
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || packages+=(postgresql)
command -v chromium >/dev/null 2>&1 || packages+=(chromium)
fc-list 2>/dev/null | grep -qi 'cjk' || packages+=(fonts-noto-cjk fontconfig)
[ ${#packages[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -eq 0 ]; then
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${packages[@]}"; } >/dev/null 2>&1 \
    || echo "could not install: ${packages[*]}" >&2
else
  echo "For all tests, install as root: apt-get install -y ${packages[*]}" >&2
fi
exit 0
