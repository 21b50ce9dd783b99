package tokenizer

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
)

// tiny is a tokenizer.json with its parts replaced; a part that is "-" is left out.
func tiny(parts map[string]string) string {
	all := map[string]string{
		"version": `"1.0"`, "added_tokens": tinyAdded, "normalizer": `{"type":"BertNormalizer"}`,
		"pre_tokenizer": `{"type":"BertPreTokenizer"}`, "post_processor": "null", "decoder": "null",
		"model": `{"type":"WordPiece","vocab":` + tinyVocab + `}`,
	}
	for k, v := range parts {
		all[k] = v
	}
	var members []string
	for _, k := range append([]string{"truncation", "padding"}, sectionNames...) {
		if v, ok := all[k]; ok && v != "-" {
			members = append(members, fmt.Sprintf("%q:%s", k, v))
			delete(all, k)
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

const (
	tinyVocab = `{"[UNK]":0,"[CLS]":1,"[SEP]":2,"a":3,"##b":4,"c":5,"[MASK]":6}`
	tinyAdded = `[{"id":1,"content":"[CLS]","special":true},{"id":2,"content":"[SEP]","special":true}]`
)

func TestLoadErrors(t *testing.T) {
	model := func(s string) map[string]string { return map[string]string{"model": s} }
	deep := strings.Repeat(`{"type":"Sequence","normalizers":[`, 5000)
	for _, c := range []struct {
		name  string
		parts map[string]string
		want  string
	}{
		{"version", map[string]string{"version": `"2.0"`}, `version "\"2.0\"" is not supported`},
		{"no model", map[string]string{"model": "-"}, "no model section"},
		{"null model", model("null"), "model"},
		{"no vocab", model(`{"type":"WordPiece"}`), "model: there is no vocab"},
		{"vocab list", model(`{"type":"WordPiece","vocab":["a"]}`), "model: vocab is not an object"},
		{"vocab twice", model(`{"vocab":{},"vocab":{}}`), `"vocab" appears twice`},
		{"section twice", map[string]string{"decoder": `null,"decoder":null`}, `"decoder" appears twice`},
		{"other model", model(`{"type":"CTC","vocab":{}}`), `model: type "CTC" is not supported`},
		{"guessed BPE", model(`{"vocab":{"a":0},"merges":["a b"]}`), `model: merge 0: token "b" is not in the vocabulary`},
		{"guessed Unigram", model(`{"vocab":[["a",0]],"unk_id":1}`), `model: unk_id 1 is out of range for 1 tokens`},
		{"BPE without merges", model(`{"type":"BPE","vocab":{"a":0}}`), "there are no merges"},
		{"merge of one", model(`{"type":"BPE","vocab":{"a":0},"merges":["a"]}`), `merge 0: "a" is not two tokens`},
		{"merge of three", model(`{"type":"BPE","vocab":{"a":0},"merges":["a a a"]}`), `merge 0: "a a a" is not two tokens`},
		{"list of three", model(`{"type":"BPE","vocab":{"a":0},"merges":[["a","a","a"]]}`), "a merge of 3 tokens"},
		{"merge to nothing", model(`{"type":"BPE","vocab":{"a":0},"merges":[["a","a"]]}`), `merge 0: token "aa" is not in the vocabulary`},
		{"short continuation", model(`{"type":"BPE","vocab":{"a":0},"merges":[["a","a"]],"continuing_subword_prefix":"##"}`), `token "a" is shorter than the prefix`},
		{"long suffix", model(`{"type":"BPE","vocab":{"a":0},"merges":[],"end_of_word_suffix":"` + strings.Repeat("x", 100) + `"}`), "a prefix or suffix of more than 64 bytes is not supported"},
		{"dropout", model(`{"type":"BPE","vocab":{"a":0},"merges":[],"dropout":0.1}`), "dropout 0.1 is not supported"},
		{"Unigram map", model(`{"type":"Unigram","vocab":{"a":0}}`), "there is no vocab, or it is not a list"},
		{"Unigram pair", model(`{"type":"Unigram","vocab":[["a"]]}`), "token 0 has 1 parts"},
		{"Unigram score", model(`{"type":"Unigram","vocab":[["a","b"]]}`), "the score of token 0 is"},
		{"Unigram infinity", model(`{"type":"Unigram","vocab":[["a",1e999]]}`), "the score of token 0 is"},
		{"no unk", model(`{"type":"WordPiece","vocab":{"a":0}}`), `unk_token "[UNK]" is not in the vocabulary`},
		{"huge id", model(`{"type":"WordPiece","vocab":{"[UNK]":4611686018427387904}}`), `token "[UNK]" has id 4611686018427387904, out of range`},
		{"id beyond 2^63", model(`{"type":"WordPiece","vocab":{"[UNK]":99999999999999999999}}`), `token "[UNK]": at byte`},
		{"sparse ids", model(`{"type":"WordPiece","vocab":{"[UNK]":0,"a":100000}}`), "out of range for 2 tokens"},
		{"negative id", model(`{"type":"WordPiece","vocab":{"[UNK]":-1}}`), "not an id"},
		{"fraction", model(`{"type":"WordPiece","vocab":{"[UNK]":1.5}}`), "not whole"},
		{"id is a string", model(`{"type":"WordPiece","vocab":{"[UNK]":"0"}}`), "not an id"},
		{"same id", model(`{"type":"WordPiece","vocab":{"[UNK]":0,"b":1,"c":1}}`), `tokens "b" and "c" have the same id 1`},
		{"same token", model(`{"type":"WordPiece","vocab":{"[UNK]":0,"b":1,"b":2}}`), `token "b" appears twice`},
		{"lone surrogate", model(`{"type":"WordPiece","vocab":{"[UNK]":0,"\ud800":1}}`), `bad \u escape`},
		{"bad escape", model(`{"type":"WordPiece","vocab":{"[UNK]":0,"\x":1}}`), `bad escape`},
		{"negative max", model(`{"vocab":{"[UNK]":0},"max_input_chars_per_word":-5}`), "max_input_chars_per_word is -5"},
		{"max is a string", model(`{"vocab":{"[UNK]":0},"max_input_chars_per_word":"5"}`), "max_input_chars_per_word: string where"},

		{"unknown normalizer", map[string]string{"normalizer": `{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Magic"}]}`}, `normalizer: Sequence[1]: type "Magic" is not supported`},
		{"untyped normalizer", map[string]string{"normalizer": `{"lowercase":true}`}, "normalizer: an object without a type"},
		{"deep normalizer", map[string]string{"normalizer": deep}, "nested more than 64 deep"},
		{"empty pattern", map[string]string{"normalizer": `{"type":"Replace","pattern":{"String":""},"content":"x"}`}, "an empty pattern"},
		{"two patterns", map[string]string{"normalizer": `{"type":"Replace","pattern":{"String":"a","Regex":"b"},"content":"x"}`}, "either a String or a Regex"},
		{"look-ahead", map[string]string{"pre_tokenizer": `{"type":"Split","pattern":{"Regex":"\\S+(?!\\S)"},"behavior":"Isolated","invert":false}`}, "pre_tokenizer: Split: regular expression"},
		{"anchor", map[string]string{"normalizer": `{"type":"Replace","pattern":{"Regex":"^a"},"content":"x"}`}, "an anchor"},
		{"empty match", map[string]string{"normalizer": `{"type":"Replace","pattern":{"Regex":"a*"},"content":"x"}`}, "matches nothing at all"},
		{"bad regex", map[string]string{"normalizer": `{"type":"Replace","pattern":{"Regex":"a("},"content":"x"}`}, "regular expression"},
		{"strip", map[string]string{"normalizer": `{"type":"Strip"}`}, "strip_left or strip_right is missing"},
		{"unknown pre-tokenizer", map[string]string{"pre_tokenizer": `{"type":"UnicodeScripts"}`}, `pre_tokenizer: type "UnicodeScripts" is not supported`},
		{"behaviour", map[string]string{"pre_tokenizer": `{"type":"Punctuation","behavior":"Eaten"}`}, `behavior "Eaten" is not supported`},
		{"delimiter", map[string]string{"pre_tokenizer": `{"type":"CharDelimiterSplit","delimiter":"ab"}`}, "not one character"},

		{"added without id", map[string]string{"added_tokens": `[{"content":"x"}]`}, "added_tokens: token 0 has no id"},
		{"added huge id", map[string]string{"added_tokens": `[{"id":4611686018427387904,"content":"x"}]`}, `added_tokens: token "x": id 4611686018427387904 is out of range`},
		{"added vanishes", map[string]string{"added_tokens": `[{"id":7,"content":"\u0007","normalized":true}]`}, "nothing is left of it after normalization"},
		{"added is a map", map[string]string{"added_tokens": `{}`}, "added_tokens: object where"},

		{"unknown post-processor", map[string]string{"post_processor": `{"type":"Magic"}`}, `post_processor: type "Magic" is not supported`},
		{"special id", map[string]string{"post_processor": `{"type":"BertProcessing","sep":["[SEP]",77],"cls":["[CLS]",1]}`}, "sep: id 77 is not in the vocabulary"},
		{"special pair", map[string]string{"post_processor": `{"type":"BertProcessing","sep":["[SEP]"],"cls":["[CLS]",1]}`}, "a token and its id are expected"},
		{"single uses B", map[string]string{"post_processor": `{"type":"TemplateProcessing","single":[{"Sequence":{"id":"B","type_id":0}}],"pair":[],"special_tokens":{}}`}, "single: piece 0: there is no sequence B"},
		{"sequence C", map[string]string{"post_processor": `{"type":"TemplateProcessing","single":[{"Sequence":{"id":"C","type_id":0}}],"pair":[],"special_tokens":{}}`}, "neither A nor B"},
		{"unknown special", map[string]string{"post_processor": `{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"X","type_id":0}}],"pair":[],"special_tokens":{}}`}, `"X" is not in special_tokens`},
		{"type id", map[string]string{"post_processor": `{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A","type_id":9999999999}}],"pair":[],"special_tokens":{}}`}, "type id 9999999999 is out of range"},
		{"odd piece", map[string]string{"post_processor": `{"type":"TemplateProcessing","single":[{}],"pair":[],"special_tokens":{}}`}, "piece 0 is neither"},
		{"ids and tokens", map[string]string{"post_processor": `{"type":"TemplateProcessing","single":[],"pair":[],"special_tokens":{"X":{"id":"X","ids":[1,2],"tokens":["a"]}}}`}, "has 2 ids and 1 tokens"},
		{"charsmap", map[string]string{"normalizer": `{"type":"Precompiled","precompiled_charsmap":"AQ=="}`}, "normalizer: Precompiled: precompiled_charsmap is too short"},
		{"charsmap size", map[string]string{"normalizer": `{"type":"Precompiled","precompiled_charsmap":"AAAAgAAAAAA="}`}, "a trie of 2147483648 bytes, of 4 that follow"},
		{"charsmap text", map[string]string{"normalizer": `{"type":"Precompiled","precompiled_charsmap":"="}`}, "is not base64"},
		{"prepend scheme", map[string]string{"pre_tokenizer": `{"type":"Metaspace","prepend_scheme":"often"}`}, `pre_tokenizer: Metaspace: prepend_scheme "often" is not supported`},
		{"metaspace mark", map[string]string{"pre_tokenizer": `{"type":"Metaspace","replacement":"ab"}`}, `replacement "ab" is not one character`},
		{"two templates", map[string]string{"post_processor": `{"type":"Sequence","processors":[{"type":"BertProcessing","sep":["[SEP]",2],"cls":["[CLS]",1]},{"type":"BertProcessing","sep":["[SEP]",2],"cls":["[CLS]",1]}]}`}, "Sequence[1]: a second template is not supported"},
		{"nested decoder", map[string]string{"decoder": `{"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"Magic"}]}`}, `decoder: Sequence: [1]: type "Magic" is not supported`},
		{"strip decoder", map[string]string{"decoder": `{"type":"Strip","content":"ab","start":1,"stop":0}`}, `content "ab" is not one character`},
		{"strip count", map[string]string{"decoder": `{"type":"Strip","content":"a","start":-1,"stop":0}`}, "out of range"},
		{"decoder", map[string]string{"decoder": `{"type":"CTC"}`}, `decoder: type "CTC" is not supported`},

		{"strategy", map[string]string{"truncation": `{"max_length":1,"strategy":"Best","stride":0}`}, `truncation: strategy "Best" is not supported`},
		{"direction", map[string]string{"truncation": `{"max_length":1,"strategy":"OnlyFirst","direction":"Up","stride":0}`}, `truncation: direction "Up" is not supported`},
		{"no length", map[string]string{"truncation": `{"strategy":"OnlyFirst","stride":0}`}, "truncation: max_length is missing"},
		{"padding", map[string]string{"padding": `{"strategy":{"Fixed":"x"}}`}, "padding: strategy is not"},
		{"padding id", map[string]string{"padding": `{"strategy":"BatchLongest","pad_id":-1}`}, "pad_id: id -1 is out of range"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load("dir/tokenizer.json", []byte(tiny(c.parts)))
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "tokenizer: dir/tokenizer.json: ")
			require.NotContains(t, err.Error(), "\n")
			require.Less(t, len(err.Error()), 500)
			if strings.HasSuffix(c.want, "is not supported") {
				require.ErrorIs(t, err, ErrUnsupported)
			}
		})
	}
	_, err := Load("t", []byte(tiny(nil)))
	require.NoError(t, err)
}

// TestLoadBroken cuts and damages a good file everywhere; nothing may panic, and a cut file must not load.
func TestLoadBroken(t *testing.T) {
	good := tiny(map[string]string{
		"normalizer":     `{"type":"Sequence","normalizers":[{"type":"BertNormalizer"},{"type":"Replace","pattern":{"Regex":"[\\s\\d]+"},"content":"x"}]}`,
		"post_processor": `{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"[CLS]","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{"[CLS]":{"id":"[CLS]","ids":[1],"tokens":["[CLS]"]}}}`,
		"truncation":     `{"max_length":5,"strategy":"OnlyFirst","stride":1}`, "padding": `{"strategy":{"Fixed":3}}`,
	})
	_, err := Load("t", []byte(good))
	require.NoError(t, err)
	for n := range len(good) {
		_, err := Load("t", []byte(good[:n]))
		require.Error(t, err, good[:n])
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var enc Encoding
	for range 20000 {
		data := []byte(good)
		for range 1 + rng.IntN(3) {
			data[rng.IntN(len(data))] = `{}[]",:0 1ae\`[rng.IntN(13)]
		}
		if tok, err := Load("t", data); err == nil {
			enc.Reset()
			_, _ = tok.AppendEncode(&enc, "a ab é [CLS] 12", Options{})
		}
	}
}

// TestLoadHostile gives files whose announced sizes have nothing behind them; time and memory stay those of the file.
func TestLoadHostile(t *testing.T) {
	var many strings.Builder
	many.WriteString(`{"[UNK]":0`)
	for i := range 100_000 {
		fmt.Fprintf(&many, `,"%d":%d`, i, i+1)
	}
	many.WriteByte('}')
	for name, file := range map[string]string{
		"nested arrays":   tiny(map[string]string{"decoder": strings.Repeat("[", 10_000_000)}),
		"nested unknown":  `{"x":` + strings.Repeat(`{"a":`, 2_000_000) + "}",
		"one long string": `{"` + strings.Repeat("x", 10_000_000),
		"many settings":   tiny(map[string]string{"model": `{"a":1` + strings.Repeat(`,"b":1`, 1_000_000) + `}`}),
		"long token":      tiny(map[string]string{"model": `{"vocab":{"[UNK]":0,"` + strings.Repeat("y", 5_000_000) + `":9000000}}`}),
		"twice":           tiny(map[string]string{"model": `{"vocab":` + strings.TrimSuffix(many.String(), "}") + `,"7":100001}}`}),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, err := Load("t", []byte(file))
			runtime.ReadMemStats(&after)
			require.Error(t, err)
			require.Less(t, len(err.Error()), 500)
			require.Less(t, time.Since(start), 10*time.Second)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(12*len(file)+1<<22))
		})
	}
}

func TestRolesAndPadding(t *testing.T) {
	file := func(added, padding string) string {
		return `{"added_tokens":[` + added + `],"padding":` + padding + `,"model":{"type":"WordPiece","unk_token":"u","vocab":{"u":0,"[CLS]":1,"[SEP]":2,"[MASK]":3,"<s>":4,"<mask>":5}}}`
	}
	token := func(id int, content string) string {
		return fmt.Sprintf(`{"id":%d,"content":%q,"special":true,"single_word":false,"lstrip":false,"rstrip":false,"normalized":false}`, id, content)
	}
	bert, roberta := token(1, "[CLS]")+","+token(3, "[MASK]"), token(4, "<s>")+","+token(5, "<mask>")
	left := `{"strategy":"BatchLongest","direction":"Left","pad_to_multiple_of":null,"pad_id":0,"pad_type_id":0,"pad_token":"u"}`
	for _, c := range []struct {
		file, config, kind string
		cls, mask          int32 // 0: none
		left               bool
	}{
		{file(bert, "null"), `{}`, "bert", 1, 3, false},
		{file(roberta, "null"), `{"padding_side":"left"}`, "roberta", 4, 5, true},
		{file(bert, "null"), `{"cls_token":"[SEP]","padding_side":null}`, "bert", 2, 3, false},
		{file(token(1, "[CLS]"), left), `{}`, "bert", 0, 0, true},
		{file("", left), `{"padding_side":"right"}`, "xlnet", 0, 0, false},
		{file("", "null"), `{}`, "xlnet", 0, 0, true},
		{file("", "null"), `{"tokenizer_class":"XLNetTokenizerFast"}`, "", 0, 0, true},
		{file("", "null"), `{"tokenizer_class":"PreTrainedTokenizerFast"}`, "xlnet", 0, 0, false},
	} {
		tok, err := LoadFS(fstest.MapFS{"m/tokenizer.json": {Data: []byte(c.file)}, "m/tokenizer_config.json": {Data: []byte(c.config)}}, "m")
		require.NoError(t, err, c.config)
		for role, want := range map[string]int32{"cls_token": c.cls, "mask_token": c.mask} {
			id, ok := tok.RoleID(role)
			require.Equal(t, want, id, "%s %s", role, c.config)
			require.Equal(t, want != 0, ok)
		}
		require.Equal(t, c.left, tok.PadsLeft(c.kind), c.config)
	}
}

func TestGivesTypes(t *testing.T) {
	for _, c := range []struct {
		config      string
		unless, yes bool
	}{
		{`{}`, false, false},
		{`{}`, true, true},
		{`{"model_input_names":null}`, true, true},
		{`{"model_input_names":["input_ids","attention_mask"]}`, true, false},
		{`{"model_input_names":["input_ids","token_type_ids"]}`, false, true},
	} {
		var parsed Config
		require.NoError(t, parsed.parse([]byte(c.config)), c.config)
		require.Equal(t, c.yes, (&Tokenizer{inputs: parsed.Inputs}).GivesTypes(c.unless), c.config)
	}
}

func TestLoadFS(t *testing.T) {
	vocab := []byte("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nHello\n##s\ncafe\ncafé\n中\n<x>\n中文\n")
	file := func(data string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(data)} }
	encode := func(t *testing.T, fsys fs.FS, text string) []string {
		tok, err := LoadFS(fsys, "m")
		require.NoError(t, err)
		var enc Encoding
		_, err = tok.AppendEncode(&enc, text, Options{NoSpecial: true})
		require.NoError(t, err)
		return tok.AppendTokens(nil, &enc)
	}

	t.Run("vocab alone", func(t *testing.T) {
		fsys := fstest.MapFS{"m/vocab.txt": {Data: vocab}}
		require.Equal(t, []string{"hello", "hello", "##s", "cafe", "中", "[UNK]", "[MASK]"}, encode(t, fsys, "Hello hellos CAFÉ中文[MASK]"))
		tok, err := LoadFS(fsys, "m")
		require.NoError(t, err)
		var enc Encoding
		_, err = tok.AppendEncode(&enc, "hello", Options{Pair: "cafe"})
		require.NoError(t, err)
		require.Equal(t, []int32{2, 5, 3, 8, 3}, enc.IDs)
		require.Equal(t, []int32{0, 0, 0, 1, 1}, enc.TypeIDs)
		require.Equal(t, 13, tok.VocabSize())
		require.Equal(t, 0, tok.ModelMaxLen())
		require.Len(t, tok.SpecialTokens(), 5)
		for role, want := range map[string]int32{"cls_token": 2, "mask_token": 4, "unk_token": 1} {
			id, ok := tok.RoleID(role)
			require.True(t, ok)
			require.Equal(t, want, id)
		}
		_, ok := tok.RoleID("bos_token")
		require.False(t, ok)
		require.Equal(t, "hellos cafe", tok.Decode([]int32{2, 5, 7, 8, 3}, true))
	})
	t.Run("vocab with settings", func(t *testing.T) {
		fsys := fstest.MapFS{
			"m/vocab.txt":             {Data: vocab},
			"m/tokenizer_config.json": file(`{"do_lower_case":false,"strip_accents":null,"tokenize_chinese_chars":false,"model_max_length":512,"additional_special_tokens":["<x>"],"added_tokens_decoder":{"14":{"content":"<z>","special":true},"13":{"content":"<y>","lstrip":true,"special":false}},"pad_token":{"content":"[PAD]","lstrip":false}}`),
		}
		require.Equal(t, []string{"Hello", "[UNK]", "café", "中文", "<x>"}, encode(t, fsys, "Hello HELLO café 中文<x>"))
		tok, err := LoadFS(fsys, "m")
		require.NoError(t, err)
		require.Equal(t, 512, tok.ModelMaxLen())
		require.Equal(t, 15, tok.VocabSize())
		var enc Encoding
		_, err = tok.AppendEncode(&enc, "hello <z> <y>", Options{})
		require.NoError(t, err)
		require.Equal(t, []int32{2, 5, 14, 13, 3}, enc.IDs)
		require.Equal(t, []string{"[CLS]", "hello", "<z>", " <y>", "[SEP]"}, tok.AppendTokens(nil, &enc))
	})
	t.Run("accents and other tokens", func(t *testing.T) {
		fsys := fstest.MapFS{
			"m/vocab.txt":               {Data: []byte("<unk>\r\n<s>\r\n</s>\r\ncafé\r\ncafe\r\n")},
			"m/tokenizer_config.json":   file(`{"strip_accents":false,"model_max_length":1000000000000000019884624838656}`),
			"m/special_tokens_map.json": file(`{"unk_token":"<unk>","cls_token":{"content":"<s>"},"sep_token":"</s>"}`),
		}
		require.Equal(t, []string{"café", "<unk>", "</s>"}, encode(t, fsys, "CAFÉ x</s>"))
		tok, err := LoadFS(fsys, "m")
		require.NoError(t, err)
		require.Equal(t, 0, tok.ModelMaxLen())
	})
	t.Run("tokenizer.json first", func(t *testing.T) {
		fsys := fstest.MapFS{
			"m/vocab.txt": {Data: vocab}, "m/tokenizer.json": file(tiny(nil)),
			"m/tokenizer_config.json": file(`{"model_max_length":77,"cls_token":"[CLS]"}`),
		}
		require.Equal(t, []string{"a", "##b", "[UNK]"}, encode(t, fsys, "ab hello"))
		tok, err := LoadFS(fsys, "m")
		require.NoError(t, err)
		require.Equal(t, 77, tok.ModelMaxLen())
		id, ok := tok.RoleID("cls_token")
		require.True(t, ok)
		require.EqualValues(t, 1, id)
	})
	t.Run("errors", func(t *testing.T) {
		_, err := LoadFS(fstest.MapFS{}, "m")
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.ErrorContains(t, err, "m/tokenizer.json")
		_, err = LoadFS(fstest.MapFS{"m/vocab.txt": file("a\n")}, "m")
		require.ErrorContains(t, err, `m/vocab.txt: unk_token "[UNK]" is not in the vocabulary`)
		_, err = LoadFS(fstest.MapFS{"m/vocab.txt": file("[UNK]\n[SEP]\n")}, "m")
		require.ErrorContains(t, err, `cls_token "[CLS]" is not in the vocabulary`)
		_, err = LoadFS(fstest.MapFS{"m/vocab.txt": file("[UNK]\n\xff\n")}, "m")
		require.ErrorContains(t, err, "not valid UTF-8")
		_, err = LoadFS(fstest.MapFS{"m/vocab.txt": {Data: vocab}, "m/tokenizer_config.json": file("{")}, "m")
		require.ErrorContains(t, err, "m/tokenizer_config.json")
		_, err = LoadFS(fstest.MapFS{"m/vocab.txt": {Data: vocab}, "m/tokenizer_config.json": file(`{"cls_token":5}`)}, "m")
		require.ErrorContains(t, err, "cls_token")
		_, err = LoadFS(fstest.MapFS{"m/vocab.txt": {Data: vocab}, "m/tokenizer_config.json": file(`{"added_tokens_decoder":{"x":{}}}`)}, "m")
		require.ErrorContains(t, err, `added_tokens_decoder: "x" is not an id`)
		_, err = LoadFS(fstest.MapFS{"m/tokenizer.json/x": file("{}")}, "m")
		require.Error(t, err)
		require.False(t, errors.Is(err, fs.ErrNotExist))
	})
}

func TestVocabTextDuplicates(t *testing.T) {
	tok, err := LoadVocab("vocab.txt", []byte("[UNK]\n[CLS]\n[SEP]\na\nb\n\na\n"), Config{})
	require.NoError(t, err)
	id, ok := tok.TokenToID("a")
	require.True(t, ok)
	require.EqualValues(t, 6, id)
	_, ok = tok.IDToToken(3)
	require.False(t, ok)
	token, ok := tok.IDToToken(5)
	require.True(t, ok)
	require.Empty(t, token)
	require.Equal(t, 6, tok.VocabSize())
}

func TestPadding(t *testing.T) {
	tok, err := Load("t", []byte(tiny(map[string]string{
		"padding": `{"strategy":{"Fixed":128},"direction":"Left","pad_to_multiple_of":8,"pad_id":5,"pad_type_id":1,"pad_token":"c"}`,
	})))
	require.NoError(t, err)
	p, ok := tok.Padding()
	require.True(t, ok)
	require.Equal(t, Padding{ID: 5, TypeID: 1, Token: "c", Left: true, Fixed: 128, MultipleOf: 8}, p)
	tok, err = Load("t", []byte(tiny(nil)))
	require.NoError(t, err)
	_, ok = tok.Padding()
	require.False(t, ok)
}
