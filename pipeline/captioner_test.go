package pipeline

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/generate"
)

func TestCaptioner(t *testing.T) {
	var answers map[string]struct{ Greedy, Beams, Short string }
	readGolden(t, "testdata/caption/answers.json", &answers)
	m, err := Open("testdata/caption")
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	require.Equal(t, []string{"caption"}, m.Tasks())
	c, err := m.Captioner()
	require.NoError(t, err)
	names, pics := pictures(t, answers)
	short, beams := CaptionConfig{}, CaptionConfig{KV: model.KVF16}
	short.MaxNewTokens = 4
	beams.Beams = generate.BeamSearch(3)
	for _, how := range []struct {
		cfg  CaptionConfig
		want func(name string) string
	}{
		{CaptionConfig{}, func(n string) string { return answers[n].Greedy }},
		{short, func(n string) string { return answers[n].Short }},
		{beams, func(n string) string { return answers[n].Beams }},
	} {
		got, err := c.Caption(t.Context(), how.cfg, pics...)
		require.NoError(t, err)
		require.Len(t, got, len(pics))
		for i, name := range names {
			require.Equal(t, how.want(name), got[i], name)
		}
	}

	_, err = m.Embedder()
	require.ErrorContains(t, err, "cannot embed")
	_, err = m.Generator()
	require.ErrorContains(t, err, "cannot generate")
	_, err = m.Matcher()
	require.ErrorContains(t, err, "cannot match")
}

func TestCaptionerErrors(t *testing.T) {
	_, err := openTest(t, "st-mean").Captioner()
	require.ErrorContains(t, err, "cannot caption")

	change := func(file string, edit func(conf map[string]any)) *Model {
		dir := t.TempDir()
		require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/caption")))
		data, err := os.ReadFile(filepath.Join(dir, file))
		require.NoError(t, err)
		conf := map[string]any{}
		require.NoError(t, json.Unmarshal(data, &conf))
		edit(conf)
		data, err = json.Marshal(conf)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), data, 0o644))
		m, err := Open(dir)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, m.Close()) })
		return m
	}
	_, err = change("generation_config.json", func(c map[string]any) { c["decoder_start_token_id"] = 1 << 20 }).Captioner()
	require.ErrorContains(t, err, "decoder_start_token_id")
	_, err = change("generation_config.json", func(c map[string]any) { c["max_length"] = -3 }).Captioner()
	require.ErrorContains(t, err, "max_length")
	_, err = change("preprocessor_config.json", func(c map[string]any) { c["size"] = 0 }).Captioner()
	require.ErrorContains(t, err, "size")
}
