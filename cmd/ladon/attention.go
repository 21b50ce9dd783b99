package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ladon-ml/ladon/internal/atomicfile"
	"github.com/ladon-ml/ladon/internal/attnview"
	"github.com/ladon-ml/ladon/model/picture"
	"github.com/ladon-ml/ladon/pipeline"
)

var attentionCommand = command{
	name:    "attention",
	summary: "show what every head makes of a text or picture: as a page, a picture or JSON",
	help: `
Writes one HTML file that needs nothing else and no network: an overview of all
heads, lines from token to token, a heatmap and rollout. A name that ends in .png
gives a picture of all heads, or with -layer and -head of one; .json the weights
as they are. The text is -text, or standard input. With -image and a -model that
looks at pictures, heads are drawn over the picture: what its class token looks
at, or on the page any patch that one points at. A picture with too many patches
for its weights to fit into 1 GiB is made smaller where the model lets it be.

Of an encoder-decoder there are three: cross, from what is written to the text,
decoder and encoder, each of its own tokens. What is written is -target, or what the
model itself writes. The page has all and begins with -of (cross unless said), a PNG
has that one, and so has JSON where -of is given.`,
	setup: func(fs *flag.FlagSet) func(*call) error {
		a := &attentionFlags{src: modelFlag(fs), layer: -1}
		fs.Func("text", "the `TEXT` to read (default: standard input)", func(s string) error {
			a.text, a.hasText = s, true
			return nil
		})
		fs.Func("pair", "a second `TEXT`, read together with the first", func(s string) error {
			a.pair, a.hasPair = s, true
			return nil
		})
		fs.Func("target", "what an encoder-decoder writes: `TEXT` (default: what it does write)", func(s string) error {
			a.target, a.hasTarget = s, true
			return nil
		})
		fs.Var(choiceValue{&a.of, attentionParts}, "of", "the `PART` of an encoder-decoder: cross, decoder or encoder")
		fs.Var(pathValue{&a.image}, "image", "the picture `FILE` to look at, in place of a text")
		fs.Var(pathValue{&a.out}, "o", "the `FILE` to write: .html, .png or .json")
		fs.Var(countValue{&a.layer, 0}, "layer", "the layer `N`, from 0: drawn or written alone, or shown first")
		fs.Var(planeValue{&a.head}, "head", "the head `N`, from 0, or mean or rollout: likewise")
		a.maxTokens = countFlag(fs, "max-tokens", 0, 1, "cut the text to `N` tokens (default: what the model takes), or make the picture smaller")
		return func(c *call) error { return a.run(c) }
	},
}

type attentionFlags struct {
	src                *modelSource
	text, pair, target string
	hasText, hasPair   bool
	hasTarget          bool
	of                 string // "": cross first, and all
	image, out         string
	layer              int
	head               string
	maxTokens          *int
}

// attentionParts are the maps of an encoder-decoder, in their order.
var attentionParts = []string{"cross", "decoder", "encoder"}

// planeValue is a head's number or one of the planes made of heads.
type planeValue struct{ s *string }

func (v planeValue) String() string { return "" }

func (v planeValue) Set(s string) error {
	n, err := strconv.Atoi(s)
	switch {
	case s == attnview.MeanPlane, s == attnview.RolloutPlane:
		*v.s = s
	case err == nil && n >= 0:
		*v.s = strconv.Itoa(n)
	default:
		return fmt.Errorf("a whole number from 0 up, %s or %s", attnview.MeanPlane, attnview.RolloutPlane)
	}
	return nil
}

// A writer of a report is chosen by the name of the file.
type reportWriter func(*attnview.Report, context.Context, io.Writer, attnview.Selection) error

var reportWriters = map[string]reportWriter{
	".html": (*attnview.Report).HTML,
	".htm":  (*attnview.Report).HTML,
	".png":  (*attnview.Report).PNG,
	".json": (*attnview.Report).JSON,
}

func (a *attentionFlags) run(c *call) error {
	if err := c.noArgs(); err != nil {
		return err
	}
	if a.out == "" {
		return errors.New("attention: -o is needed")
	}
	write := reportWriters[strings.ToLower(filepath.Ext(a.out))]
	if write == nil {
		return fmt.Errorf("attention: -o %s: the name must end in .html, .png or .json", a.out)
	}
	got, err := a.look(c)
	if err != nil {
		return err
	}
	if a.of != "" && got.Written == nil {
		return fmt.Errorf("attention: -of %s: %s is no encoder-decoder", a.of, a.src.name())
	}
	report := a.report(got)
	return atomicfile.Write(a.out, func(w io.Writer) error {
		return write(report, c.ctx, w, attnview.Selection{Layer: a.layer, Plane: a.head})
	})
}

