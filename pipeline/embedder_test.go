package pipeline

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/internal/cpu"
)

func TestRequiredISA(t *testing.T) { require.NoError(t, cpu.Required()) }

// words makes texts of 0 to 40 words, the same for the same seed.
func words(n int, seed uint64) []string {
	rng := rand.New(rand.NewPCG(seed, 1))
	vocab := strings.Fields("the river is old what way to tower stone and water door reads unthinking people é 中 3.14")
	texts := make([]string, n)
	for i := range texts {
		var b strings.Builder
		for range rng.IntN(41) {
			b.WriteString(vocab[rng.IntN(len(vocab))])
			b.WriteByte(' ')
		}
		texts[i] = b.String()
	}
	return texts
}

// A text has the same bits alone, in any batch and with any number of threads.
func TestEmbedSameBits(t *testing.T) {
	texts := words(400, 7) // several batches
	e := openEmbedder(t, "st-mean")
	all, err := e.AppendEmbed(t.Context(), nil, texts...)
	require.NoError(t, err)
	require.Len(t, all, len(texts)*e.Dim())
	for i := 0; i < len(texts); i += 37 {
		one, err := e.AppendEmbed(t.Context(), nil, texts[i])
		require.NoError(t, err)
		require.Equal(t, all[i*e.Dim():(i+1)*e.Dim()], one, "text %d", i)
	}
	for _, threads := range []int{1, 2, 3, 7} {
		got, err := openEmbedder(t, "st-mean", WithThreads(threads)).AppendEmbed(t.Context(), nil, texts...)
		require.NoError(t, err)
		require.Equal(t, all, got, "%d threads", threads)
	}
}

func TestEmbedAppends(t *testing.T) {
	e := openEmbedder(t, "st-cls")
	dst := []float32{1, 2}
	got, err := e.AppendEmbed(t.Context(), dst)
	require.NoError(t, err)
	require.Equal(t, dst, got)
	got, err = e.AppendEmbed(t.Context(), dst, "a", "")
	require.NoError(t, err)
	require.Len(t, got, 2+2*e.Dim())
	require.Equal(t, dst, got[:2])
}

