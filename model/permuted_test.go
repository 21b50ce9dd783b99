package model

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func loadGolden(t *testing.T, name string) *Model {
	m, err := Load("testdata/" + name)
	require.NoError(t, err)
	t.Cleanup(func() { m.Close() })
	return m
}

// Ragged sequences with masks, targets and memory have the same bits alone and
// together, for any number of threads.
func TestPermutedAlone(t *testing.T) {
	m := loadGolden(t, "xlnet-mems-targets")
	rng := rand.New(rand.NewPCG(1, 2))
	var b Batch
	b.CuSeqlens, b.Memory = []int32{0}, make([][]float32, len(m.spec.Layers))
	const remembered = 3
	for _, n := range []int{5, 1, 40} {
		for range n {
			b.IDs, b.TypeIDs = append(b.IDs, rng.Int32N(61)), append(b.TypeIDs, rng.Int32N(3))
		}
		b.CuSeqlens = append(b.CuSeqlens, int32(len(b.IDs)))
		blocked, targets := make([]uint8, n*n), make([]float32, 2*n)
		for i := range blocked {
			blocked[i] = uint8(rng.IntN(2))
		}
		targets[n-1], targets[n] = 1, 1
		b.Blocked, b.Targets = append(b.Blocked, blocked), append(b.Targets, targets[:n*(1+len(b.Targets)%2)])
		for l := range b.Memory {
			for range remembered * m.spec.Hidden {
				b.Memory[l] = append(b.Memory[l], float32(rng.NormFloat64()))
			}
		}
	}
	r, err := m.NewResult("logits", HiddenStates, Attentions, Memory)
	require.NoError(t, err)
	row := 0
	alone := make([][]float32, 3)
	for s := range alone {
		from, to := b.CuSeqlens[s], b.CuSeqlens[s+1]
		one := Batch{IDs: b.IDs[from:to], TypeIDs: b.TypeIDs[from:to], CuSeqlens: []int32{0, to - from}, Blocked: b.Blocked[s : s+1], Targets: b.Targets[s : s+1]}
		each := remembered * m.spec.Hidden
		for _, states := range b.Memory {
			one.Memory = append(one.Memory, states[s*each:(s+1)*each])
		}
		require.NoError(t, m.Forward(t.Context(), one, r))
		alone[s] = append(alone[s], r.Get("logits").Data...)
		require.Equal(t, b.targets(s), r.Get(TargetHiddenStates+".1").Rows)
		require.Equal(t, int(to-from), r.Get(Memory+".1").Rows)
	}
	for threads := 1; threads <= 3; threads++ {
		m.threads = threads
		require.NoError(t, m.Forward(t.Context(), b, r))
		row = 0
		logits := r.Get("logits")
		require.Equal(t, 4, logits.Rows)
		for s, want := range alone {
			require.Equal(t, want, logits.Data[row*logits.Cols:][:len(want)], "sequence %d, %d threads", s, threads)
			row += b.targets(s)
		}
	}
}

// More keys than a model keeps distances for have the same bits as few.
func TestManyDistances(t *testing.T) {
	m := loadGolden(t, "xlnet-long")
	r, err := m.NewResult(LastHiddenState)
	require.NoError(t, err)
	b := Batch{CuSeqlens: []int32{0, 9, keptDistances + 40}}
	for i := range keptDistances + 40 {
		b.IDs = append(b.IDs, int32(i*7%61))
	}
	require.NoError(t, m.Forward(t.Context(), b, r))
	want := append([]float32{}, r.Get(LastHiddenState).Data[:9*m.spec.Hidden]...)
	require.Nil(t, m.distances.kept.Load())
	require.NoError(t, m.Forward(t.Context(), Batch{IDs: b.IDs[:9], CuSeqlens: []int32{0, 9}}, r))
	require.NotNil(t, m.distances.kept.Load())
	require.Equal(t, want, r.Get(LastHiddenState).Data)
}

