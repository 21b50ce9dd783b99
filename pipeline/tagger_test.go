package pipeline

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// goldenEntity is [label, score, start, end].
type goldenEntity struct {
	label      string
	score      float64
	start, end int
}

func (e *goldenEntity) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&e.label, &e.score, &e.start, &e.end})
}

func requireEntities(t *testing.T, text string, want []goldenEntity, got []Entity, what string) {
	t.Helper()
	require.Len(t, got, len(want), "%s: %q: %v", what, text, got)
	for i, w := range want {
		require.Equal(t, Entity{Label{w.label, got[i].Score}, w.start, w.end, text[w.start:w.end]}, got[i], "%s: %q", what, text)
		require.InDelta(t, w.score, got[i].Score, 2e-5, "%s: %q", what, text)
	}
}

// transformers' pipeline, by every strategy, alone and in windows that have 5
// tokens in common.
func TestGoldenTags(t *testing.T) {
	for _, dir := range []string{"tag-bert", "tag-bpe", "tag-unigram", "tag-xlnet"} {
		t.Run(dir, func(t *testing.T) {
			tagger, err := openTest(t, dir).Tagger()
			require.NoError(t, err)
			var rows []map[string]json.RawMessage
			readGolden(t, "testdata/"+dir+"/answers.json", &rows)
			texts := make([]string, len(rows))
			for i, row := range rows {
				require.NoError(t, json.Unmarshal(row["text"], &texts[i]))
			}
			compared := 0
			for _, name := range aggregations[1:] {
				how, err := ParseAggregation(name)
				require.NoError(t, err)
				for _, c := range []struct {
					key string
					cfg TagConfig
				}{
					{name, TagConfig{Aggregation: how}},
					{name + "-5", TagConfig{Aggregation: how, Stride: 5}},
					{"all", TagConfig{Aggregation: AggregateSimple, Ignore: []string{"PER", "MISC"}}},
				} {
					got, err := tagger.Tag(t.Context(), c.cfg, texts...)
					require.NoError(t, err)
					for i, text := range texts {
						if rows[i][c.key] == nil {
							continue
						}
						var want []goldenEntity
						require.NoError(t, json.Unmarshal(rows[i][c.key], &want))
						requireEntities(t, text, want, got[i], c.key)
						compared++
					}
				}
			}
			require.Greater(t, compared, 10)
		})
	}
}

func TestTagDefault(t *testing.T) {
	text := "unthinking readers rewrite Paris"
	for dir, how := range map[string]Aggregation{"tag-bert": AggregateFirst, "tag-unigram": AggregateSimple} {
		tagger, err := openTest(t, dir).Tagger()
		require.NoError(t, err)
		got, err := tagger.Tag(t.Context(), TagConfig{}, text)
		require.NoError(t, err)
		want, err := tagger.Tag(t.Context(), TagConfig{Aggregation: how}, text)
		require.NoError(t, err)
		require.Equal(t, want, got, dir)
	}
}

// A book is read in many batches; what it gives does not depend on the texts
// around it or on the number of threads.
func TestTagLong(t *testing.T) {
	long := strings.Repeat("Anna met the old people of Berlin; they read. ", 1200) // some 14,000 tokens
	tagger, err := openTest(t, "tag-bert").Tagger()
	require.NoError(t, err)
	var done []int
	got, err := tagger.Tag(t.Context(), TagConfig{Progress: func(n int) { done = append(done, n) }}, "Anna", long, "", "of Paris")
	require.NoError(t, err)
	require.Equal(t, []int{1, 2, 3, 4}, done)
	require.Empty(t, got[2])
	require.Greater(t, len(got[1]), 1200)
	for i, e := range got[1] {
		require.Equal(t, long[e.Start:e.End], e.Text)
		require.True(t, i == 0 || e.Start >= got[1][i-1].End)
	}
	require.Greater(t, got[1][len(got[1])-1].Start, len(long)-60)
	one, err := openTest(t, "tag-bert", WithThreads(1)).Tagger()
	require.NoError(t, err)
	alone, err := one.Tag(t.Context(), TagConfig{}, long)
	require.NoError(t, err)
	require.Equal(t, got[1], alone[0])

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = tagger.Tag(ctx, TagConfig{}, "a")
	require.ErrorIs(t, err, context.Canceled)
	_, err = tagger.Tag(t.Context(), TagConfig{Stride: 22}, "a")
	require.ErrorContains(t, err, "windows of 22 tokens cannot have 22 in common")
}

func TestTagNeedsItsHead(t *testing.T) {
	_, err := openTest(t, "st-mean").Tagger()
	require.ErrorContains(t, err, "st-mean: a BertModel cannot tag")
	require.ErrorContains(t, err, "it can be used for: embed, rank")
	_, err = ParseAggregation("last")
	require.ErrorContains(t, err, `"average"`)
}
