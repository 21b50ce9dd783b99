package tokenizer

import (
	"os"
	"strings"
	"testing"
)

var benchTexts = map[string]string{
	"english": `A tokenizer turns text into the pieces that a language model was trained on. Most words of plain English
are in its vocabulary; the others, like "unbelievability" or names such as Ouagadougou, are spelled out from shorter ones.
It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness (1859).
`,
	"german":  "Die Würde des Menschen ist unantastbar. Sie zu achten und zu schützen ist Verpflichtung aller staatlichen Gewalt. Größere Übungen für Ästheten.\n",
	"russian": "Все люди рождаются свободными и равными в своём достоинстве и правах. Они наделены разумом и совестью.\n",
	"chinese": "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。",
	"emoji":   "so good 👍🏽👍🏽 see you 👨‍👩‍👧‍👦 at the 🏖️!! 😂😂😂 ok?\n",
}

func BenchmarkEncode(b *testing.B) {
	tok := miniLM(b)
	for name, text := range benchTexts {
		text = strings.Repeat(text, 1+(1<<16)/len(text))
		for _, idsOnly := range []bool{true, false} {
			b.Run("text="+name+"/offsets="+map[bool]string{true: "no", false: "yes"}[idsOnly], func(b *testing.B) {
				var enc Encoding
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					enc.Reset()
					if _, err := tok.AppendEncode(&enc, text, Options{MaxLen: -1, IDsOnly: idsOnly}); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(enc.Len())*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mtokens/s")
			})
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	data, err := os.ReadFile("../../pipeline/minilm/files/tokenizer.json")
	if err != nil {
		b.Skip("the embedded model is not there: ", err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load("tokenizer.json", data); err != nil {
			b.Fatal(err)
		}
	}
}
