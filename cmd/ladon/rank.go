package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/ladon-ml/ladon/pipeline"
)

var rankCommand = command{
	name:    "rank",
	args:    "-query TEXT TEXT… (or lines on standard input)",
	summary: "order texts by how well they answer a query",
	help: `
Prints one line of JSON a text, the best first: {"index":…,"text":…,"score":…},
where index counts the texts from 0. A sentence encoder scores by the cosine of
the vectors, a cross-encoder (a sequence classifier with one label) by its own
score of each pair.`,
	setup: func(fs *flag.FlagSet) func(*call) error {
		src := modelFlag(fs)
		query := fs.String("query", "", "the `TEXT` to compare with")
		top := countFlag(fs, "top", 0, 0, "give the best `N` texts; 0: all")
		asked := readableFlag(fs)
		return func(c *call) error {
			switch {
			case !given(fs, "query"):
				return errors.New("rank: -query is needed")
			case !utf8.ValidString(*query):
				return fmt.Errorf("rank: -query: byte %d is not UTF-8", invalidUTF8([]byte(*query)))
			}
			readable, err := c.readable(*asked)
			if err != nil {
				return err
			}
			return runRank(c, src, *query, *top, readable)
		}
	},
}

func runRank(c *call, src *modelSource, query string, top int, readable bool) error {
	m, err := src.open(c)
	if err != nil {
		return err
	}
	defer m.Close()
	ranker, err := m.Ranker()
	if err != nil {
		return err
	}
	source := c.texts()
	texts, err := source.all(c.ctx)
	if err != nil {
		return err
	}
	bar := newProgress(c.stderr, len(texts), "texts")
	scores, err := ranker.AppendScoresWith(c.ctx, nil, pipeline.RankConfig{
		Truncated: func(i, kept int) {
			place := "-query"
			if i >= 0 {
				place = source.place(i)
			}
			c.warnf("%s is cut to the model's %d tokens", place, kept)
		},
		Progress: bar.set,
	}, query, texts...)
	bar.finish()
	if err != nil {
		return err
	}
	order := make([]int, len(texts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(scores[j], scores[i]) })
	if top > 0 && top < len(order) {
		order = order[:top]
	}
	if readable {
		rows := make([][]string, len(order))
		for row, i := range order {
			rows[row] = []string{shownScore(scores[i]), strconv.Itoa(i + 1), oneLine(texts[i])}
		}
		return c.writeReadable(query, rows)
	}
	return writeRanks(c, order, texts, scores)
}

// writeRanks prints the texts in an order.
func writeRanks(c *call, order []int, texts []string, scores []float32) (err error) {
	var line []byte
	for _, i := range order {
		line = append(line[:0], `{"index":`...)
		line = strconv.AppendInt(line, int64(i), 10)
		line = append(line, `,"text":`...)
		line = appendString(line, texts[i])
		line = append(line, `,"score":`...)
		if line, err = appendFloat(line, scores[i]); err != nil {
			return err
		}
		line = append(line, "}\n"...)
		if _, err := c.stdout.Write(line); err != nil {
			return err
		}
	}
	return nil
}