func TestEmbedTruncated(t *testing.T) {
	var log bytes.Buffer
	e := openEmbedder(t, "st-mean", WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	type cut struct{ text, kept int }
	var cuts []cut
	cfg := EmbedConfig{Truncated: func(text, kept int) { cuts = append(cuts, cut{text, kept}) }}
	long := strings.Repeat("the river is old ", 10)
	got, err := e.AppendEmbedWith(t.Context(), nil, cfg, "short", long, "the", strings.Repeat(long, 1000))
	require.NoError(t, err)
	require.Equal(t, []cut{{1, 12}, {3, 12}}, cuts)
	require.Equal(t, 2, strings.Count(log.String(), "level=WARN"), log.String())
	dim := e.Dim()
	require.Equal(t, got[dim:2*dim], got[3*dim:], "both keep the same tokens")
}

func TestEmbedAllocatesNothing(t *testing.T) {
	texts := words(20, 3)
	for _, dir := range []string{"st-mean", "st-dense", "st-all"} {
		e := openEmbedder(t, dir)
		dst := make([]float32, 0, len(texts)*e.Dim())
		embed := func() {
			if _, err := e.AppendEmbed(t.Context(), dst, texts...); err != nil {
				t.Error(err)
			}
		}
		for range 3 {
			embed()
		}
		require.Zero(t, testing.AllocsPerRun(20, embed), dir)
	}
}

func TestEmbedConcurrently(t *testing.T) {
	texts := words(60, 11)
	e := openEmbedder(t, "st-dense")
	want, err := e.AppendEmbed(t.Context(), nil, texts...)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				got, err := e.AppendEmbed(t.Context(), nil, texts...)
				if err != nil || len(got) != len(want) {
					t.Error(len(got), err)
					return
				}
				for i := range got {
					if got[i] != want[i] {
						t.Errorf("component %d differs", i)
						return
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestEmbedCancelled(t *testing.T) {
	e := openEmbedder(t, "st-mean")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dst := []float32{1}
	got, err := e.AppendEmbed(ctx, dst, "a text")
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, dst, got)

	// One that is cancelled on the way stops soon, and leaves nothing broken.
	ctx, cancel = context.WithCancel(t.Context())
	texts := words(200_000, 5)
	stopped := make(chan time.Time, 1)
	go func() {
		time.Sleep(20 * time.Millisecond)
		stopped <- time.Now()
		cancel()
	}()
	_, err = e.AppendEmbed(ctx, nil, texts...)
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, time.Since(<-stopped), 500*time.Millisecond)
	_, err = e.AppendEmbed(t.Context(), nil, "a text")
	require.NoError(t, err)
}

func TestClosed(t *testing.T) {
	m, err := Open("testdata/st-mean")
	require.NoError(t, err)
	e, err := m.Embedder()
	require.NoError(t, err)
	r, err := m.Ranker()
	require.NoError(t, err)
	require.NoError(t, m.Close())
	require.NoError(t, m.Close())
	_, err = e.AppendEmbed(t.Context(), nil, "a")
	require.ErrorIs(t, err, ErrClosed)
	_, err = r.AppendScores(t.Context(), nil, "a", "b")
	require.ErrorIs(t, err, ErrClosed)
}

func TestCloseWaits(t *testing.T) {
	m, err := Open("testdata/st-mean")
	require.NoError(t, err)
	e, err := m.Embedder()
	require.NoError(t, err)
	texts := words(2000, 9)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				_, err := e.AppendEmbed(context.Background(), nil, texts...)
				if errors.Is(err, ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	time.Sleep(5 * time.Millisecond)
	require.NoError(t, m.Close())
	wg.Wait()
}

func TestOpenErrors(t *testing.T) {
	copyOf := func(change func(fstest.MapFS)) fstest.MapFS {
		fsys := fstest.MapFS{}
		entries := []string{"config.json", "model.safetensors", "modules.json", "sentence_bert_config.json",
			"tokenizer.json", "tokenizer_config.json", "vocab.txt", "1_Pooling/config.json"}
		for _, name := range entries {
			data, err := os.ReadFile("testdata/st-mean/" + name)
			require.NoError(t, err)
			fsys["model/"+name] = &fstest.MapFile{Data: data}
		}
		change(fsys)
		return fsys
	}
	tests := []struct {
		name   string
		change func(fstest.MapFS)
		want   []string
	}{
		{"no config", func(f fstest.MapFS) { delete(f, "model/config.json") }, []string{"model", "config.json", "not exist"}},
		{
			"an unknown architecture and tokenizer",
			func(f fstest.MapFS) {
				f["model/config.json"] = &fstest.MapFile{Data: []byte(`{"model_type":"nonesuch"}`)}
				f["model/tokenizer.json"] = &fstest.MapFile{Data: []byte(`{"model":{"type":"BPE"}}`)}
			},
			[]string{"model/config.json", "nonesuch", "distilbert"},
		},
		{"no weights", func(f fstest.MapFS) { delete(f, "model/model.safetensors") }, []string{"model", "safetensors"}},
		{"no tokenizer", func(f fstest.MapFS) { delete(f, "model/tokenizer.json"); delete(f, "model/vocab.txt") }, []string{"model", "tokenizer.json"}},
		{
			"an unknown module",
			func(f fstest.MapFS) {
				f["model/modules.json"] = &fstest.MapFile{Data: []byte(`[{"path":"","type":"x.Transformer"},{"path":"1","type":"x.BoW"}]`)}
			},
			[]string{"model", "modules.json", "BoW"},
		},
		{
			"a pooling of another width",
			func(f fstest.MapFS) {
				f["model/1_Pooling/config.json"] = &fstest.MapFile{Data: []byte(`{"word_embedding_dimension":21}`)}
			},
			[]string{"model", "21", "20"},
		},
		{
			"a limit that leaves no room",
			func(f fstest.MapFS) {
				f["model/sentence_bert_config.json"] = &fstest.MapFile{Data: []byte(`{"max_seq_length":2}`)}
			},
			[]string{"model", "limit of 2"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := OpenFS(copyOf(tt.change), "model")
			require.Error(t, err)
			for _, part := range tt.want {
				require.ErrorContains(t, err, part)
			}
		})
	}
	_, err := OpenFS(copyOf(func(fstest.MapFS) {}), "model")
	require.NoError(t, err)
	_, err = Open("testdata/nothing-here")
	require.ErrorContains(t, err, "testdata/nothing-here")
	_, err = Open("testdata/texts.json")
	require.ErrorContains(t, err, "testdata/texts.json")
	_, err = Open("testdata/st-mean/model.safetensors")
	require.ErrorContains(t, err, "testdata/st-mean/model.safetensors: not a GGUF file: open its folder")
}
