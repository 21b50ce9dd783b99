package attnview

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"strconv"
)

// JSON writes the selected planes with the weights as they are:
//
//	{"model": …, "text": …, "maps": [{
//	  "name": "self-attention", "kind": "self" or "cross",
//	  "queries": [{"id": …, "token": …, "label": …, "special": …, "joined": …}, …],
//	  "keys":    the same, for kind "cross" only,
//	  "picture": {"width": …, "height": …, "first": the key of the first patch, "rows": …, "cols": …, …}, if keys are patches,
//	  "statistics": [{"key": …, "name": …, "unit": …, "help": …}, …],
//	  "planes": [{
//	    "layer": 0, "plane": "0" (a head's number), "mean" or "rollout",
//	    "statistics": {"entropy": …, …}, by key,
//	    "weights": [[…], …]  a row a query
//	  }, …]
//	}, …]}
func (r *Report) JSON(ctx context.Context, w io.Writer, s Selection) error {
	if err := r.check(); err != nil {
		return err
	}
	b := bufio.NewWriterSize(w, 1<<16)
	b.WriteString(`{"model":`)
	writeValue(b, r.Model)
	b.WriteString(`,"text":`)
	writeValue(b, r.Text)
	b.WriteString(`,"maps":[`)
	for i := range r.Maps {
		if i > 0 {
			b.WriteByte(',')
		}
		f, err := newField(ctx, &r.Maps[i])
		if err != nil {
			return err
		}
		if err := f.writeJSON(ctx, b, s); err != nil {
			return err
		}
	}
	b.WriteString("]}\n")
	return b.Flush()
}

func (f *field) writeJSON(ctx context.Context, b *bufio.Writer, s Selection) error {
	picks, err := f.pick(s)
	if err != nil {
		return err
	}
	b.WriteString(`{"name":`)
	writeValue(b, f.Name)
	b.WriteString(`,"kind":`)
	writeValue(b, f.kind())
	b.WriteString(`,"queries":`)
	writeValue(b, tokensOf(f.Queries))
	if !f.self() {
		b.WriteString(`,"keys":`)
		writeValue(b, tokensOf(f.Keys))
	}
	if f.Picture != nil {
		b.WriteString(`,"picture":`)
		writeValue(b, f.Picture.described())
	}
	b.WriteString(`,"statistics":`)
	writeValue(b, f.statistics())
	b.WriteString(`,"planes":[`)
	sep := ""
	for _, row := range picks {
		for _, p := range row {
			if err := ctx.Err(); err != nil {
				return err
			}
			b.WriteString(sep)
			sep = ",\n"
			f.writePlane(b, p)
		}
	}
	_, err = b.WriteString("]}")
	return err
}

func (f *field) writePlane(b *bufio.Writer, p picked) {
	b.WriteString(`{"layer":` + strconv.Itoa(p.layer) + `,"plane":`)
	writeValue(b, p.name)
	b.WriteString(`,"statistics":`)
	named := map[string]float64{}
	for i, x := range f.measure(p.plane) {
		named[f.statistics()[i].Key] = x
	}
	writeValue(b, named)
	b.WriteString(`,"weights":[`)
	var line []byte
	for q := range f.q {
		line = line[:0]
		if q > 0 {
			line = append(line, ',')
		}
		line = append(line, '[')
		for k, w := range p.weights[q*f.k : (q+1)*f.k] {
			if k > 0 {
				line = append(line, ',')
			}
			line = strconv.AppendFloat(line, float64(w), 'g', -1, 32)
		}
		b.Write(append(line, ']'))
	}
	b.WriteString("]}")
}

// kind is what the page and the JSON call it.
func (f *field) kind() string {
	if f.self() {
		return "self"
	}
	return "cross"
}

// A shownToken is a token as the page and the JSON have it.
type shownToken struct {
	ID      int32  `json:"id"`
	Token   string `json:"token"`
	Label   string `json:"label"`
	Special bool   `json:"special"`
	Joined  bool   `json:"joined"`
}

func tokensOf(list []Token) []shownToken {
	shown := make([]shownToken, len(list))
	for i, t := range list {
		shown[i] = shownToken(t)
	}
	return shown
}

// writeValue writes a string, or a small value that JSON can hold. A failing
// writer is reported by Flush.
func writeValue(b *bufio.Writer, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic("attnview: a value that JSON cannot hold")
	}
	b.Write(data)
}
