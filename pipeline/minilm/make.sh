#!/usr/bin/env bash
# make.sh DIR: makes the files of this package again, byte for byte, from the
# published checkpoint in DIR, and says how close they are to it.
set -euo pipefail
src=$(realpath "${1:?the folder of the published all-MiniLM-L6-v2}")
here=$(realpath "$(dirname "$0")")
echo "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db  $src/model.safetensors" | sha256sum --check --quiet
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The command embeds what it makes; without it, an empty file will do.
mkdir -p "$here/files"
touch -a "$here/model.safetensors" "$here/files/config.json"
(cd "$here" && go run ../../cmd/ladon quantize -model "$src" -out "$work/int8" -no-heads -texts ../testdata/sentences.txt)

rm -rf "$here/files"
mkdir -p "$here/files/1_Pooling"
cp "$work/int8/model.safetensors" "$here/"
for f in config.json modules.json sentence_bert_config.json tokenizer.json tokenizer_config.json 1_Pooling/config.json; do
  cp "$work/int8/$f" "$here/files/$f"
done
(cd "$here" && sha256sum model.safetensors)
