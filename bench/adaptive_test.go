package bench

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ladon-ml/ladon/mha"
	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/tokenizer"
)

// counted is a policy that counts what it leaves out.
type counted struct {
	model.HeadPolicy
	heads, left int
}

func (c *counted) Choose(layer int, found *mha.Probe, mask []float32) {
	c.HeadPolicy.Choose(layer, found, mask)
	for _, f := range mask {
		c.heads++
		if f != 0 {
			c.left++
		}
	}
}

// documentation gives the ids of this repository's own documents, in texts of about so many tokens.
func documentation(b *testing.B, tok *tokenizer.Tokenizer, tokens int) (texts [][]int32) {
	files, err := filepath.Glob("../docs/*.md")
	if err != nil {
		b.Fatal(err)
	}
	for _, file := range append(files, "../README.md", "../CONTRIBUTING.md") {
		data, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		words := strings.Fields(string(data))
		for len(words) > 0 {
			var enc tokenizer.Encoding
			n := min(len(words), max(1, tokens*2/3))
			if _, err := tok.AppendEncode(&enc, strings.Join(words[:n], " "), tokenizer.Options{MaxLen: tokens}); err != nil {
				b.Fatal(err)
			}
			texts, words = append(texts, enc.IDs), words[n:]
		}
	}
	return texts
}

// BenchmarkAdaptiveHeads embeds this repository's documents with MiniLM, all heads and those that policies choose, and
// reports the share of heads computed, that of the time saved on one text, and how far the embeddings drift: the mean and
// the least cosine.
func BenchmarkAdaptiveHeads(b *testing.B) {
	p := openMiniLM(b, 1, model.F32)
	for _, tokens := range []int{32, 256, 512} {
		texts := documentation(b, p.Tokenizer(), tokens)
		plain := make([][]float64, len(texts))
		for _, c := range []struct {
			name   string
			policy model.HeadPolicy
		}{
			{"all", nil},
			{"entropy=0.95", &model.EntropyBudget{Most: .95}}, {"entropy=0.9", &model.EntropyBudget{Most: .9}},
			{"entropy=0.8", &model.EntropyBudget{Most: .8}}, {"entropy=0.7", &model.EntropyBudget{Most: .7}},
			{"mass=0.8", &model.MassBudget{Most: .8}}, {"mass=0.6", &model.MassBudget{Most: .6}}, {"mass=0.4", &model.MassBudget{Most: .4}},
		} {
			b.Run(fmt.Sprintf("tokens=%d/policy=%s", tokens, c.name), func(b *testing.B) {
				r, err := p.Model().NewResult(model.LastHiddenState)
				if err != nil {
					b.Fatal(err)
				}
				var policy counted
				policy.HeadPolicy = c.policy
				mean, least := 0.0, 1.0
				embed := func(i int, policy model.HeadPolicy) []float64 {
					ids := texts[i]
					batch := model.Batch{IDs: ids, CuSeqlens: []int32{0, int32(len(ids))}, Policy: policy}
					if err := p.Model().Forward(b.Context(), batch, r); err != nil {
						b.Fatal(err)
					}
					return pooled(r.Get(model.LastHiddenState))
				}
				for i := range texts {
					if c.policy == nil {
						plain[i] = embed(i, nil)
						continue
					}
					cos := dot(plain[i], embed(i, &policy))
					mean, least = mean+cos/float64(len(texts)), min(least, cos)
				}
				for i := 0; b.Loop(); i++ {
					embed(i%len(texts), c.policy)
				}
				if c.policy != nil {
					// By turns, since the machine may be shared: the best of some runs of one text.
					with, without := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
					for range 30 {
						start := time.Now()
						embed(0, nil)
						between := time.Now()
						embed(0, c.policy)
						without, with = min(without, between.Sub(start)), min(with, time.Since(between))
					}
					b.ReportMetric(1-with.Seconds()/without.Seconds(), "saved")
					b.ReportMetric(float64(policy.left)/float64(policy.heads), "heads")
					b.ReportMetric(mean, "cosine")
					b.ReportMetric(least, "worst")
				}
			})
		}
	}
}

// pooled is the mean of the rows, of length 1.
func pooled(o model.Output) []float64 {
	mean, norm := make([]float64, o.Cols), 0.0
	for i, x := range o.Data {
		mean[i%o.Cols] += float64(x)
	}
	for _, x := range mean {
		norm += x * x
	}
	for i := range mean {
		mean[i] /= math.Sqrt(norm)
	}
	return mean
}

func dot(x, y []float64) (sum float64) {
	for i := range x {
		sum += x[i] * y[i]
	}
	return sum
}
