package pipeline

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/model"
)

func TestPrune(t *testing.T) {
	texts := words(20, 3)
	for _, name := range []string{"st-mean", "st-cls", "st-dense", "ce-one"} {
		src := filepath.Join("testdata", name)
		t.Run(name, func(t *testing.T) {
			m, err := Open(src)
			require.NoError(t, err)
			defer m.Close()
			same, err := Drift(t.Context(), m, m, texts...)
			require.NoError(t, err)
			require.Equal(t, 0.0, same.MaxAbs)
			require.InDelta(t, 1, same.CosineMin, 1e-12)
			require.InDelta(t, 1, same.Top1, 1e-12)

			b, err := m.Batch(texts...)
			require.NoError(t, err)
			require.Len(t, b.CuSeqlens, len(texts)+1)
			found, err := m.Model().Importance(t.Context(), b, model.ImportanceOptions{})
			require.NoError(t, err)
			p := model.Pruning{
				Heads:   found.LeastHeads(m.Model().Spec(), 0.5, model.ByDrift),
				Neurons: found.LeastNeurons(model.KeepShare(0.5)),
			}
			dst := filepath.Join(t.TempDir(), "pruned")
			report, err := Prune(t.Context(), src, dst, p)
			require.NoError(t, err)
			require.Positive(t, report.Heads)
			pruned, err := Open(dst)
			require.NoError(t, err)
			defer pruned.Close()
			drift, err := Drift(t.Context(), m, pruned, texts...)
			require.NoError(t, err)
			require.Positive(t, drift.MaxAbs)
			require.LessOrEqual(t, drift.CosineMin, drift.Cosine)

			_, err = Prune(t.Context(), src, dst, p)
			require.ErrorContains(t, err, "not empty")
			_, err = Prune(t.Context(), src, dst+"2", model.Pruning{Heads: map[int][]int{77: {0}}})
			require.ErrorContains(t, err, "no layer 77")
			require.NoDirExists(t, dst+"2")
		})
	}
}

func TestSameNearest(t *testing.T) {
	x := []float32{1, 0, 0.9, 0.1, 0, 1}
	require.Equal(t, 1.0, sameNearest(x, x, 2))
	require.Equal(t, 1.0, sameNearest(x[:2], x[:2], 2))
	// The second now stands nearer to the third.
	require.InDelta(t, 2.0/3, sameNearest(x, []float32{1, 0, 0.1, 0.9, 0, 1}, 2), 1e-9)
}