// look runs the model on the text or the picture.
func (a *attentionFlags) look(c *call) (*pipeline.Attention, error) {
	if a.image != "" {
		return a.lookAtPicture(c)
	}
	if err := a.readText(c); err != nil {
		return nil, err
	}
	m, err := a.src.open(c)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	return m.Attention(c.ctx, a.text, pipeline.AttentionConfig{
		Pair: a.pair, HasPair: a.hasPair, Target: a.target, HasTarget: a.hasTarget, MaxTokens: *a.maxTokens,
		Truncated:       func(kept int) { c.warnf("the text is cut to %d tokens", kept) },
		TargetTruncated: func(kept int) { c.warnf("the target is cut to %d tokens", kept) },
	})
}

func (a *attentionFlags) lookAtPicture(c *call) (*pipeline.Attention, error) {
	if a.hasText || a.hasPair || a.hasTarget {
		return nil, errors.New("attention: -image goes without -text, -pair and -target")
	}
	if err := a.src.need("attention -image"); err != nil {
		return nil, err
	}
	pic, err := readPicture(a.image)
	if err != nil {
		return nil, err
	}
	m, err := a.src.openVision(c)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	got, err := m.Attention(c.ctx, pic, pipeline.AttentionConfig{
		MaxTokens: *a.maxTokens,
		Truncated: func(kept int) { c.warnf("%s is made smaller, to %d tokens", a.image, kept) },
	})
	if errors.Is(err, picture.ErrShape) {
		err = inFile(a.image, err)
	}
	return got, err
}

// readText takes the text from standard input where there is no -text, and
// checks both.
func (a *attentionFlags) readText(c *call) error {
	where := "-text"
	if !a.hasText {
		where = "standard input"
		if isTerminal(c.stdin) {
			fmt.Fprintln(c.stderr, "ladon: reading a text from the terminal, until the end of input")
		}
		data, err := io.ReadAll(&contextReader{ctx: c.ctx, r: c.stdin})
		if err != nil {
			return fmt.Errorf("standard input: %w", err)
		}
		a.text = strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	}
	for _, t := range []struct{ where, text string }{{where, a.text}, {"-pair", a.pair}, {"-target", a.target}} {
		if !utf8.ValidString(t.text) {
			return fmt.Errorf("%s: byte %d is not UTF-8", t.where, invalidUTF8([]byte(t.text)))
		}
	}
	return nil
}

// report names what the pipeline gave for people to see.
func (a *attentionFlags) report(got *pipeline.Attention) *attnview.Report {
	own := attnview.Map{Name: "self-attention", Queries: shownTokens(got.Tokens, got.Picture != nil), Layers: shownLayers(got.Layers)}
	text := got.Text
	if a.hasPair {
		text += "\n" + got.Pair
	}
	if p := got.Picture; p != nil {
		own.Picture = &attnview.Picture{
			RGB: p.Picture.RGB(), Width: p.Picture.Width, Height: p.Picture.Height,
			First: p.First, Rows: p.Rows, Cols: p.Cols, PatchWidth: p.PatchWidth, PatchHeight: p.PatchHeight,
		}
		text = fmt.Sprintf("%s, %d×%d pixels for the model, %d×%d patches", filepath.Base(a.image), p.Picture.Width, p.Picture.Height, p.Cols, p.Rows)
	}
	maps := []attnview.Map{own}
	if w := got.Written; w != nil {
		text += "\n→ " + w.Text
		maps = a.ofBoth(own, w)
	}
	name := filepath.Base(a.src.name())
	return &attnview.Report{Model: name, Text: abridgeTo(text, 2000), Maps: maps}
}

// ofBoth are the maps of an encoder-decoder, the one that was asked for first.
func (a *attentionFlags) ofBoth(encoder attnview.Map, w *pipeline.AttentionWritten) []attnview.Map {
	written := shownTokens(w.Tokens, false)
	encoder.Name = "encoder's self-attention"
	maps := []attnview.Map{
		{Name: "cross-attention", Queries: written, Keys: encoder.Queries, Layers: shownLayers(w.Source)},
		{Name: "decoder's self-attention", Queries: written, Layers: shownLayers(w.Layers)},
		encoder,
	}
	first := slices.Index(attentionParts, a.of)
	switch {
	case first < 0:
		return maps
	case strings.EqualFold(filepath.Ext(a.out), ".json"):
		return maps[first : first+1]
	}
	return slices.Concat(maps[first:first+1], maps[:first], maps[first+1:])
}

func shownLayers(list []pipeline.AttentionLayer) (layers []attnview.Layer) {
	for _, l := range list {
		layers = append(layers, attnview.Layer(l))
	}
	return layers
}

// shownTokens names tokens, which may be patches of a picture.
func shownTokens(list []pipeline.AttentionToken, patches bool) (tokens []attnview.Token) {
	for _, t := range list {
		surface := t.Surface
		if t.Special {
			surface = "" // [UNK] and the like: what the model sees
		}
		label := t.Token
		if !patches {
			label = attnview.Label(t.Token, surface)
		}
		tokens = append(tokens, attnview.Token{ID: t.ID, Token: t.Token, Label: label, Special: t.Special, Joined: t.Joined})
	}
	return tokens
}

// abridgeTo cuts a text after about that many bytes.
func abridgeTo(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
