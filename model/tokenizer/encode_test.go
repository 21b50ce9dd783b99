package tokenizer

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// bertGolden is the first golden tokenizer: BERT's, uncased, over the small vocabulary.
func bertGolden(t testing.TB) *Tokenizer {
	g := readGolden(t)
	return loadGolden(t, g, g.Tokenizers[0].Config)
}

func encode(t testing.TB, tok *Tokenizer, text string, o Options) *Encoding {
	var enc Encoding
	_, err := tok.AppendEncode(&enc, text, o)
	require.NoError(t, err)
	return &enc
}

func TestInvalidUTF8(t *testing.T) {
	tok, err := Load("t", []byte(tiny(map[string]string{"normalizer": "null", "model": `{"vocab":{"[UNK]":0,"[CLS]":1,"[SEP]":2,"a":3,"�":4,"##�":5,"##a":6},"max_input_chars_per_word":50}`})))
	require.NoError(t, err)
	enc := encode(t, tok, "a\xff\xfea \xe4\xb8", Options{})
	require.Equal(t, []string{"a", "##�", "##�", "##a", "�", "##�"}, tok.AppendTokens(nil, enc))
	require.Equal(t, []Span{{0, 1}, {1, 2}, {2, 3}, {3, 4}, {5, 6}, {6, 7}}, enc.Offsets)

	bert := bertGolden(t)
	require.Equal(t, encode(t, bert, "hello", Options{}).IDs, encode(t, bert, "hel\xfflo\xf0\x9f", Options{}).IDs)

	for _, c := range []struct {
		text, pair string
		second     bool
		at         int
	}{{"ab\xffcd", "", false, 2}, {"\ufffd\xc3", "", false, 3}, {"fine", "é\xe9", true, 2}} {
		enc.Reset()
		_, err := bert.AppendEncode(enc, c.text, Options{Pair: c.pair, Strict: true})
		var bad *InvalidUTF8Error
		require.ErrorAs(t, err, &bad)
		require.Equal(t, InvalidUTF8Error{c.second, c.at}, *bad)
		require.Zero(t, enc.Len())
	}
	_, err = bert.AppendEncode(enc, "fine \ufffd", Options{Strict: true})
	require.NoError(t, err)
}

func TestMaxLen(t *testing.T) {
	tok := bertGolden(t)
	text := strings.Repeat("hello world ", 100)
	for _, c := range []struct {
		name string
		o    Options
		want int
		cut  bool
	}{
		{"unlimited", Options{}, 202, false},
		{"no limit", Options{MaxLen: -1}, 202, false},
		{"exact", Options{MaxLen: 202}, 202, false},
		{"one less", Options{MaxLen: 201}, 201, true},
		{"few", Options{MaxLen: 5}, 5, true},
		{"specials only", Options{MaxLen: 2}, 2, true},
		{"without specials", Options{MaxLen: 5, NoSpecial: true}, 5, true},
		{"pair", Options{MaxLen: 10, Pair: "hello"}, 10, true},
		{"empty pair", Options{HasPair: true, MaxLen: 10}, 10, true},
	} {
		var enc Encoding
		cut, err := tok.AppendEncode(&enc, text, c.o)
		require.NoError(t, err, c.name)
		require.Equal(t, c.cut, cut, c.name)
		require.Equal(t, c.want, enc.Len(), c.name)
	}
	var enc Encoding
	_, err := tok.AppendEncode(&enc, text, Options{MaxLen: 1})
	require.ErrorIs(t, err, ErrTooShort)
	require.ErrorContains(t, err, "golden.json")
	require.Zero(t, enc.Len())

	// The odd token goes to the longer text, which must be known although both are cut.
	long, longer := strings.Repeat("a ", 30), strings.Repeat("b ", 31)
	a := encode(t, tok, long, Options{Pair: longer, MaxLen: 10})
	require.Equal(t, []int8{-1, 0, 0, 0, -1, 1, 1, 1, 1, -1}, a.Sequences)
	b := encode(t, tok, longer, Options{Pair: long, MaxLen: 10})
	require.Equal(t, []int8{-1, 0, 0, 0, 0, -1, 1, 1, 1, -1}, b.Sequences)
}

