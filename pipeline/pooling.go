package pipeline

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"

	"github.com/ladon-ml/ladon/kernels"
)

// A poolMode makes one vector of a text's token vectors.
type poolMode uint8

const (
	poolCLS          poolMode = iota // the first token's
	poolMax                          // the largest of each component
	poolMean                         // the average
	poolMeanSqrt                     // the sum over √n
	poolWeightedMean                 // the average, weighted by position from 1
	poolLast                         // the last token's
)

// poolNames has the names of sentence-transformers, in the order in which it
// concatenates what the old boolean form chose.
var poolNames = [...]struct{ name, flag string }{
	poolCLS:          {"cls", "pooling_mode_cls_token"},
	poolMax:          {"max", "pooling_mode_max_tokens"},
	poolMean:         {"mean", "pooling_mode_mean_tokens"},
	poolMeanSqrt:     {"mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens"},
	poolWeightedMean: {"weightedmean", "pooling_mode_weightedmean_tokens"},
	poolLast:         {"lasttoken", "pooling_mode_lasttoken"},
}

func (m poolMode) String() string { return poolNames[m].name }

// pooling is a Pooling module: its modes, whose vectors are concatenated.
type pooling struct {
	modes      []poolMode
	width      int  // of a token's vector as the file says, 0 if it does not
	skipPrompt bool // the prompt's tokens are left out
}

// readPooling reads a Pooling module's config.json: the form with a boolean for
// each mode, or the later one that names them.
func readPooling(fsys fs.FS, dir string) (pooling, error) {
	name := path.Join(dir, "config.json")
	var raw map[string]json.RawMessage
	found, err := readJSON(fsys, name, &raw)
	switch {
	case err != nil:
		return pooling{}, err
	case !found:
		return pooling{}, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	p, err := parsePooling(raw)
	if err != nil {
		return pooling{}, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

func parsePooling(raw map[string]json.RawMessage) (pooling, error) {
	var p pooling
	for _, key := range []string{"word_embedding_dimension", "embedding_dimension"} {
		if err := field(raw, key, &p.width); err != nil {
			return pooling{}, err
		}
	}
	include := true
	if err := field(raw, "include_prompt", &include); err != nil {
		return pooling{}, err
	}
	p.skipPrompt = !include
	var names []string
	if field(raw, "pooling_mode", &names) != nil {
		var one string
		if err := field(raw, "pooling_mode", &one); err != nil {
			return pooling{}, err
		}
		names = []string{one}
	}
	for _, name := range names {
		i := slices.IndexFunc(poolNames[:], func(n struct{ name, flag string }) bool { return n.name == name })
		if i < 0 {
			return pooling{}, fmt.Errorf("pooling_mode %q is not supported", name)
		}
		p.modes = append(p.modes, poolMode(i))
	}
	if p.modes != nil {
		return p, nil
	}
	for i, n := range poolNames {
		var on bool
		if err := field(raw, n.flag, &on); err != nil {
			return pooling{}, err
		}
		if on {
			p.modes = append(p.modes, poolMode(i))
		}
	}
	if p.modes == nil {
		p.modes = []poolMode{poolMean}
	}
	return p, nil
}

// field decodes one key of an object into v, which keeps its value if the key
// is absent.
func field(raw map[string]json.RawMessage, key string, v any) error {
	data, ok := raw[key]
	if !ok {
		return nil
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

// apply pools one text into dst.
//
//	dst    [len(modes)*hidden]
//	tokens [n*hidden], row-major
//
// The first skip tokens, the prompt's, are left out. A text without tokens
// gives zeros.
func (p pooling) apply(dst, tokens []float32, hidden, skip int) {
	n := len(tokens) / hidden
	for i, mode := range p.modes {
		out := dst[i*hidden : (i+1)*hidden]
		clear(out)
		if n > 0 {
			mode.apply(out, tokens, n, hidden, skip)
		}
	}
}

func (m poolMode) apply(out, tokens []float32, n, hidden, skip int) {
	row := func(i int) []float32 { return tokens[i*hidden : (i+1)*hidden] }
	switch m {
	case poolCLS:
		if skip >= n {
			skip = 0
		}
		copy(out, row(skip))
	case poolLast:
		copy(out, row(n-1))
	case poolMax:
		for i := skip; i < n; i++ {
			for j, x := range row(i) {
				if i == skip || x > out[j] || x != x {
					out[j] = x
				}
			}
		}
	case poolWeightedMean:
		var sum float32
		for i := skip; i < n; i++ {
			w := float32(i + 1)
			for j, x := range row(i) {
				out[j] += float32(w * x)
			}
			sum += w
		}
		if sum > 0 {
			kernels.Scale(out, out, 1/sum)
		}
	case poolMean, poolMeanSqrt:
		for i := skip; i < n; i++ {
			kernels.Add(out, out, row(i))
		}
		if count := float64(n - skip); count > 0 {
			if m == poolMeanSqrt {
				count = math.Sqrt(count)
			}
			kernels.Scale(out, out, float32(1/count))
		}
	}
}

// normalize makes x a unit vector. One shorter than 1e-12 is only divided by
// that, as torch.nn.functional.normalize does.
func normalize(x []float32) {
	norm := math.Sqrt(float64(kernels.Dot(x, x)))
	kernels.Scale(x, x, float32(1/max(norm, 1e-12)))
}
