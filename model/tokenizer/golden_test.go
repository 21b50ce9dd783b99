package tokenizer

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// goldenFile is testdata/golden.json.gz, which testdata/golden.py makes with the reference library.
type goldenFile struct {
	Texts      []string
	Vocab      map[string]int32
	Tokenizers []struct {
		Name   string
		Config map[string]any
		Cases  []goldenCase
	}
	MiniLM []goldenCase // one for each text
}

type goldenCase struct {
	Text, Pair       int
	Special, Windows bool
	Error            bool

	IDs, Types, Spans, Words []int32
	Ends                     []int
	Other                    map[int]string // tokens that are not the vocabulary's
	Decoded                  *string        // nil where the reference names an added token by its normalized form
}

// readGzip reads a file of goldens.
func readGzip[T any](name string) (*T, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	v := new(T)
	return v, json.NewDecoder(z).Decode(v)
}

// Both files are read once for all tests, which leave them as they are.
var (
	theGoldens = sync.OnceValues(func() (*goldenFile, error) { return readGzip[goldenFile]("testdata/golden.json.gz") })
	theKinds   = sync.OnceValues(func() (*kindsFile, error) { return readGzip[kindsFile]("testdata/kinds.json.gz") })
)

func readGolden(t testing.TB) *goldenFile {
	g, err := theGoldens()
	require.NoError(t, err)
	require.NotEmpty(t, g.Tokenizers)
	return g
}

func loadGolden(t testing.TB, g *goldenFile, config map[string]any) *Tokenizer {
	config["model"].(map[string]any)["vocab"] = g.Vocab
	data, err := json.Marshal(config)
	require.NoError(t, err)
	tok, err := Load("golden.json", data)
	require.NoError(t, err)
	return tok
}

func TestGolden(t *testing.T) {
	g := readGolden(t)
	var enc Encoding
	for _, c := range g.Tokenizers {
		t.Run(c.Name, func(t *testing.T) {
			fast := loadGolden(t, g, c.Config)
			slow := *fast
			slow.ascii.usable, slow.bytes.usable = false, false
			require.NotEmpty(t, c.Cases)
			for _, want := range c.Cases {
				checkGolden(t, g, fast, &enc, want)
				checkGolden(t, g, &slow, &enc, want)
			}
		})
	}
}

func checkGolden(t *testing.T, g *goldenFile, tok *Tokenizer, enc *Encoding, want goldenCase) {
	t.Helper()
	o := Options{NoSpecial: !want.Special}
	text := g.Texts[want.Text]
	if want.Pair >= 0 {
		o.Pair, o.HasPair = g.Texts[want.Pair], true
	}
	what := fmt.Sprintf("text %q, pair %q, fast %v", text, o.Pair, tok.ascii.usable)
	enc.Reset()
	var ends []int
	var err error
	if want.Windows {
		ends, err = tok.AppendWindows(enc, nil, text, o, -1)
	} else {
		_, err = tok.AppendEncode(enc, text, o)
		ends = []int{enc.Len()}
	}
	if want.Error {
		require.Error(t, err, what)
		return
	}
	require.NoError(t, err, what)
	require.Equal(t, want.IDs, append([]int32{}, enc.IDs...), what)
	require.Equal(t, want.Types, append([]int32{}, enc.TypeIDs...), what)
	require.Equal(t, want.Words, append([]int32{}, enc.Words...), what)
	require.Equal(t, want.Ends, ends, what)
	spans := []int32{}
	for i, s := range enc.Offsets {
		spans = append(spans, s.Start, s.End)
		require.Equal(t, enc.Words[i] < 0, enc.Sequences[i] < 0, what)
	}
	require.Equal(t, want.Spans, spans, what)
	for i, token := range tok.AppendTokens(nil, enc) {
		expected, ok := want.Other[i]
		if !ok {
			expected, ok = tok.IDToToken(enc.IDs[i])
			require.True(t, ok, what)
		}
		require.Equal(t, expected, token, what)
	}
	if want.Decoded != nil {
		require.Equal(t, *want.Decoded, tok.Decode(enc.IDs, want.Special), what)
	}

	// Without offsets and in a batch the ids are the same.
	if !want.Windows {
		o.IDsOnly = true
		n := enc.Len()
		_, err = tok.AppendEncode(enc, text, o)
		require.NoError(t, err, what)
		require.Equal(t, enc.IDs[:n], enc.IDs[n:], what)
		require.Equal(t, enc.TypeIDs[:n], enc.TypeIDs[n:], what)
		require.Len(t, enc.Offsets, n, what)
	}
}

// miniLM is the tokenizer of the embedded model, with a real vocabulary.
func miniLM(t testing.TB) *Tokenizer {
	tok, err := LoadFS(os.DirFS("../../pipeline/minilm/files"), ".")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the embedded model is not there: ", err)
	}
	require.NoError(t, err)
	return tok
}

func TestRealVocabulary(t *testing.T) {
	tok := miniLM(t)
	tok.truncation = nil
	g := readGolden(t)
	require.Len(t, g.MiniLM, len(g.Texts))
	var enc Encoding
	for i, want := range g.MiniLM {
		want.Text, want.Pair, want.Special = i, -1, true
		checkGolden(t, g, tok, &enc, want)
	}
}

// TestCodePoints compares what every normalizer and pre-tokenizer does to every code point with the reference library.
func TestCodePoints(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("a million code points, twenty times over")
	}
	data, err := os.ReadFile("testdata/codepoints.json")
	require.NoError(t, err)
	var lines []struct {
		Normalizer   json.RawMessage
		PreTokenizer json.RawMessage `json:"pre_tokenizer"`
		SHA256       string
	}
	require.NoError(t, json.Unmarshal(data, &lines))
	require.Len(t, lines, 21)
	classes := newClasses()
	for _, line := range lines {
		t.Run(string(line.Normalizer)+string(line.PreTokenizer), func(t *testing.T) {
			t.Parallel()
			h := sha256.New()
			var x text
			each := func(f func(s string)) {
				for r := rune(0); r < 0x110000; r++ {
					if r < 0xD800 || r >= 0xE000 {
						f(string(r))
					}
				}
			}
			if line.Normalizer != nil {
				n, err := newNormalizer(line.Normalizer, classes)
				require.NoError(t, err)
				each(func(s string) {
					x.load(s, 0)
					n.normalize(&x)
					h.Write(append(x.buf, '\n'))
				})
			} else {
				p, err := newPreTokenizer(line.PreTokenizer, classes)
				require.NoError(t, err)
				each(func(s string) {
					x.load("a"+s+"b", 0)
					x.parts = append(x.parts[:0], part{a: 0, b: len(x.buf)})
					p.preTokenize(&x)
					fmt.Fprint(h, len(x.parts))
				})
			}
			require.Equal(t, line.SHA256, hex.EncodeToString(h.Sum(nil)))
		})
	}
}
