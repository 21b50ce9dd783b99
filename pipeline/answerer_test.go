package pipeline

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// answerCase is a case of testdata/make_answers.py, with the options of
// transformers' pipeline.
type answerCase struct {
	Options struct {
		Top        int   `json:"top_k"`
		MaxAnswer  int   `json:"max_answer_len"`
		MaxSeq     int   `json:"max_seq_len"`
		Stride     int   `json:"doc_stride"`
		Impossible bool  `json:"handle_impossible_answer"`
		Align      *bool `json:"align_to_words"`
	}
	Question, Document string
	Answers            []struct {
		Answer     string
		Score      float64
		Start, End int
	}
}

func openAnswerer(t testing.TB, dir string) *Answerer {
	a, err := openTest(t, dir).Answerer()
	require.NoError(t, err)
	return a
}

func TestAnswersGolden(t *testing.T) {
	folders, err := filepath.Glob("testdata/qa-*")
	require.NoError(t, err)
	require.NotEmpty(t, folders)
	for _, dir := range folders {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			var g struct {
				Float32Error float64 `json:"float32_error"`
				Cases        []answerCase
			}
			readGolden(t, filepath.Join(dir, "golden.json"), &g)
			require.Greater(t, len(g.Cases), 12)
			a := openAnswerer(t, filepath.Base(dir))
			for i, c := range g.Cases {
				o := c.Options
				cfg := AnswerConfig{Top: o.Top, MaxAnswer: o.MaxAnswer, MaxSeq: o.MaxSeq, Stride: o.Stride, Impossible: o.Impossible, InsideWords: o.Align != nil}
				found, err := a.Answer(t.Context(), cfg, c.Document, c.Question)
				require.NoError(t, err)
				got := found[0]
				if got[len(got)-1].Score == 0 { // no token stands for no answer
					got = got[:len(got)-1]
				}
				require.Len(t, got, len(c.Answers), "case %d", i)
				for j, want := range c.Answers {
					require.Equal(t, want.Answer, got[j].Text, "case %d", i)
					require.Equal(t, [2]int{want.Start, want.End}, [2]int{got[j].Start, got[j].End}, "case %d", i)
					// The error is that of one order of sums; tiers have others.
					if diff := math.Abs(float64(got[j].Score) - want.Score); !(diff <= 4*g.Float32Error+0x1p-24) {
						t.Errorf("case %d: score %v, want %v", i, got[j].Score, want.Score)
					}
				}
			}
		})
	}
}

// Questions do not change each other's answers, however many windows are read.
func TestAnswersTogether(t *testing.T) {
	a := openAnswerer(t, "qa-bert")
	document := strings.Repeat("The river is old. Élodie saw it in Berlin, and said nothing. ", 90)
	questions := []string{"Where?", "What is old?", "Who saw the river in the town?"}
	cfg := AnswerConfig{Top: 3}
	var done, windows int
	cfg.Progress = func(q, w int) {
		require.Greater(t, w, windows)
		done, windows = q, w
	}
	together, err := a.Answer(t.Context(), cfg, document, questions...)
	require.NoError(t, err)
	require.Equal(t, len(questions), done)
	require.Greater(t, windows, 2*batchTokens/64)
	for i, q := range questions {
		done, windows = 0, 0
		alone, err := a.Answer(t.Context(), cfg, document, q)
		require.NoError(t, err)
		require.Equal(t, alone[0], together[i])
		for _, answer := range alone[0] {
			require.Equal(t, document[answer.Start:answer.End], answer.Text)
		}
	}
}

func TestAnswerErrors(t *testing.T) {
	a := openAnswerer(t, "qa-bert")
	answer := func(cfg AnswerConfig, document string, questions ...string) error {
		_, err := a.Answer(t.Context(), cfg, document, questions...)
		return err
	}
	require.ErrorIs(t, answer(AnswerConfig{}, "", "Who?"), ErrNoText)
	require.ErrorIs(t, answer(AnswerConfig{}, "a", "Who?", ""), ErrNoText)
	require.ErrorContains(t, answer(AnswerConfig{}, "a", "Who?", ""), "question 2")
	require.ErrorContains(t, answer(AnswerConfig{}, "a", strings.Repeat("who ", 70)), "no room for the document in windows of 64")
	require.ErrorContains(t, answer(AnswerConfig{Stride: 60}, "a", "Who?"), "cannot share 60")
	require.ErrorContains(t, answer(AnswerConfig{}, "a\xff", "Who?"), "UTF-8")
	_, err := openTest(t, "mlm-bert").Answerer()
	require.ErrorContains(t, err, "BertForMaskedLM cannot answer")

	// The longest question that leaves any room still gets an answer, and so does
	// a document with nothing to say.
	require.NoError(t, answer(AnswerConfig{MaxSeq: 8, MaxAnswer: math.MaxInt, Top: math.MaxInt}, strings.Repeat("river ", 50), "who ?"))
	got, err := a.Answer(t.Context(), AnswerConfig{}, " \n ", "Who?")
	require.NoError(t, err)
	require.Equal(t, [][]Answer{{{}}}, got)
}