func TestCut(t *testing.T) {
	tok := bertGolden(t)
	for _, c := range []struct {
		cut  Cut
		want string
	}{
		{CutAsFile, "[CLS] a b [SEP] e f [SEP]"},
		{CutLongest, "[CLS] a b [SEP] e f [SEP]"},
		{CutFirst, "[CLS] a [SEP] e f g [SEP]"},
		{CutSecond, "[CLS] a b c [SEP] e [SEP]"},
	} {
		o := Options{Pair: "e f g", MaxLen: 7, Cut: c.cut}
		var enc Encoding
		cut, err := tok.AppendEncode(&enc, "a b c", o)
		require.NoError(t, err)
		require.True(t, cut)
		require.Equal(t, strings.Fields(c.want), tok.AppendTokens(nil, &enc))
	}
	var enc Encoding
	ends, err := tok.AppendWindows(&enc, nil, "a b", Options{Pair: "c d e f", MaxLen: 7, Cut: CutSecond}, 1)
	require.NoError(t, err)
	require.Equal(t, []int{7, 14, 21}, ends)
	require.Equal(t, strings.Fields("[CLS] a b [SEP] c d [SEP] [CLS] a b [SEP] d e [SEP] [CLS] a b [SEP] e f [SEP]"), tok.AppendTokens(nil, &enc))
	enc.Reset()
	_, err = tok.AppendEncode(&enc, strings.Repeat("a ", 9), Options{Pair: "c", MaxLen: 7, Cut: CutSecond})
	require.ErrorIs(t, err, ErrTooShort)
}

func TestUnknownAndPieces(t *testing.T) {
	tok := bertGolden(t)
	id, ok := tok.UnknownID()
	require.True(t, ok)
	token, _ := tok.IDToToken(id)
	require.Equal(t, "[UNK]", token)
	require.True(t, tok.MarksPieces())
}

func TestWindows(t *testing.T) {
	tok := bertGolden(t)
	var enc Encoding
	ends, err := tok.AppendWindows(&enc, nil, "a b c d e", Options{MaxLen: 5}, 1)
	require.NoError(t, err)
	require.Equal(t, []int{5, 10}, ends)
	require.Equal(t, strings.Fields("[CLS] a b c [SEP] [CLS] c d e [SEP]"), tok.AppendTokens(nil, &enc))

	// A second call goes on in the same encoding.
	ends, err = tok.AppendWindows(&enc, ends, "a", Options{MaxLen: 5}, 1)
	require.NoError(t, err)
	require.Equal(t, []int{5, 10, 13}, ends)

	_, err = tok.AppendWindows(&enc, nil, "a b c d e", Options{MaxLen: 5}, 3)
	require.ErrorContains(t, err, "a stride of 3 is not less than the 3 tokens of a window")
	_, err = tok.AppendWindows(&enc, nil, "a b c d e", Options{MaxLen: 2}, 0)
	require.ErrorIs(t, err, ErrTooShort)
	require.Equal(t, 13, enc.Len())
}

