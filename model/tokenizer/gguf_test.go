package tokenizer

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// readVocabulary reads the vocabulary of a GGUF file that the tests trust.
func readVocabulary(t testing.TB, name string) *Vocabulary {
	f, err := os.Open(name)
	if err != nil {
		t.Skip("no such vocabulary: ", err)
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<16)
	number := func(size int) uint64 {
		var b [8]byte
		_, err := io.ReadFull(r, b[:size])
		require.NoError(t, err)
		return binary.LittleEndian.Uint64(b[:])
	}
	str := func() string {
		b := make([]byte, number(8))
		_, err := io.ReadFull(r, b)
		require.NoError(t, err)
		return string(b)
	}
	var value func(kind uint64) any
	value = func(kind uint64) any {
		switch kind {
		case 0, 1, 7:
			return number(1)
		case 2, 3:
			return number(2)
		case 4, 5, 6:
			return number(4)
		case 8:
			return str()
		case 9:
			kind, n := number(4), number(8)
			list := make([]any, n)
			for i := range list {
				list[i] = value(kind)
			}
			return list
		}
		return number(8)
	}
	require.EqualValues(t, 0x46554747, number(4))
	number(4)
	number(8)
	v := &Vocabulary{Roles: map[string]int32{}}
	flag := func(x any) *bool { b := x.(uint64) != 0; return &b }
	for range number(8) {
		key := str()
		x := value(number(4))
		key, ours := strings.CutPrefix(key, "tokenizer.ggml.")
		if !ours {
			continue
		}
		switch key {
		case "model":
			v.Model = x.(string)
		case "pre":
			v.Pre = x.(string)
		case "tokens":
			for _, s := range x.([]any) {
				v.Tokens = append(v.Tokens, s.(string))
			}
		case "merges":
			for _, s := range x.([]any) {
				v.Merges = append(v.Merges, s.(string))
			}
		case "scores":
			for _, s := range x.([]any) {
				v.Scores = append(v.Scores, math.Float32frombits(uint32(s.(uint64))))
			}
		case "token_type":
			for _, s := range x.([]any) {
				v.Types = append(v.Types, int32(s.(uint64)))
			}
		case "add_bos_token":
			v.AddBOS = flag(x)
		case "add_eos_token":
			v.AddEOS = flag(x)
		case "add_space_prefix":
			v.AddSpacePrefix = flag(x)
		}
		names := map[string]string{"seperator": "sep", "padding": "pad", "unknown": "unk"}
		if role, ok := strings.CutSuffix(key, "_token_id"); ok {
			if short := names[role]; short != "" {
				role = short
			}
			v.Roles[role+"_token"] = int32(x.(uint64))
		}
	}
	return v
}

// vocabDir holds llama.cpp's vocabularies; they are not part of the repository.
func vocabDir() string {
	if dir := os.Getenv("LADON_TEST_VOCAB"); dir != "" {
		return dir + "/"
	}
	return "../../../shared/models/vocab/"
}

// TestVectors gives llama.cpp's tricky strings to its vocabularies.
func TestVectors(t *testing.T) {
	for _, name := range []string{"gpt-2", "llama-spm", "bert-bge"} {
		t.Run(name, func(t *testing.T) {
			path := vocabDir() + "ggml-vocab-" + name + ".gguf"
			tok, err := FromVocabulary(name, readVocabulary(t, path))
			require.NoError(t, err)
			in, err := os.ReadFile(path + ".inp")
			require.NoError(t, err)
			out, err := os.ReadFile(path + ".out")
			require.NoError(t, err)
			texts := strings.Split(strings.TrimSuffix(string(in), "\n__ggml_vocab_test__\n"), "\n__ggml_vocab_test__\n")
			lines := strings.Split(string(bytes.TrimSuffix(out, []byte("\n"))), "\n")
			require.Equal(t, len(lines), len(texts))
			require.Greater(t, len(texts), 40)
			var enc Encoding
			for i, text := range texts {
				want := []int32{}
				for _, s := range strings.Fields(lines[i]) {
					id, err := strconv.Atoi(s)
					require.NoError(t, err)
					want = append(want, int32(id))
				}
				enc.Reset()
				_, err := tok.AppendEncode(&enc, text, Options{NoSpecial: true})
				require.NoError(t, err)
				require.Equal(t, want, append([]int32{}, enc.IDs...), fmt.Sprintf("text %d: %q", i, text))
				if name != "bert-bge" {
					require.Equal(t, text, tok.Decode(enc.IDs, false), "back")
				}
			}
		})
	}
}
