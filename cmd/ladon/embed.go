package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/ladon-ml/ladon/model/picture"
	"github.com/ladon-ml/ladon/pipeline"
)

var embedCommand = command{
	name:    "embed",
	args:    "TEXT… (or lines on standard input), or -image FILE…",
	summary: "turn each text or picture into a vector",
	help: `
Prints one line of JSON a text, in order: {"text":…,"embedding":[…]}. Texts are
the arguments, or without any the lines of standard input, empty ones included.
A text longer than the model takes is cut, with a warning. With -image the
arguments are picture files, or folders of them, and the line is
{"image":…,"embedding":[…]}: the class token's last hidden state.`,
	setup: func(fs *flag.FlagSet) func(*call) error {
		src := modelFlag(fs)
		pictures := fs.Bool("image", false, "embed pictures, with a -model that looks at them")
		return func(c *call) error {
			if *pictures {
				return embedPictures(c, src)
			}
			return runEmbed(c, src)
		}
	},
}

func runEmbed(c *call, src *modelSource) error {
	m, err := src.open(c)
	if err != nil {
		return err
	}
	defer m.Close()
	e, err := m.Embedder()
	if err != nil {
		return err
	}
	w := embedWriter{c: c, e: e, texts: c.texts()}
	total := -1
	if w.texts.lines == nil {
		total = len(c.args)
	}
	bar := newProgress(c.stderr, total, "texts")
	defer bar.finish()
	for {
		batch, err := w.texts.next(c.ctx, w.batch[:0])
		// Texts that stand before an error are still answered.
		if werr := w.write(c.ctx, batch); werr != nil {
			return werr
		}
		bar.set(w.done)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

func embedPictures(c *call, src *modelSource) error {
	if err := src.need("embed -image"); err != nil {
		return err
	}
	m, err := src.openVision(c)
	if err != nil {
		return err
	}
	defer m.Close()
	var line []byte
	return c.eachPicture(func(files []string, pics []*picture.Picture) error {
		vectors, err := m.Embed(c.ctx, pics...)
		if err != nil {
			return err
		}
		for i, file := range files {
			line = append(appendString(append(line[:0], `{"image":`...), file), `,"embedding":`...)
			if line, err = appendFloats(line, vectors[i]); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			if _, err := c.stdout.Write(append(line, "}\n"...)); err != nil {
				return err
			}
		}
		return c.stdout.Flush()
	})
}

// embedWriter embeds and prints batch after batch in the same memory.
type embedWriter struct {
	c       *call
	e       *pipeline.Embedder
	texts   *textSource
	batch   []string
	vectors []float32 // [len(batch)*dim]
	line    []byte
	done    int
}

func (w *embedWriter) write(ctx context.Context, batch []string) (err error) {
	cfg := pipeline.EmbedConfig{Truncated: func(i, kept int) {
		w.c.warnf("%s is cut to the model's %d tokens", w.texts.place(w.done+i), kept)
	}}
	w.vectors, err = w.e.AppendEmbedWith(ctx, w.vectors[:0], cfg, batch...)
	if err != nil {
		return err
	}
	dim := w.e.Dim()
	for i, text := range batch {
		w.line = append(w.line[:0], `{"text":`...)
		w.line = appendString(w.line, text)
		w.line = append(w.line, `,"embedding":`...)
		if w.line, err = appendFloats(w.line, w.vectors[i*dim:(i+1)*dim]); err != nil {
			return fmt.Errorf("%s: %w", w.texts.place(w.done+i), err)
		}
		w.line = append(w.line, "}\n"...)
		if _, err := w.c.stdout.Write(w.line); err != nil {
			return err
		}
	}
	w.done += len(batch)
	w.batch = batch
	return w.c.stdout.Flush()
}