// TestStretches gives the general path stretches that it takes in parts, and compares them with the text as a whole.
func TestStretches(t *testing.T) {
	g := readGolden(t)
	rng := rand.New(rand.NewPCG(5, 6))
	units := [][]string{
		{"é", "中", "ab", "。", "\u0301", "x", "-", "豈", "\u3000", "\x0b", "\u00a0", "각", "\u0085", "❤️", "=\u0338"},
		{"ß", "é", "z", "\u0323\u0301"},
		{"本", "文", "字", "é", "\u0301"},
	}
	for _, c := range g.Tokenizers {
		fast := loadGolden(t, g, c.Config)
		if !fast.ascii.usable || strings.HasPrefix(c.Name, "cut ") {
			continue
		}
		slow := *fast
		slow.ascii.usable, slow.bytes.usable = false, false
		for _, set := range units {
			var b strings.Builder
			for b.Len() < 4*softLimit {
				b.WriteString(set[rng.IntN(len(set))])
			}
			x, y := encode(t, fast, b.String(), Options{}), encode(t, &slow, b.String(), Options{})
			require.Equal(t, y.IDs, x.IDs, c.Name)
			require.Equal(t, y.Offsets, x.Offsets, c.Name)
			require.Equal(t, y.Words, x.Words, c.Name)
		}
	}
}

func TestLongTokens(t *testing.T) {
	long, rest := strings.Repeat("a", 63), strings.Repeat("b", 80)
	tok, err := Load("t", []byte(tiny(map[string]string{
		"model": `{"vocab":{"[UNK]":0,"[CLS]":1,"[SEP]":2,"a":3,"` + long + `":4,"##` + rest + `":5,"##b":6},"max_input_chars_per_word":500}`,
	})))
	require.NoError(t, err)
	require.Equal(t, []int32{4, 5, 6}, encode(t, tok, long+rest+"b", Options{}).IDs)
	require.Equal(t, []int32{3, 5, 5}, encode(t, tok, "a"+rest+rest, Options{}).IDs)
}

func TestMatcher(t *testing.T) {
	patterns := []string{"b", "ab", "abcd", "abcde", "a", "bcx", "ab", "é", "e\u0301"}
	tokens := make([]*AddedToken, len(patterns))
	for i := range tokens {
		tokens[i] = &AddedToken{ID: int32(i)}
	}
	m := newMatcher(patterns, tokens)
	for text, want := range map[string][]int32{
		"":           nil,
		"xyz":        nil,
		"abcd":       {2},
		"abcde":      {3},
		"abcdx":      {2},
		"abc":        {1},
		"aab":        {4, 1},
		"abbcxb":     {1, 5, 0},
		"bc":         {0},
		"xéxe\u0301": {7, 8},
		"\xc3":       nil,
	} {
		var got []int32
		f := finder{m: m, classes: newClasses(), s: text}
		at := 0
		for {
			p, ok := f.next()
			if !ok {
				break
			}
			require.Equal(t, at, p.a, text)
			at = p.b
			if p.token != nil {
				got = append(got, p.token.ID)
			}
		}
		require.Equal(t, len(text), at, text)
		require.Equal(t, want, got, text)
	}
	require.Nil(t, newMatcher(nil, nil))
}

// TestSurfaces follows the text of added tokens through batches and cuts.
func TestSurfaces(t *testing.T) {
	tok, err := Load("t", []byte(tiny(map[string]string{
		"added_tokens": `[{"id":6,"content":"[MASK]","lstrip":true,"special":true}]`,
		"truncation":   `{"max_length":2,"strategy":"LongestFirst","direction":"Left","stride":0}`,
	})))
	require.NoError(t, err)
	var enc Encoding
	for _, text := range []string{"a  [MASK] c", "a c  [MASK]", "[MASK] a a"} {
		_, err = tok.AppendEncode(&enc, text, Options{})
		require.NoError(t, err)
	}
	require.Equal(t, []string{"  [MASK]", "c", "c", "  [MASK]", "a", "a"}, tok.AppendTokens(nil, &enc))
}

