package tokenizer

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// piecesFile is testdata/pieces.json.gz, which testdata/pieces.py makes with SentencePiece.
type piecesFile struct {
	Texts   []string
	Folders []piecesFolder
}

type piecesFolder struct {
	Name  string
	Files map[string]struct{ Model, Charsmap, JSON string }
	Cases []struct {
		Text, Pair int
		Special    bool
		IDs, Types []int32
		Decode     []int32
		Decoded    *string
	}
}

var thePieces = sync.OnceValues(func() (*piecesFile, error) { return readGzip[piecesFile]("testdata/pieces.json.gz") })

func readPieces(t testing.TB) *piecesFile {
	g, err := thePieces()
	require.NoError(t, err)
	require.NotEmpty(t, g.Folders)
	return g
}

// fs is the folder, with the maps of kinds.json.gz in their places.
func (p *piecesFolder) fs(t testing.TB) fstest.MapFS {
	folder := fstest.MapFS{}
	for name, f := range p.Files {
		data := []byte(f.JSON)
		if f.Model != "" {
			var err error
			data, err = base64.StdEncoding.DecodeString(f.Model)
			require.NoError(t, err)
			if f.Charsmap != "" {
				charsmap, err := base64.StdEncoding.DecodeString(readKinds(t).Charsmaps[f.Charsmap])
				require.NoError(t, err)
				data = append(data, wired(3, wired(2, charsmap))...) // messages with the same number are one
			}
		}
		folder[name] = &fstest.MapFile{Data: data}
	}
	return folder
}

// wired is a field with bytes.
func wired(number int, body []byte) []byte {
	out := binary.AppendUvarint(nil, uint64(number)<<3|wireBytes)
	return append(binary.AppendUvarint(out, uint64(len(body))), body...)
}

// wiredInt is a field with a number.
func wiredInt(number int, value uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, uint64(number)<<3), value)
}

// wiredPiece is a piece of a model.
func wiredPiece(text string, score float32, kind uint64) []byte {
	body := wired(1, []byte(text))
	body = binary.LittleEndian.AppendUint32(append(body, 2<<3|wire32), math.Float32bits(score))
	return wired(1, append(body, wiredInt(3, kind)...))
}

func TestPieces(t *testing.T) {
	g := readPieces(t)
	var enc Encoding
	for i := range g.Folders {
		p := &g.Folders[i]
		t.Run(p.Name, func(t *testing.T) {
			tok, err := LoadFS(p.fs(t), ".")
			require.NoError(t, err)
			for _, c := range p.Cases {
				enc.Reset()
				o := Options{NoSpecial: !c.Special}
				if c.Pair >= 0 {
					o.Pair, o.HasPair = g.Texts[c.Pair], true
				}
				checkEncode(t, tok, &enc, g.Texts[c.Text], o)
				require.Equal(t, c.IDs, append([]int32{}, enc.IDs...), "%q %q", g.Texts[c.Text], o.Pair)
				require.Equal(t, c.Types, append([]int32{}, enc.TypeIDs...))
				if c.Decoded != nil {
					require.Equal(t, *c.Decoded, tok.Decode(c.Decode, true))
				}
			}
			_, _, err = tok.Vocabulary()
			require.True(t, err == nil || errors.Is(err, ErrUnsupported), err)
		})
	}
}

// pieces loads a folder of the goldens.
func pieces(t testing.TB, name string, change func(fstest.MapFS)) (*Tokenizer, error) {
	g := readPieces(t)
	for i := range g.Folders {
		if g.Folders[i].Name == name {
			folder := g.Folders[i].fs(t)
			if change != nil {
				change(folder)
			}
			return LoadFS(folder, ".")
		}
	}
	t.Fatalf("no folder %s", name)
	return nil, nil
}

// Tokens know the words and the bytes that they stand for, whatever the normalizer has done.
func TestPiecesSpans(t *testing.T) {
	tok, err := pieces(t, "xlm-roberta", nil)
	require.NoError(t, err)
	const text = "  the ﬁrst\u3000ﾂhe <mask> of"
	var enc Encoding
	_, err = tok.AppendEncode(&enc, text, Options{NoSpecial: true})
	require.NoError(t, err)
	var words []string
	for i, w := range enc.Words {
		for int(w) >= len(words) {
			words = append(words, "")
		}
		words[w] += text[enc.Offsets[i].Start:enc.Offsets[i].End]
	}
	require.Len(t, words, 5)
	require.Contains(t, words[0], "the")
	require.Contains(t, words[1], "st")
	require.Contains(t, words[2], "ﾂhe")
	require.Equal(t, "<mask>", strings.TrimSpace(words[3]))
	require.Equal(t, "of", strings.TrimSpace(words[4]))
}

