#!/usr/bin/env bash
# Installs what the tests drive and npm cannot bring: a Redis server, a Chromium, nginx and haproxy. It
# installs only what is missing, as root or by sudo, and starts nothing: tests start their own. What
# cannot be installed stops the run where CI is set; elsewhere the run goes on, and the tests that need
# it say that they were skipped.
set -euo pipefail

updated=no

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

lacking() {
  echo "test set-up: unable to install $1; $2" >&2
  if [ -n "${CI:-}" ]; then
    echo "test set-up: CI is set, so the run stops here rather than skip tests" >&2
    exit 1
  fi
  echo "test set-up: going on without it; the tests that need it will say so" >&2
}

# need WORD PACKAGE COMMAND...: one of the commands has to exist, or the package is installed.
need() {
  local word=$1 package=$2 command
  shift 2
  for command in "$@"; do
    if command -v "$command" >/dev/null 2>&1; then
      echo "test set-up: $word is here ($(command -v "$command"))"
      return
    fi
  done
  if ! command -v apt-get >/dev/null 2>&1; then
    lacking "$word" "this machine has no apt-get: install it yourself"
    return
  fi
  if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null 2>&1; then
    lacking "$word" "it takes root or sudo"
    return
  fi
  if [ "$updated" = no ]; then
    echo "test set-up: apt-get update"
    as_root apt-get update -qq </dev/null || echo "test set-up: apt-get update failed; trying the list that is here" >&2
    updated=yes
  fi
  echo "test set-up: installing $word (apt-get install $package)"
  forbid_services
  if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
    "$package" </dev/null >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    lacking "$word" "apt-get install $package failed"
    return
  fi
  # Nor at the next start of the machine.
  if command -v systemctl >/dev/null 2>&1; then
    as_root systemctl disable "$package" >/dev/null 2>&1 || true
  fi
}

# A package that brings a service would start it, on ports that may be somebody's: this is how Debian is told
# not to. What is there already stays; ours goes at the end.
policy=/usr/sbin/policy-rc.d
forbade=no
forbid_services() {
  if [ -e "$policy" ]; then return; fi
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
  as_root chmod 755 "$policy"
  forbade=yes
}

log=$(mktemp)
clean_up() {
  rm -f "$log"
  if [ "$forbade" = yes ]; then as_root rm -f "$policy"; fi
}
trap clean_up EXIT

# What administrators run is not on everybody's path.
PATH=$PATH:/usr/sbin:/usr/local/sbin

# REDIS_SERVER_BIN, CHROMIUM_BIN, NGINX_BIN and HAPROXY_BIN name binaries that are somewhere else.
if [ -n "${REDIS_SERVER_BIN:-}" ]; then
  need 'a Redis server' redis-server "$REDIS_SERVER_BIN"
else
  need 'a Redis server' redis-server redis-server valkey-server
fi
if [ -n "${CHROMIUM_BIN:-}" ]; then
  need Chromium chromium "$CHROMIUM_BIN"
else
  need Chromium chromium chromium chromium-browser google-chrome google-chrome-stable
fi
need nginx nginx "${NGINX_BIN:-nginx}"
need haproxy haproxy "${HAPROXY_BIN:-haproxy}"
