package mha

// visibility sets row to what is added to the scores of query i of a head for every key of sequence s: its biases, and
// -Inf for keys that it does not see.
func visibility(row []float32, p *Params, b Batch, s, head, i int) {
	j := job{Params: *p, Batch: b}
	sp := span{seq: s, head: head, heads: 1, query: i, queries: 1, to: len(row)}
	sight := j.sight(&sp)
	clear(row)
	for _, bias := range p.Biases {
		bias.Add(row, Row{Seq: s, Head: head, Query: i, Place: sight.first})
	}
	for key := range row {
		if key >= sight.prefix && (key < sight.lo || key >= sight.hi) {
			row[key] = hidden
		}
		for m := range p.Masks {
			if mask := &p.Masks[m]; (mask.row(s, head, i, key)[0] != 0) == mask.Hides {
				row[key] = hidden
			}
		}
	}
}

// flat writes all that p adds and hides into one table, in which n more keys at the end of each sequence are seen by
// everyone.
func flat(p Params, b Batch, n int) Params {
	seqs, queries, keys := len(b.SeqQ)-1, 0, 0
	for s := range seqs {
		queries, keys = max(queries, int(b.SeqQ[s+1]-b.SeqQ[s])), max(keys, int(b.SeqK[s+1]-b.SeqK[s]))
	}
	keys += n
	t := &Table{Data: make([]float32, seqs*p.Heads*queries*keys), Seq: p.Heads * queries * keys, Head: queries * keys, Query: keys, Key: 1}
	for s := range seqs {
		for h := range p.Heads {
			for i := range int(b.SeqQ[s+1] - b.SeqQ[s]) {
				visibility(t.Data[s*t.Seq+h*t.Head+i*t.Query:][:b.SeqK[s+1]-b.SeqK[s]], &p, b, s, h, i)
			}
		}
	}
	p.Causal, p.Left, p.Right, p.Prefix, p.Masks, p.Biases = false, 0, 0, nil, nil, []Bias{t}
	return p
}
