package model

// cross adds the parameters of attention to a source, where there is any.
func (p *paramList) cross(l *layer, a *Attention, ours, theirs string) {
	if a == nil {
		return
	}
	q, kv, hidden := a.Heads*a.HeadDim, a.KVHeads*a.HeadDim, p.spec.Hidden
	query := part{name: theirs + p.CrossQuery, rows: q}
	keyValue := []part{{name: theirs + p.CrossKey, rows: kv}, {name: theirs + p.CrossValue, rows: kv}}
	switch {
	case p.CrossKeyValue != "":
		keyValue = []part{{name: theirs + p.CrossKeyValue, rows: 2 * kv}}
	case p.CrossQKV != "":
		query.name, query.of = theirs+p.CrossQKV, q+2*kv
		keyValue = []part{{name: theirs + p.CrossQKV, rows: 2 * kv, of: q + 2*kv, first: q}}
	}
	p.linear(ours+"cross_query", &l.crossQuery, hidden, a.QKVBias, query)
	at := len(p.list)
	p.linear(ours+"cross_kv", &l.crossKV, p.spec.sourceWidth(), a.QKVBias, keyValue...)
	readsSource(p.list[at:])
	p.linear(ours+"cross_out", &l.crossOut, q, a.OutBias, part{name: theirs + p.CrossOut, rows: hidden})
	p.norm(ours+"cross_norm", &l.crossNorm, hidden, theirs+p.CrossNorm)
}

func readsSource(list []param) {
	for i := range list {
		list[i].onSource = true
	}
}