func TestBadPermuted(t *testing.T) {
	b := func() Batch { return Batch{IDs: []int32{1, 2, 3}, CuSeqlens: []int32{0, 2, 3}} }
	for name, spoil := range map[string]func(b *Batch){
		"masks of 1 sequence":       func(b *Batch) { b.Blocked = [][]uint8{nil} },
		"a mask of 3":               func(b *Batch) { b.Blocked = [][]uint8{make([]uint8, 3), nil} },
		"targets of 3 sequences":    func(b *Batch) { b.Targets = make([][]float32, 3) },
		"half a target":             func(b *Batch) { b.Targets = [][]float32{{1, 0, 1}, {1}} },
		"memory of one layer":       func(b *Batch) { b.Memory = [][]float32{make([]float32, 40)} },
		"memory of two lengths":     func(b *Batch) { b.Memory = [][]float32{make([]float32, 40), make([]float32, 80)} },
		"memory of half a state":    func(b *Batch) { b.Memory = [][]float32{make([]float32, 30), make([]float32, 30)} },
		"unseen tokens":             func(b *Batch) { b.Unseen = []int32{1, 0} },
		"70000 targets":             func(b *Batch) { b.Targets = [][]float32{make([]float32, 140000), {1}} },
		"a negative token type":     func(b *Batch) { b.TypeIDs = []int32{0, -1, 0} },
		"a policy beside the masks": func(b *Batch) { b.Blocked, b.Policy = make([][]uint8, 2), &EntropyBudget{} },
	} {
		m := loadGolden(t, "xlnet-perm")
		r, err := m.NewResult()
		require.NoError(t, err)
		bad := b()
		spoil(&bad)
		require.ErrorAs(t, m.Forward(t.Context(), bad, r), new(*InputError), name)
	}
	m := loadGolden(t, "bert-model")
	r, err := m.NewResult()
	require.NoError(t, err)
	bad := b()
	bad.Blocked = make([][]uint8, 2)
	require.ErrorAs(t, m.Forward(t.Context(), bad, r), new(*InputError))

	_, err = loadGolden(t, "xlnet-uni").NewSession(SessionOptions{})
	require.ErrorAs(t, err, new(*InputError))
}

func TestBadSpans(t *testing.T) {
	m := loadGolden(t, "xlnet-qa") // five starts
	r, err := m.NewResult()
	require.NoError(t, err)
	run := func(b Batch) error { return m.Forward(t.Context(), b, r) }
	ids := []int32{1, 2, 3, 4, 5, 6}
	require.NoError(t, run(Batch{IDs: ids, CuSeqlens: []int32{0, 6}}))
	want := append([]float32{}, r.Get("end_top_log_probs").Data...)
	require.NoError(t, run(Batch{IDs: append(ids[1:], ids...), CuSeqlens: []int32{0, 5, 11}, Barred: make([]uint8, 11), NoAnswerAt: []int32{4, 5}}))
	require.Equal(t, want, r.Get("end_top_log_probs").Data[len(want):])
	for name, b := range map[string]Batch{
		"four tokens":        {IDs: ids[:4], CuSeqlens: []int32{0, 4}},
		"one target":         {IDs: ids, CuSeqlens: []int32{0, 6}, Targets: [][]float32{make([]float32, 6)}},
		"marks of five":      {IDs: ids, CuSeqlens: []int32{0, 6}, Barred: make([]uint8, 5)},
		"places of two":      {IDs: ids, CuSeqlens: []int32{0, 6}, NoAnswerAt: []int32{1, 1}},
		"a place past all":   {IDs: ids, CuSeqlens: []int32{0, 6}, NoAnswerAt: []int32{6}},
		"a place before all": {IDs: ids, CuSeqlens: []int32{0, 6}, NoAnswerAt: []int32{-1}},
	} {
		require.ErrorAs(t, run(b), new(*InputError), name)
	}
	other := loadGolden(t, "xlnet-perm")
	r, err = other.NewResult()
	require.NoError(t, err)
	require.ErrorAs(t, other.Forward(t.Context(), Batch{IDs: ids, CuSeqlens: []int32{0, 6}, NoAnswerAt: []int32{1}}, r), new(*InputError))
}

// Outputs of targets are there where targets are.
func TestTargetOutputs(t *testing.T) {
	m := loadGolden(t, "xlnet-perm")
	r, err := m.NewResult(HiddenStates, Attentions)
	require.NoError(t, err)
	for _, b := range []Batch{
		{IDs: []int32{1, 2}, CuSeqlens: []int32{0, 2}, Targets: [][]float32{{1, 0, 0, 1, 0, 1}}},
		{IDs: []int32{1, 2}, CuSeqlens: []int32{0, 2}},
	} {
		require.NoError(t, m.Forward(t.Context(), b, r))
		n := 0
		for o := range r.All {
			n++
			require.NotEmpty(t, o.Data, o.Name)
		}
		require.Equal(t, b.Targets != nil, r.Get(TargetAttentions+".1").Data != nil)
		require.Equal(t, b.Targets != nil, n == 2*(len(r.hidden)+len(r.attentions)))
	}
}
