#!/usr/bin/env bash
# SpiNet-QSM, the dipole stage of QSM-CI: localfield, mask, params -> chimap.
# Only the output folder has to be writable: what libraries cache goes there, for as long
# as the run lasts, and no settings are read from anybody's home.
set -euo pipefail
IN="${1:-/input}"
OUT="${2:-/output}"
HERE="$(cd "$(dirname "$0")" && pwd)"

SCRATCH="$(mktemp -d "$OUT/.scratch-XXXXXX")"
trap 'rm -rf "$SCRATCH"' EXIT
export HOME="$SCRATCH" TMPDIR="$SCRATCH"
unset XDG_CACHE_HOME XDG_CONFIG_HOME MPLCONFIGDIR KERAS_HOME

python3 -B "$HERE/recon.py" "$IN" "$OUT"
