package generate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ladon-ml/ladon/model"
)

// Sequences writes one sequence for each prompt, or Config.Return of them, with a
// causal language model: greedily, by chance, or with beams, as the Config says.
// Prompts of any lengths go through the model together, and none depends on the
// others.
func Sequences(ctx context.Context, m *model.Model, o model.SessionOptions, prompts []Prompt, cfg Config) ([]Sequence, error) {
	return inGroups(prompts, func(first int, prompts []Prompt) (_ []Sequence, err error) {
		s, err := newSessions(m, o, len(prompts))
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, s.Close()) }()
		return s.write(ctx, m, prompts, first, cfg)
	})
}

// together is how many prompts are written about at once. Weights are read no less
// often for more, but every row has a cache.
const together = 256

// inGroups writes some prompts after the other. first is the number of the first.
func inGroups(prompts []Prompt, write func(first int, prompts []Prompt) ([]Sequence, error)) ([]Sequence, error) {
	if len(prompts) <= together {
		return write(0, prompts)
	}
	var all []Sequence
	for first := 0; first < len(prompts); first += together {
		list, err := write(first, prompts[first:min(first+together, len(prompts))])
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return all, nil
}

// write goes on with the prompts, one a row.
func (s *sessions) write(ctx context.Context, m *model.Model, prompts []Prompt, first int, cfg Config) ([]Sequence, error) {
	search, err := newSearch(s, prompts, first, cfg, m.Spec().Embeddings.Vocab)
	if err != nil {
		return nil, err
	}
	for i, p := range prompts {
		s.ids[i] = p.IDs
	}
	if err := model.AppendAll(ctx, s.rows, s.ids); err != nil {
		return nil, err
	}
	return search.run(ctx)
}

// SequencesFrom is Sequences of an encoder-decoder: each text is about the source
// with its number, and begins with its prompt, mostly the one token that
// Spec.Target.Start names.
func SequencesFrom(ctx context.Context, m *model.Model, o model.SessionOptions, source model.Batch, prompts []Prompt, cfg Config) ([]Sequence, error) {
	if n := len(source.CuSeqlens) - 1; n != len(prompts) {
		return nil, fmt.Errorf("generate: %d prompts for %d sources", len(prompts), n)
	}
	prompts = slices.Clone(prompts)
	for i := range prompts {
		prompts[i].Source = []int32{} // of pictures there are no tokens
		if len(source.IDs) > 0 {
			prompts[i].Source = source.IDs[source.CuSeqlens[i]:source.CuSeqlens[i+1]]
		}
	}
	return inGroups(prompts, func(first int, group []Prompt) (_ []Sequence, err error) {
		part := source
		if len(group) < len(prompts) {
			part = sequencesOf(source, first, first+len(group))
		}
		s := &sessions{ids: make([][]int32, len(group))}
		if s.rows, err = m.Encode(ctx, part, o); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, s.Close()) }()
		return s.write(ctx, m, group, first, cfg)
	})
}

// sequencesOf are some of the sources that an encoder reads.
func sequencesOf(b model.Batch, from, to int) model.Batch {
	first, end, tokens := int(b.CuSeqlens[from]), int(b.CuSeqlens[to]), int(b.CuSeqlens[len(b.CuSeqlens)-1])
	part := model.Batch{
		IDs: rowsOf(b.IDs, first, end, tokens), TypeIDs: rowsOf(b.TypeIDs, first, end, tokens), Positions: rowsOf(b.Positions, first, end, tokens),
		Embeds: rowsOf(b.Embeds, first, end, tokens), Interpolate: b.Interpolate,
		Pictures: rowsOf(b.Pictures, from, to, len(b.CuSeqlens)-1), Unseen: rowsOf(b.Unseen, from, to, len(b.CuSeqlens)-1),
	}
	for _, at := range b.CuSeqlens[from : to+1] {
		part.CuSeqlens = append(part.CuSeqlens, at-int32(first))
	}
	return part
}

// rowsOf are some rows of as many as a list has, which may be nil.
func rowsOf[T any](list []T, from, to, rows int) []T {
	if len(list) == 0 {
		return nil
	}
	width := len(list) / rows
	return list[from*width : to*width]
}

// sessions is the Decoder of a causal language model: a session for each row.
type sessions struct {
	rows, next []*model.Session
	taken      []bool // by row: it goes on as one of next
	ids        [][]int32
}

// newSessions makes n empty rows.
func newSessions(m *model.Model, o model.SessionOptions, n int) (*sessions, error) {
	s := &sessions{ids: make([][]int32, n)}
	for range n {
		row, err := m.NewSession(o)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.rows = append(s.rows, row)
	}
	return s, nil
}

// Step makes the first that follows a row that row, and others forks of it.
func (s *sessions) Step(ctx context.Context, parents []int, ids []int32) error {
	s.taken = append(s.taken[:0], make([]bool, len(s.rows))...)
	s.next, s.ids = s.next[:0], s.ids[:0]
	var err error
	for i, p := range parents {
		row := s.rows[p]
		if s.taken[p] {
			if row, err = row.Fork(); err != nil {
				break
			}
		}
		s.taken[p] = true
		s.next, s.ids = append(s.next, row), append(s.ids, ids[i:i+1])
	}
	for p, taken := range s.taken {
		if !taken {
			err = errors.Join(err, s.rows[p].Close())
		}
	}
	s.rows, s.next = s.next, s.rows
	if err != nil {
		return err
	}
	return model.AppendAll(ctx, s.rows, s.ids)
}

func (s *sessions) Logits(row int) []float32 { return s.rows[row].Logits() }

func (s *sessions) Context() int {
	if len(s.rows) == 0 {
		return 0
	}
	return s.rows[0].Max()
}

// Close ends all rows.
func (s *sessions) Close() error {
	var err error
	for _, row := range s.rows {
		err = errors.Join(err, row.Close())
	}
	s.rows = nil
	return err
}