// A tokenizer.json is read before a model beside it.
func TestPiecesSecond(t *testing.T) {
	tok, err := pieces(t, "t5", func(folder fstest.MapFS) {
		folder["tokenizer.json"] = &fstest.MapFile{Data: []byte(tiny(nil))}
	})
	require.NoError(t, err)
	_, ok := tok.TokenToID("<extra_id_0>")
	require.False(t, ok)
}

func TestPiecesSettings(t *testing.T) {
	config := func(s string) func(fstest.MapFS) {
		return func(folder fstest.MapFS) { folder["tokenizer_config.json"] = &fstest.MapFile{Data: []byte(s)} }
	}
	for _, c := range []struct{ folder, config, text, want string }{
		{"t5", `{"extra_ids":0}`, "<pad> the", "<pad> ▁the </s>"},
		{"t5", `{"eos_token":"</e>"}`, "the</e>", "▁the </e> </e>"},
		{"t5", `{"legacy":false}`, "</s>the", "</s> the </s>"},
		{"mbart", `{"src_lang":"fr_XX"}`, "the", "▁the </s> fr_XX"},
		{"mbart", `{"tokenizer_class":"MBart50TokenizerFast","src_lang":"sl_SI"}`, "the", "sl_SI ▁the </s>"},
		{"mbart", `{"tokenizer_class":"PreTrainedTokenizerFast"}`, "the", "▁the </s> en_XX"},
		{"llama", `{"add_bos_token":false,"add_eos_token":true}`, "the", "▁the </s>"},
		{"llama", `{"add_prefix_space":false}`, "the of", "<s> th e ▁of"},
		{"llama", `{"additional_special_tokens":["<|im_start|>"]}`, "the<|im_start|>the", "<s> ▁the <|im_start|> th e"},
		{"llama", `{"extra_special_tokens":["<|a|>",{"content":"<|b|>"}]}`, "<|b|>", "<s> <|b|>"},
		{"llama", `{"extra_special_tokens":{"image_token":"<i>"},"tokenizer_class":"CodeLlamaTokenizer"}`, "a▁<SUF>", "<s> ▁a ▁<SUF>"},
		{"pegasus", `{"mask_token":"<m>","mask_token_sent":"<s>"}`, "<m> <s>the", "<m> <s> ▁the </s>"},
	} {
		tok, err := pieces(t, c.folder, config(c.config))
		require.NoError(t, err)
		var enc Encoding
		_, err = tok.AppendEncode(&enc, c.text, Options{})
		require.NoError(t, err)
		require.Equal(t, c.want, strings.Join(tok.AppendTokens(nil, &enc), " "), "%s %s", c.folder, c.config)
	}
	tok, err := pieces(t, "mbart", func(folder fstest.MapFS) {
		delete(folder, "tokenizer_config.json")
		folder["config.json"] = &fstest.MapFile{Data: []byte(`{"model_type":"gpt2","tokenizer_class":"XLMRobertaTokenizer"}`)}
	})
	require.NoError(t, err)
	_, ok := tok.TokenToID("en_XX")
	require.False(t, ok)
	tok, err = pieces(t, "pegasus", nil)
	require.NoError(t, err)
	id, _ := tok.TokenToID("<unk_102>")
	require.EqualValues(t, 104, id)
	id, _ = tok.UnknownID()
	require.EqualValues(t, 105, id)
	tok, err = pieces(t, "marian", nil)
	require.NoError(t, err)
	require.Equal(t, 512, tok.ModelMaxLen())
	id, _ = tok.UnknownID()
	require.EqualValues(t, 1, id)
}

// BPE goes into a GGUF file whole, scores included.
func TestPiecesVocabulary(t *testing.T) {
	for _, name := range []string{"llama-legacy", "gemma"} {
		tok, err := pieces(t, name, nil)
		require.NoError(t, err)
		v, lost, err := tok.Vocabulary()
		require.NoError(t, err)
		require.Empty(t, lost)
		require.Equal(t, tok.model.(*bpe).scores[300], rankOf(v.Scores[300]))
		back, err := FromVocabulary(name, v)
		require.NoError(t, err)
		var a, b Encoding
		for _, text := range readPieces(t).Texts {
			a.Reset()
			b.Reset()
			_, err := tok.AppendEncode(&a, text, Options{})
			require.NoError(t, err)
			_, err = back.AppendEncode(&b, text, Options{})
			require.NoError(t, err)
			require.Equal(t, a.IDs, b.IDs, "%s %q", name, text)
		}
	}
}

func TestPiecesAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, name := range []string{"t5", "albert", "llama", "gemma", "marian"} {
		tok, err := pieces(t, name, nil)
		require.NoError(t, err)
		var enc Encoding
		require.Zero(t, testing.AllocsPerRun(20, func() {
			enc.Reset()
			_, _ = tok.AppendEncode(&enc, "The first of 1999, 25 or ﬁve <usr>\n\n", Options{IDsOnly: true})
		}), name)
	}
}

func TestPiecesRefuse(t *testing.T) {
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	unk, word := wiredPiece("<unk>", 0, typeUnknown), wiredPiece("▁a", -1, typeNormal)
	good := join(unk, word)
	for name, c := range map[string]struct {
		model []byte
		want  string
	}{
		"nothing":           {nil, "it is no SentencePiece model"},
		"tiktoken":          {[]byte("IQ== 0\nIg== 1\n"), "it is tiktoken's"},
		"no pieces":         {wiredInt(9, 1), "it is no SentencePiece model"},
		"cut off":           {good[:len(good)-3], "it is no SentencePiece model"},
		"a huge length":     {join(good, []byte{3<<3 | 2, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F}), "it is no SentencePiece model"},
		"a huge number":     {join(good, []byte{3 << 3, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F}), "it is no SentencePiece model"},
		"field 0":           {join(good, []byte{0, 0}), "it is no SentencePiece model"},
		"a group":           {join(good, []byte{7<<3 | 3}), "it is no SentencePiece model"},
		"another wire type": {join(good, wiredInt(1, 5)), "field 1 has wire type 0"},
		"bad UTF-8":         {join(good, wiredPiece("\xff", 0, typeNormal)), "piece 2: it is not valid UTF-8"},
		"an empty piece":    {join(good, wiredPiece("", 0, typeNormal)), "piece 2: it is empty"},
		"no score":          {join(good, wiredPiece("b", float32(math.NaN()), typeNormal)), `piece 2: "b" has score NaN`},
		"an endless score":  {join(good, wiredPiece("b", float32(math.Inf(-1)), typeNormal)), `piece 2: "b" has score -Inf`},
		"no such type":      {join(good, wiredPiece("b", 0, 7)), "piece 2: type 7 is none"},
		"twins":             {join(good, word), `piece "▁a" is there twice, with the indices 1 and 2`},
		"two unknown":       {join(good, wiredPiece("b", 0, typeUnknown)), "pieces 0 and 2 both stand for what is unknown"},
		"no unknown":        {word, "no piece stands for what is unknown"},
		"half the bytes":    {join(good, wiredPiece("<0x00>", 0, typeByte), wired(2, wiredInt(35, 1))), "byte_fallback with 1 pieces"},
		"bytes without":     {join(good, wiredPiece("<0x00>", 0, typeByte)), "without byte_fallback"},
		"no byte":           {join(good, wiredPiece("<0xg0>", 0, typeByte)), "stands for no byte"},
		"words":             {join(good, wired(2, wiredInt(3, piecesWord))), `trainer_spec: model_type "WORD" is not supported`},
		"another kind":      {join(good, wired(2, wiredInt(3, 9))), "model_type 9 is none"},
		"suffixes":          {join(good, wired(2, wiredInt(24, 1))), `trainer_spec: setting "treat_whitespace_as_suffix" is not supported`},
		"blanks":            {join(good, wired(3, wiredInt(5, 0))), `normalizer_spec: setting "escape_whitespaces false" is not supported`},
		"a way back":        {join(good, wired(5, wired(2, []byte{1}))), "denormalizer_spec"},
		"a bad map":         {join(good, wired(3, wired(2, []byte{1}))), "precompiled_charsmap"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := LoadFS(fstest.MapFS{
				"tokenizer.model": &fstest.MapFile{Data: c.model}, "config.json": &fstest.MapFile{Data: []byte(`{"model_type":"llama"}`)},
			}, ".")
			require.ErrorContains(t, err, strings.TrimPrefix(c.want, "trainer_spec: "))
			require.ErrorContains(t, err, "tokenizer.model")
			other := errors.Is(err, errWire) || errors.Is(err, ErrUnsupported)
			require.Equal(t, other, errors.Is(err, fs.ErrNotExist))
		})
	}
	for name, c := range map[string]struct{ folder, file, data, want string }{
		"another class":  {"t5", "tokenizer_config.json", `{"tokenizer_class":"NllbTokenizer"}`, `tokenizer_class "NllbTokenizer" is not supported`},
		"another model":  {"t5", "config.json", `{"model_type":"nllb"}`, `model_type "nllb" is not supported`},
		"many sentinels": {"t5", "tokenizer_config.json", `{"extra_ids":1000000000}`, `extra_ids "1000000000" is not supported`},
		"no language":    {"mbart", "tokenizer_config.json", `{"src_lang":"tlh"}`, `src_lang "tlh" is not in the vocabulary`},
		"no vocab":       {"marian", "vocab.json", `[]`, "vocab.json"},
		"no unknown":     {"marian", "vocab.json", `{"</s>":0}`, `vocab.json has no unk_token "<unk>"`},
		"no target":      {"marian", "tokenizer_config.json", `{"separate_vocabs":true,"tokenizer_class":"MarianTokenizer"}`, "target_vocab.json"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := pieces(t, c.folder, func(folder fstest.MapFS) { folder[c.file] = &fstest.MapFile{Data: []byte(c.data)} })
			require.ErrorContains(t, err, c.want)
		})
	}
}

