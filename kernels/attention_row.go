package kernels

import "unsafe"

// ReadOnce makes the tile read keys and values row after row, each query by itself: what one to four queries want
// whose keys come from memory. It comes after Queries and changes the order in which scores are summed.
func (t *AttentionTile) ReadOnce() {
	t.rowwise = true
	t.pad = grow(t.pad, max(panelWidth, t.rows)*t.dim)
	for i := range t.rows {
		panel := t.q[i/panelWidth*panelWidth*t.dim+i%panelWidth:]
		for d := range t.dim {
			t.pad[i*t.dim+d] = panel[d*panelWidth]
		}
	}
}

func (t *AttentionTile) scoreRows(k []float32, ld, n int) {
	cfg := attention()
	for i := range t.rows {
		cfg.scoresRow(n, t.dim, &t.pad[i*t.dim], &k[0], 4*ld, &t.s[i], 4*t.lanes)
	}
}

func (t *AttentionTile) valueRows(v []float32, ld, n int, last bool, out []float32, ldo int) {
	cfg := attention()
	t.o = grow(t.o, t.rows*roundUp(t.valueDim, panelWidth))
	for i := range t.rows {
		o := t.Partial(i)
		if t.started {
			Scale(o, o, t.alpha[i])
		} else {
			clear(o)
		}
		cfg.valuesRow(n, t.valueDim, &t.s[i], 4*t.lanes, &v[0], 4*ld, &o[0])
		if last {
			Scale(out[i*ldo:][:t.valueDim], o, t.final[i])
		}
	}
	t.started = !last
}

// scoresRowGeneric is, in 16 partial sums,
//
//	s[i·lds] = Σ q[d]·k[i·ldk+d]
func scoresRowGeneric(n, dim int, q, k *float32, ldk int, s *float32, lds int) {
	x := unsafe.Slice(q, dim)
	for i := range n {
		row := unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(k), i*ldk)), dim)
		var lanes lanes16
		for d, v := range row {
			lanes[d%16] += float32(x[d] * v)
		}
		*(*float32)(unsafe.Add(unsafe.Pointer(s), i*lds)) = lanes.sum()
	}
}

// valuesRowGeneric is
//
//	o[d] += Σ w[i·ldw]·v[i·ldv+d]
func valuesRowGeneric(n, dim int, w *float32, ldw int, v *float32, ldv int, o *float32) {
	sum := unsafe.Slice(o, dim)
	for i := range n {
		weight := *(*float32)(unsafe.Add(unsafe.Pointer(w), i*ldw))
		for d, x := range unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(v), i*ldv)), dim) {
			sum[d] += float32(weight * x)
		}
	}
}
