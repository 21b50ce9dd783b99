package generate

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/weights"
)

// A written is what transformers writes about a source, greedily without an end
// token, and with four beams.
type written struct{ Source, Greedy, Beams []int32 }

// forSources runs a test for every encoder-decoder that has such.
func forSources(t *testing.T, f func(t *testing.T, dir string, all []written)) {
	files, err := filepath.Glob("../testdata/*/golden.json")
	require.NoError(t, err)
	checked := 0
	for _, file := range files {
		var g struct{ Generates []written }
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(data, &g))
		if g.Generates == nil {
			continue
		}
		checked++
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) { f(t, dir, g.Generates) })
	}
	require.NotZero(t, checked)
}

// sources are the inputs of all of them.
func sources(all []written) []weights.Tensor {
	n := len(all[0].Source)
	var ids []int64
	for _, w := range all {
		for _, id := range w.Source {
			ids = append(ids, int64(id))
		}
	}
	return []weights.Tensor{weights.Of("input_ids", []int{len(all), n}, ids)}
}

func TestSequencesFrom(t *testing.T) {
	forSources(t, func(t *testing.T, dir string, all []written) {
		settings, err := LoadSettings(os.DirFS(dir), ".", dir)
		require.NoError(t, err)
		for threads := 1; threads <= 3; threads += 2 {
			m, err := model.Load(dir, model.WithThreads(threads))
			require.NoError(t, err)
			defer m.Close()
			source, rest, err := m.ReadSource(sources(all))
			require.NoError(t, err)
			start := settings.Start(m.Spec().Target.Start)
			batch, err := ReadTargets(rest, len(all), start, m.Spec().Embeddings.Vocab)
			require.NoError(t, err)

			greedy := Config{MaxNewTokens: 24}
			list, err := SequencesFrom(t.Context(), m, model.SessionOptions{}, source, batch.Prompts, greedy)
			require.NoError(t, err)
			for i, s := range list {
				require.Equal(t, all[i].Greedy, s.IDs)
			}
			beams := Config{MaxNewTokens: 24, EOS: settings.EOS, Beams: BeamSearch(4)}
			list, err = SequencesFrom(t.Context(), m, model.SessionOptions{}, source, batch.Prompts, beams)
			require.NoError(t, err)
			for i, s := range list {
				require.Equal(t, all[i].Beams, s.IDs)
			}

			// A text does not depend on those beside it, nor on how many beams read
			// a token at once.
			one, _, err := m.ReadSource(sources(all[1:2]))
			require.NoError(t, err)
			alone, err := SequencesFrom(t.Context(), m, model.SessionOptions{}, one, batch.Prompts[1:2], beams)
			require.NoError(t, err)
			require.Equal(t, list[1], alone[0])
		}
	})
}

// More texts than are written together are as those that are.
func TestSequencesInGroups(t *testing.T) {
	forSources(t, func(t *testing.T, dir string, all []written) {
		m, err := model.Load(dir)
		require.NoError(t, err)
		defer m.Close()
		write := func(all []written) []Sequence {
			source, rest, err := m.ReadSource(sources(all))
			require.NoError(t, err)
			batch, err := ReadTargets(rest, len(all), []int32{1}, m.Spec().Embeddings.Vocab)
			require.NoError(t, err)
			list, err := SequencesFrom(t.Context(), m, model.SessionOptions{}, source, batch.Prompts, Config{MaxNewTokens: 2})
			require.NoError(t, err)
			return list
		}
		many := slices.Repeat(all, together/len(all)+1)
		want := slices.Repeat(write(all), len(many)/len(all))
		require.Greater(t, len(want), together)
		require.Equal(t, want, write(many))
	})
}

func TestReadTargets(t *testing.T) {
	rows := func(rows ...[]int64) []weights.Tensor { return []weights.Tensor{tensor("decoder_input_ids", rows)} }
	for _, c := range []struct {
		inputs []weights.Tensor
		want   [][]int32
	}{
		{nil, [][]int32{{7}, {7}}},
		{rows([]int64{5, 6}, []int64{4, 3}), [][]int32{{7, 5, 6}, {7, 4, 3}}},
		{rows([]int64{7, 6}, []int64{4, 3}), [][]int32{{7, 6}, {4, 3}}}, // as transformers has it
		{rows([]int64{7}, []int64{7}), [][]int32{{7}, {7}}},
	} {
		b, err := ReadTargets(c.inputs, 2, []int32{7}, 9)
		require.NoError(t, err)
		for i, p := range b.Prompts {
			require.Equal(t, c.want[i], p.IDs)
		}
		require.Equal(t, []int{2, len(c.want[0])}, b.Tensor([]Sequence{{}, {}}, 0).Shape)
	}
	b, err := ReadTargets(nil, 2, []int32{4, 5}, 9)
	require.NoError(t, err)
	require.Equal(t, []Prompt{{IDs: []int32{4}}, {IDs: []int32{5}}}, b.Prompts)
	for problem, f := range map[string]func() (*Batch, error){
		"no decoder_start_token_id":                      func() (*Batch, error) { return ReadTargets(nil, 2, nil, 9) },
		"3 tokens for 2 sources":                         func() (*Batch, error) { return ReadTargets(nil, 2, []int32{1, 2, 3}, 9) },
		"1 rows for 2 sources":                           func() (*Batch, error) { return ReadTargets(rows([]int64{1}), 2, []int32{7}, 9) },
		"\"decoder_input_ids\": token 9 at [0 0] is not": func() (*Batch, error) { return ReadTargets(rows([]int64{9}), 1, []int32{7}, 9) },
		"unknown input tensor": func() (*Batch, error) {
			return ReadTargets([]weights.Tensor{tensor("input_ids", [][]int64{{1}})}, 1, []int32{7}, 9)
		},
	} {
		_, err := f()
		require.ErrorContains(t, err, problem)
	}
}