// fillCase is a case of testdata/make_answers.py.
type fillCase struct {
	Options struct {
		Top     int `json:"top_k"`
		Targets []string
	}
	Text  string
	Masks [][]struct {
		Token    int32
		TokenStr string `json:"token_str"`
		Score    float64
		Sequence string
	}
}

func TestFillsGolden(t *testing.T) {
	folders, err := filepath.Glob("testdata/mlm-*")
	require.NoError(t, err)
	require.NotEmpty(t, folders)
	for _, dir := range folders {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			var g struct {
				Float32Error float64 `json:"float32_error"`
				Cases        []fillCase
			}
			readGolden(t, filepath.Join(dir, "golden.json"), &g)
			require.Greater(t, len(g.Cases), 20)
			f, err := openTest(t, filepath.Base(dir)).MaskFiller()
			require.NoError(t, err)
			for i, c := range g.Cases {
				cfg := FillConfig{Top: c.Options.Top}
				for _, word := range c.Options.Targets {
					id, _, err := f.Target(word)
					require.NoError(t, err)
					cfg.Targets = append(cfg.Targets, id)
				}
				got, err := f.Fill(t.Context(), cfg, "a "+f.Mask(), c.Text, f.Mask())
				require.NoError(t, err)
				require.Len(t, got[1], len(c.Masks))
				for j, mask := range c.Masks {
					require.Len(t, got[1][j], len(mask))
					for k, want := range mask {
						fill := got[1][j][k]
						require.Equal(t, want.Token, fill.ID, "case %d", i)
						require.Equal(t, want.TokenStr, fill.Token)
						require.Equal(t, want.Sequence, fill.Text)
						if diff := math.Abs(float64(fill.Score) - want.Score); !(diff <= 2*g.Float32Error+0x1p-24) {
							t.Errorf("case %d: score %v, want %v", i, fill.Score, want.Score)
						}
					}
				}
			}
		})
	}
}

func TestFillErrors(t *testing.T) {
	f, err := openTest(t, "mlm-bert").MaskFiller()
	require.NoError(t, err)
	require.Equal(t, "[MASK]", f.Mask())
	var text *TextError
	_, err = f.Fill(t.Context(), FillConfig{}, "a [MASK]", "no mask", "[MASK]")
	require.ErrorIs(t, err, ErrNoMask)
	require.ErrorAs(t, err, &text)
	require.Equal(t, 1, text.Index)
	long := strings.Repeat("river ", 100)
	_, err = f.Fill(t.Context(), FillConfig{}, long+"[MASK]")
	require.ErrorContains(t, err, "behind the 64 tokens")
	_, err = f.Fill(t.Context(), FillConfig{}, long)
	require.ErrorIs(t, err, ErrNoMask)
	_, err = f.Fill(t.Context(), FillConfig{}, "[MASK] "+long)
	require.NoError(t, err)
	_, err = f.Fill(t.Context(), FillConfig{Targets: []int32{500}}, "[MASK]")
	require.ErrorContains(t, err, "target 500")
	_, _, err = f.Target("")
	require.ErrorContains(t, err, "no token")
	_, err = openTest(t, "qa-bert").MaskFiller()
	require.ErrorContains(t, err, "cannot fill-mask")
}

func TestFillTopOfAll(t *testing.T) {
	f, err := openTest(t, "mlm-bert").MaskFiller()
	require.NoError(t, err)
	got, err := f.Fill(t.Context(), FillConfig{Top: math.MaxInt}, "the [MASK]")
	require.NoError(t, err)
	require.Len(t, got[0][0], 500)
	sum := 0.0
	for _, fill := range got[0][0] {
		sum += float64(fill.Score)
	}
	require.InDelta(t, 1, sum, 1e-5)
}
