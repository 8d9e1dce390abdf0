#!/bin/sh
# Make d3.js anew, from the packages that package-lock.json pins by their hashes.
# Needed only to change versions or entry.js; what comes out is committed.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp entry.js package.json package-lock.json "$work"
(cd "$work" && npm ci --silent --no-audit --no-fund &&
  npx esbuild entry.js --bundle --minify --format=iife --target=es2020 \
    --global-name=nnperf.d3 --legal-comments=none --outfile=d3.js --log-level=error)
{
  echo "/* d3 (modules in package.json), Copyright Mike Bostock, ISC license: LICENSE */"
  cat "$work/d3.js"
} > d3.js
sha256sum d3.js > d3.js.sha256