func TestOnlyOneMayBeCut(t *testing.T) {
	for strategy, second := range map[string]bool{"OnlyFirst": false, "OnlySecond": true} {
		tok, err := Load("t", []byte(tiny(map[string]string{"truncation": `{"max_length":4,"strategy":"` + strategy + `","stride":0}`})))
		require.NoError(t, err)
		for n := range 7 {
			fixed, cut := strings.Repeat("a ", n), "c c c"
			text, o := cut, Options{Pair: fixed, HasPair: true}
			if second {
				text, o.Pair = fixed, cut
			}
			var enc Encoding
			_, err := tok.AppendEncode(&enc, text, o)
			if n >= 4 {
				require.ErrorIs(t, err, ErrTooShort, n)
				continue
			}
			require.NoError(t, err, n)
			require.Equal(t, min(4, n+3), enc.Len(), n)
		}
		_, err = tok.AppendEncode(&Encoding{}, "a a a a a", Options{})
		require.Equal(t, second, err != nil)
	}
}

func TestAppend(t *testing.T) {
	tok := bertGolden(t)
	texts := []string{"Hello, world!", "", "中文 and [MASK] é", "unaffable " + strings.Repeat("x", 200)}
	var all Encoding
	at := 0
	for _, text := range texts {
		_, err := tok.AppendEncode(&all, text, Options{})
		require.NoError(t, err)
		one := encode(t, tok, text, Options{})
		require.Equal(t, one.IDs, all.IDs[at:])
		require.Equal(t, one.Offsets, all.Offsets[at:])
		require.Equal(t, one.Words, all.Words[at:])
		at = all.Len()
	}
}

func TestLookups(t *testing.T) {
	tok := bertGolden(t)
	id, ok := tok.TokenToID("unaffable")
	require.False(t, ok, id)
	id, ok = tok.TokenToID("##aff")
	require.True(t, ok)
	token, ok := tok.IDToToken(id)
	require.True(t, ok)
	require.Equal(t, "##aff", token)
	for _, id := range []int32{-1, 1 << 30, int32(tok.VocabSize())} {
		_, ok = tok.IDToToken(id)
		require.False(t, ok)
	}
	require.Equal(t, 2, tok.SpecialCount(false))
	require.Equal(t, 3, tok.SpecialCount(true))
	require.Zero(t, tok.MaxLen())
}

func TestDecode(t *testing.T) {
	tok := bertGolden(t)
	ids := func(tokens string) (ids []int32) {
		for _, token := range strings.Fields(tokens) {
			id, ok := tok.TokenToID(token)
			require.True(t, ok, token)
			ids = append(ids, id)
		}
		return ids
	}
	for in, want := range map[string]string{
		"":                             "",
		"[CLS] hello world ! [SEP]":    "hello world!",
		"un ##aff ##able , the cafe .": "unaffable, the cafe.",
		"##ing hello":                  "##ing hello",
		"hello ##ing [MASK]":           "helloing",
		"don ##'t":                     "don't",
		"hello ' world":                "hello ' world",
		"[UNK]":                        "",
		"a [PAD] [PAD]":                "a",
		"中 文":                          "中 文",
	} {
		require.Equal(t, want, tok.Decode(ids(in), true), in)
	}
	require.Equal(t, "[CLS] a [SEP]", tok.Decode(ids("[CLS] a [SEP]"), false))
	require.Equal(t, "a b", tok.Decode(append(ids("a"), -7, 1<<30, ids("b")[0]), true))
	require.Equal(t, "so: hello", string(tok.AppendDecode([]byte("so: "), ids("hello"), true)))
}

func TestNoAllocations(t *testing.T) {
	g := readGolden(t)
	for _, c := range g.Tokenizers {
		switch c.Name {
		case "uncased", "cased", "no normalizer", "NFC", "NFKD without accents, lower", "added tokens", "cut 9 3 LongestFirst Right":
		default:
			continue
		}
		tok := loadGolden(t, g, c.Config)
		texts := []string{"Hello, world! unaffable", "Zürich é e\u0301 \u00e0\u0323 ǰ", "中文日本 한국어 각", "👍🏽 السلام [MASK] ab AB [X]", strings.Repeat("x", 1000)}
		var enc Encoding
		run := func() {
			enc.Reset()
			for i, text := range texts {
				if _, err := tok.AppendEncode(&enc, text, Options{Pair: texts[(i+1)%len(texts)], IDsOnly: i == 0}); err != nil {
					t.Fatal(err)
				}
			}
		}
		require.Zero(t, testing.AllocsPerRun(20, run), c.Name)
	}
}

