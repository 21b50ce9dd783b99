package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ladon-ml/ladon/model/picture"
	"github.com/ladon-ml/ladon/pipeline"
)

// search finds each text's best pictures, of files or of those that -save kept.
func (f *matchFlags) search(c *call, m *pipeline.Matcher, texts []float32) error {
	x, files, err := f.index(c, m)
	unread := new(unreadError)
	if err != nil && !errors.As(err, &unread) {
		return err
	}
	defer x.Close()
	if f.save != "" {
		if err := x.Write(f.save, files); err != nil {
			return err
		}
	}
	if f.top > 0 && len(f.texts) > 0 {
		if err := f.find(c, m, x, files, texts); err != nil {
			return err
		}
	}
	return err
}

// index makes or reads the index of the pictures, whose files it names. With an
// unreadError, it is of the others.
func (f *matchFlags) index(c *call, m *pipeline.Matcher) (_ *pipeline.Index, files []string, err error) {
	if f.in != "" {
		x, files, err := pipeline.OpenIndex(f.in, pipeline.WithThreads(c.threads))
		if err != nil {
			return nil, nil, err
		}
		if x.Dim() != m.Dim() {
			return nil, nil, errors.Join(inFile(f.in, fmt.Errorf("vectors of %d components, but %s gives %d: it was made with another model", x.Dim(), f.src.name(), m.Dim())), x.Close())
		}
		if files == nil {
			return nil, nil, errors.Join(inFile(f.in, errors.New("vectors without names of pictures")), x.Close())
		}
		return x, files, nil
	}
	x, err := pipeline.NewIndex(m.Dim(), pipeline.WithThreads(c.threads))
	if err != nil {
		return nil, nil, err
	}
	err = c.eachPicture(func(names []string, pics []*picture.Picture) error {
		vectors, err := m.Pictures(c.ctx, pics...)
		if err != nil {
			return err
		}
		files = append(files, names...)
		return x.Add(vectors)
	})
	if unread := new(unreadError); err != nil && !errors.As(err, &unread) {
		return nil, nil, errors.Join(err, x.Close())
	}
	return x, files, err
}

// find writes the best pictures of each text.
func (f *matchFlags) find(c *call, m *pipeline.Matcher, x *pipeline.Index, files []string, texts []float32) error {
	queries := slices.Collect(slices.Chunk(texts, m.Dim()))
	hits, each, err := x.AppendSearch(c.ctx, nil, f.top, queries...)
	if err != nil {
		return err
	}
	for i, text := range f.texts {
		list := make([]matched, each)
		for n, hit := range hits[i*each : (i+1)*each] {
			list[n] = matched{files[hit.Index], hit.Score, m.Logit(hit.Score)}
		}
		if err := f.write(c, "text", text, "image", list); err != nil {
			return err
		}
	}
	return nil
}
