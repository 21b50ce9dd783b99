package model

import (
	"context"

	"github.com/ladon-ml/ladon/mha"
)

// Encode runs the encoder of an encoder-decoder on sources, and begins an empty
// text about each: what is appended first is the token that texts begin with,
// Spec.Target.Start. The keys and values of a source are computed here, once.
// Sessions that fork share them.
func (m *Model) Encode(ctx context.Context, source Batch, o SessionOptions) (_ []*Session, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return nil, ErrClosed
	}
	if !m.spec.Crosses() {
		return nil, inputError("%s is no encoder-decoder, and reads no source", m.spec.class())
	}
	if err := m.checkSource(&Batch{Source: &source, CuSeqlens: source.CuSeqlens}); err != nil {
		return nil, err
	}
	states, err := m.other.newResult(LastHiddenState)
	if err != nil {
		return nil, err
	}
	if err := m.other.forward(ctx, source, states); err != nil {
		return nil, err
	}
	var list []*Session
	defer func() {
		if err != nil {
			for _, s := range list {
				_ = s.Close()
			}
		}
	}()
	for range source.sequences() {
		s, err := m.newSession(o)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, m.remember(ctx, list, &source, states.last, o.KV)
}

// remember gives sessions the keys and values of their sources, in every layer.
func (m *Model) remember(ctx context.Context, sessions []*Session, source *Batch, states *Output, kind KVType) error {
	w := m.workspaces.get(m)
	defer m.workspaces.put(w)
	w.Begin(ctx, m.threads)
	err := w.remember(sessions, source, states, kind)
	if cancelled := w.End(); cancelled != nil {
		return cancelled
	}
	return err
}

func (w *workspace) remember(sessions []*Session, source *Batch, states *Output, kind KVType) error {
	caches, from := make([]*mha.Cache, len(sessions)), w.bridge(states.Data, states.Rows)
	for l := range w.model.spec.Layers {
		a := w.model.spec.Layers[l].Cross
		for i, s := range sessions {
			c, err := mha.NewCache(&w.model.blocks, mha.CacheConfig{KVHeads: a.KVHeads, HeadDim: a.HeadDim, Type: kind})
			if err != nil {
				return inputError("%v", err)
			}
			caches[i], s.source = c, append(s.source, c)
		}
		k, v := w.sourceKV(l, from, states.Rows)
		if err := w.mha.Append(&w.Exec, mha.Batch{SeqQ: source.CuSeqlens}, caches, k, v); err != nil {
			return err
		}
	}
	return nil
}
