package mha

// factor is the head mask's.
func (j *job) factor(seq, head int) float32 {
	switch len(j.HeadMask) {
	case 0:
		return 1
	case j.Heads:
		return j.HeadMask[head]
	}
	return j.HeadMask[seq*j.Heads+head]
}

// live is how many heads of a sequence the head mask leaves.
func (j *job) live(seq int) int {
	n := 0
	for h := range j.Heads {
		if j.factor(seq, h) != 0 {
			n++
		}
	}
	return n
}

// masked tells whether the head mask leaves out all heads of a span.
func (j *job) masked(sp *span) bool {
	if j.HeadMask == nil {
		return false
	}
	for h := range sp.heads {
		if j.factor(sp.seq, sp.head+h) != 0 {
			return false
		}
	}
	return true
}

// scaleRows multiplies what the last block gives by the factors of the heads.
func (j *job) scaleRows(w *scratch, sp *span) {
	for r := range sp.lanes() {
		if f := j.factor(sp.seq, sp.head+r/sp.queries); f != 1 {
			w.ScaleRow(r, f)
		}
	}
}

// leaveOut gives the queries of those heads of a span that are masked their zeros.
func (j *job) leaveOut(sp *span) {
	if j.HeadMask == nil || j.noValues {
		return
	}
	for r := range sp.lanes() {
		if head := sp.head + r/sp.queries; j.factor(sp.seq, head) == 0 {
			clear(j.out.head(head, int(j.SeqQ[sp.seq])+sp.query+r%sp.queries)[:j.ValueDim])
		}
	}
}
