package attnview

import (
	"bufio"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
)

//go:embed page
var page embed.FS

// scripts are the parts of the page's script, in the order in which they run.
var scripts = []string{"data.js", "colour.js", "overview.js", "lines.js", "look.js", "heatmap.js", "main.js"}

// A shownMap is a map as the page's script reads it.
type shownMap struct {
	Name       string         `json:"name"`
	Kind       string         `json:"kind"`
	Queries    []shownToken   `json:"queries"`
	Keys       []shownToken   `json:"keys,omitempty"`
	Statistics []statistic    `json:"statistics"`
	Layers     [][]shownPlane `json:"layers"`
	Picture    *shownPicture  `json:"picture,omitempty"`
	encoded
}

type shownPlane struct {
	Name       string    `json:"name"`
	Statistics []float64 `json:"statistics"` // in the order of the map's
}

// A shownReport is all that the script reads.
type shownReport struct {
	Layer int        `json:"layer"` // to begin with
	Plane string     `json:"plane"`
	Maps  []shownMap `json:"maps"`
}

// HTML writes a page that holds everything: style, script and weights. It asks
// the network for nothing, and its policy forbids it to. The selection is what
// it shows first.
func (r *Report) HTML(ctx context.Context, w io.Writer, s Selection) error {
	if err := r.check(); err != nil {
		return err
	}
	shown := shownReport{Layer: max(s.Layer, 0), Plane: s.Plane}
	if m := &r.Maps[0]; m.Picture != nil && m.self() && s.Layer < 0 { // what all layers come to
		shown.Layer = len(m.Layers) - 1
		if s.Plane == "" {
			shown.Plane = RolloutPlane
		}
	}
	for i := range r.Maps {
		f, err := newField(ctx, &r.Maps[i])
		if err != nil {
			return err
		}
		if i == 0 {
			if _, err := f.pick(s); err != nil {
				return err
			}
		}
		m, err := f.shown()
		if err != nil {
			return err
		}
		shown.Maps = append(shown.Maps, m)
	}
	style, script, err := parts()
	if err != nil {
		return err
	}
	t, err := template.ParseFS(page, "page/page.html")
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(w, 1<<16)
	err = t.Execute(b, map[string]any{
		"Model": r.Model, "Text": visible(r.Text, map[rune]string{'\n': "\n", '\t': "\t", '\r': ""}), "Data": shown,
		"Style": template.CSS(style), "StyleHash": hash(style),
		"Script": template.JS(script), "ScriptHash": hash(script),
	})
	if err != nil {
		return err
	}
	return b.Flush()
}

// shown is the field as the script reads it.
func (f *field) shown() (shownMap, error) {
	e, err := f.encode()
	m := shownMap{Name: f.Name, Kind: f.kind(), Queries: tokensOf(f.Queries), Statistics: f.statistics(), encoded: e}
	if !f.self() {
		m.Keys = tokensOf(f.Keys)
	}
	// A browser shows the vocabulary's tokens too, and obeys what they hold.
	for _, list := range [][]shownToken{m.Queries, m.Keys} {
		for i := range list {
			list[i].Token = visible(list[i].Token, spaces)
		}
	}
	for _, layer := range f.planes {
		var list []shownPlane
		for _, p := range layer {
			list = append(list, shownPlane{p.name, f.measure(p)})
		}
		m.Layers = append(m.Layers, list)
	}
	if err == nil && f.Picture != nil {
		m.Picture, err = f.Picture.shown()
	}
	return m, err
}

// parts gives the page's style and script.
func parts() (style, script string, err error) {
	css, err := page.ReadFile("page/page.css")
	if err != nil {
		return "", "", err
	}
	var b strings.Builder
	b.WriteString("\"use strict\";\n(() => {\n")
	for _, name := range scripts {
		js, err := page.ReadFile("page/" + name)
		if err != nil {
			return "", "", err
		}
		b.Write(js)
	}
	b.WriteString("})();\n")
	return string(css), b.String(), nil
}

// hash is how the page's policy names a style or script that may run: no other
// does, whatever a token says.
func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return fmt.Sprintf("'sha256-%s'", base64.StdEncoding.EncodeToString(sum[:]))
}