// TestLongLines encodes single lines of megabytes: in linear time, and where the text will be cut without reading on.
func TestLongLines(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("megabytes of text")
	}
	tok := bertGolden(t)
	const size = 4 << 20
	for name, unit := range map[string]string{
		"words": "hello unaffable world ", "one word": "x", "one accented word": "é", "punctuation": ".", "ideographs": "中",
		"fullwidth": "，中", "marks": "\u0301", "reordered marks": "\u0301\u0323\u302e", "spaces": " ", "nothing": "\x00", "hyphens and accents": "a-é-",
		"brackets": "[", "almost a token": "[MASK", "emoji": "👍🏽", "invalid": "\xff", "hangul": "각",
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Repeat(unit, size/len(unit))
			var enc Encoding
			start := time.Now()
			_, err := tok.AppendEncode(&enc, text, Options{})
			require.NoError(t, err)
			require.Less(t, time.Since(start), 30*time.Second)
			full := append([]int32{}, enc.IDs...)

			enc = Encoding{}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err = tok.AppendEncode(&enc, text, Options{MaxLen: 128})
			runtime.ReadMemStats(&after)
			require.NoError(t, err)
			n := min(len(full), 128) - 1
			require.Equal(t, full[:n], enc.IDs[:n])
			if strings.Contains("words punctuation ideographs fullwidth hyphens and accents emoji brackets", name) && name != "emoji" {
				require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
			}
		})
	}
}

func TestConcurrent(t *testing.T) {
	tok := bertGolden(t)
	texts := readGolden(t).Texts
	var want []*Encoding
	for _, text := range texts {
		want = append(want, encode(t, tok, text, Options{}))
	}
	var wg sync.WaitGroup
	for k := range 8 {
		wg.Go(func() {
			var enc Encoding
			for i := range texts {
				i = (i + k*31) % len(texts)
				enc.Reset()
				if _, err := tok.AppendEncode(&enc, texts[i], Options{}); err != nil {
					t.Error(err)
				}
				if !slices.Equal(enc.IDs, want[i].IDs) || tok.Decode(enc.IDs, true) != tok.Decode(want[i].IDs, true) {
					t.Errorf("%q: %v, alone %v", texts[i], enc.IDs, want[i].IDs)
				}
			}
		})
	}
	wg.Wait()
}

// Literal makes text of what spells special tokens, in the text and in its pair, and of nothing else.
func TestLiteral(t *testing.T) {
	tok, err := FromVocabulary("v", &Vocabulary{
		Model: "gpt2", Pre: "gpt-2", Tokens: []string{"<|end|>", "<", ">", "|", "e", "n", "d", "Ġ", "hello", "h", "l", "o"},
		Types: []int32{3, 1, 1, 1, 1, 1, 1, 1, 4, 1, 1, 1}, Merges: []string{},
	})
	require.NoError(t, err)
	end := []int32{1, 3, 4, 5, 6, 3, 2}
	for _, c := range []struct {
		o    Options
		want []int32
	}{
		{Options{}, []int32{4, 0, 8, 0}},
		{Options{Literal: true}, slices.Concat([]int32{4}, end, []int32{8}, end)},
		{Options{Literal: true, Pair: "<|end|>"}, slices.Concat([]int32{4}, end, []int32{8}, end, end)},
		{Options{NoSpecial: true}, []int32{4, 0, 8, 0}}, // which is about the template
	} {
		var enc Encoding
		_, err := tok.AppendEncode(&enc, "e<|end|>hello<|end|>", c.o)
		require.NoError(t, err)
		require.Equal(t, c.want, enc.IDs, c.o)
	}
}