// FuzzPieces reads models and what is beside them.
func FuzzPieces(f *testing.F) {
	unk := wiredPiece("<unk>", 0, typeUnknown)
	words := bytes.Join([][]byte{unk, wiredPiece("<s>", 0, typeControl), wiredPiece("</s>", 0, typeControl), wiredPiece("▁a", -1, typeNormal),
		wiredPiece("ab", -2, typeNormal), wiredPiece("b", -3, typeNormal), wiredPiece("a", -3, typeNormal), wiredPiece("▁", -4, typeNormal),
		wiredPiece("xyz", 0, typeUserDefined)}, nil)
	bpe := bytes.Join([][]byte{words, wired(2, wiredInt(3, piecesBPE)), wired(3, append(wiredInt(3, 0), wiredInt(4, 0)...))}, nil)
	charsmap := wired(3, wired(2, []byte("\x08\x00\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00a\x00")))
	for i, class := range []string{"T5", "Albert", "XLNet", "XLMRoberta", "Camembert", "MBart", "Pegasus", "Llama", "Gemma", "Marian"} {
		for _, model := range [][]byte{words, bpe, append(words[:len(words):len(words)], charsmap...)} {
			f.Add(model, []byte(`{"tokenizer_class":"`+class+`Tokenizer","extra_ids":3,"mask_token":"<m>"}`), i == 9)
		}
	}
	f.Fuzz(func(t *testing.T, model, config []byte, marian bool) {
		name := "tokenizer.model"
		if marian {
			name = marianFile
		}
		tok, err := LoadFS(fstest.MapFS{
			name: &fstest.MapFile{Data: model}, "tokenizer_config.json": &fstest.MapFile{Data: config}, "added_tokens.json": &fstest.MapFile{Data: config},
			"vocab.json": &fstest.MapFile{Data: []byte(`{"<unk>":0,"</s>":1,"a":2,"▁a":3,">>x<<":4,"<pad>":5}`)}, "target_vocab.json": &fstest.MapFile{Data: []byte(`{"b":3}`)},
		}, ".")
		if err != nil {
			if len(err.Error()) > 2000 {
				t.Fatalf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		var enc Encoding
		checkEncode(t, tok, &enc, ">>x<< a ab é <s> 中1\xff  xyz``9, ", Options{})
		checkEncode(t, tok, &enc, "b", Options{Pair: "a", HasPair: true, MaxLen: 7})
		_, _, _ = tok.Vocabulary()
	})
}

// What a hostile file asks for takes neither long nor much.
func TestPiecesHostile(t *testing.T) {
	long := strings.Repeat("1", 1<<20)
	unk := wiredPiece("<unk>", 0, typeUnknown)
	class := func(name string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(`{"tokenizer_class":"` + name + `Tokenizer"}`)}
	}
	_, err := LoadFS(fstest.MapFS{"spiece.model": {Data: append(unk, wiredPiece(long+"9,", -1, typeNormal)...)}, "tokenizer_config.json": class("XLNet")}, ".")
	require.ErrorIs(t, err, ErrUnsupported)
	require.Less(t, len(err.Error()), 500)

	// A map whose only node leads to itself, by the letter a.
	circle := binary.LittleEndian.AppendUint32(nil, 4*('a'+1))
	for i := range 'a' + 1 {
		unit := uint32(0)
		if i == 'a' {
			unit = 'a' | 'a'<<10
		}
		circle = binary.LittleEndian.AppendUint32(circle, unit)
	}
	model := bytes.Join([][]byte{unk, wiredPiece("a", -1, typeNormal), wired(3, wired(2, append(circle, 'b', 0)))}, nil)
	tok, err := LoadFS(fstest.MapFS{"spiece.model": {Data: model}, "tokenizer_config.json": class("T5")}, ".")
	require.NoError(t, err)
	var enc Encoding
	_, err = tok.AppendEncode(&enc, strings.Repeat("a", 1<<16), Options{})
	require.NoError(t, err)
	require.Equal(t, 1<<16+2, enc.Len()) // an unknown blank before, and </s>
}
