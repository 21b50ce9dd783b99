package pipeline

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// openChanged opens a folder of testdata whose config.json has other values.
func openChanged(t *testing.T, dir string, change map[string]any) *Model {
	fsys := fstest.MapFS{}
	files, err := filepath.Glob("testdata/" + dir + "/*")
	require.NoError(t, err)
	for _, name := range files {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		if filepath.Base(name) == "config.json" {
			var config map[string]any
			d := json.NewDecoder(bytes.NewReader(data))
			d.UseNumber()
			require.NoError(t, d.Decode(&config))
			for k, v := range change {
				config[k] = v
			}
			data, err = json.Marshal(config)
			require.NoError(t, err)
		}
		fsys[dir+"/"+filepath.Base(name)] = &fstest.MapFile{Data: data}
	}
	m, err := OpenFS(fsys, dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// withLabels is what a config.json says of labels.
func withLabels(labels []string) map[string]any {
	byID := map[int]string{}
	for i, l := range labels {
		byID[i] = l
	}
	return map[string]any{"id2label": byID, "label2id": nil}
}

func TestGoldenZeroShot(t *testing.T) {
	for _, dir := range []string{"nli", "nli-bart"} {
		t.Run(dir, func(t *testing.T) { checkZeroShot(t, dir) })
	}
}

func checkZeroShot(t *testing.T, dir string) {
	var cases []struct {
		Order    []string
		Text     string
		Labels   []string
		Template string
		Multi    bool
		Want     [][]any
	}
	readGolden(t, "testdata/"+dir+"/answers.json", &cases)
	require.NotEmpty(t, cases)
	for first := 0; first < len(cases); {
		c := cases[first]
		var texts []string
		last := first
		for ; last < len(cases) && slices.Equal(cases[last].Order, c.Order) && slices.Equal(cases[last].Labels, c.Labels) && cases[last].Multi == c.Multi; last++ {
			texts = append(texts, cases[last].Text)
		}
		z, err := openChanged(t, dir, withLabels(c.Order)).ZeroShot()
		require.NoError(t, err)
		done := 0
		got, err := z.Classify(t.Context(), ZeroShotConfig{Labels: c.Labels, Template: c.Template, Multi: c.Multi, Progress: func(n int) { done = n }}, texts...)
		require.NoError(t, err)
		require.Equal(t, len(texts), done)
		for i := range texts {
			requireLabels(t, cases[first+i].Want, got[i])
		}
		first = last
	}
}

func TestZeroShotErrors(t *testing.T) {
	_, err := openTest(t, "ce-three").ZeroShot()
	require.ErrorContains(t, err, `begins with "entail"`)
	require.ErrorContains(t, err, "can be used for: embed, classify")
	z, err := openTest(t, "nli").ZeroShot()
	require.NoError(t, err)
	_, err = z.Classify(t.Context(), ZeroShotConfig{}, "a")
	require.ErrorContains(t, err, "no labels")
	_, err = z.Classify(t.Context(), ZeroShotConfig{Labels: []string{"a"}, Template: "It is so."}, "a")
	require.ErrorContains(t, err, "{}")
	// A label that leaves the text no room; a text that is cut, which is told once.
	_, err = z.Classify(t.Context(), ZeroShotConfig{Labels: []string{strings.Repeat("a ", 50)}}, "a")
	require.ErrorContains(t, err, "text 0")
	require.ErrorContains(t, err, "too short")
	var cuts []int
	got, err := z.Classify(t.Context(), ZeroShotConfig{Labels: []string{"a", "b"}, Top: 1, Truncated: func(text, _ int) { cuts = append(cuts, text) }},
		"a", strings.Repeat("the river is old ", 20))
	require.NoError(t, err)
	require.Equal(t, []int{1}, cuts)
	require.Len(t, got, 2)
	require.Len(t, got[0], 1)
}

// A batch of thousands of pairs ends amid a text's labels.
func TestZeroShotBatches(t *testing.T) {
	z, err := openTest(t, "nli").ZeroShot()
	require.NoError(t, err)
	cfg := ZeroShotConfig{Labels: strings.Fields("river tower stone light water red green"), Multi: true}
	texts := words(120, 4)
	all, err := z.Classify(t.Context(), cfg, texts...)
	require.NoError(t, err)
	require.Len(t, all, len(texts))
	for i := 0; i < len(texts); i += 17 {
		one, err := z.Classify(t.Context(), cfg, texts[i])
		require.NoError(t, err)
		require.Equal(t, all[i], one[0])
	}
}

// transformers' text classification by every kind of problem and function.
func TestGoldenScores(t *testing.T) {
	var cases []struct {
		Problem, Function string
		Top               int
		Texts             []string
		Want              [][][]any
	}
	readGolden(t, "testdata/nli/classified.json", &cases)
	for _, c := range cases {
		problem := any(nil)
		if c.Problem != "" {
			problem = c.Problem
		}
		classifier, err := openChanged(t, "nli", map[string]any{"problem_type": problem}).Classifier()
		require.NoError(t, err)
		how, err := ParseScoring(c.Function)
		require.NoError(t, err)
		got, err := classifier.Classify(t.Context(), ClassifyConfig{Top: c.Top, Scores: how}, c.Texts...)
		require.NoError(t, err)
		for i := range c.Texts {
			requireLabels(t, c.Want[i], got[i])
		}
	}
	_, err := ParseScoring("hardmax")
	require.ErrorContains(t, err, "softmax")
}
