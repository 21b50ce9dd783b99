package attnview

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var writers = []func(*Report, context.Context, io.Writer, Selection) error{(*Report).HTML, (*Report).PNG, (*Report).JSON}

func pageOf(t *testing.T, r *Report, s Selection) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, r.HTML(t.Context(), &b, s))
	return b.String()
}

func TestPageIsItself(t *testing.T) {
	html := pageOf(t, example(1), Selection{})
	for _, token := range hostile[1:3] {
		require.False(t, strings.Contains(html, token), token)
	}
	require.False(t, strings.Contains(html, "\u202e"))
	require.Equal(t, 2, strings.Count(html, "<script"), "the data and the script")
	require.Equal(t, 2, strings.Count(html, "</script"))
	for _, outside := range []string{"://", "<link", "<img", "<script src", "@import", "url("} {
		require.False(t, strings.Contains(html, outside), outside)
	}
	require.True(t, strings.Contains(html, "default-src 'none'; style-src &#39;sha256-"))
}

func TestRampIsThePages(t *testing.T) {
	css, err := page.ReadFile("page/page.css")
	require.NoError(t, err)
	var list []string
	for _, s := range stops {
		list = append(list, fmt.Sprintf("%.0f %.0f %.0f", s[0], s[1], s[2]))
	}
	require.Contains(t, string(css), "--ramp: "+strings.Join(list, ", ")+";")
}

// chromium finds a browser, or skips the test.
func chromium(t *testing.T) string {
	if testing.Short() {
		t.Skip("a browser takes seconds")
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no chromium in PATH")
	return ""
}

var dataset = regexp.MustCompile(`data-([a-z]+)="([^"]*)"`)

// visit opens a page and gives what its script wrote into the root element, and
// all of the document.
func visit(t *testing.T, browser, path, hash string) (data map[string]string, dom string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(),
		"--window-size=1400,1000", "--virtual-time-budget=10000", "--dump-dom", "file://"+path+hash)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Run(), stderr.String())
	dom = stdout.String()
	root := dom[strings.Index(dom, "<html"):]
	data = map[string]string{}
	for _, m := range dataset.FindAllStringSubmatch(root[:strings.Index(root, ">")], -1) {
		data[m[1]] = m[2]
	}
	require.Empty(t, data["failed"])
	require.Equal(t, "true", data["ready"], "the page's script did not come to its end")
	return data, dom
}

func TestPageInBrowser(t *testing.T) {
	browser := chromium(t)
	path := filepath.Join(t.TempDir(), "a page.html")
	require.NoError(t, os.WriteFile(path, []byte(pageOf(t, example(1), Selection{Layer: 1, Plane: MeanPlane})), 0o600))

	data, dom := visit(t, browser, path, "")
	for key, want := range map[string]string{
		"map": "0", "layers": "2", "layer": "1", "planes": "3", "head": MeanPlane, "tiles": "8", "queries": "9", "keys": "9", "theme": "light",
	} {
		require.Equal(t, want, data[key], key)
	}
	require.NotEqual(t, "0", data["lines"])
	require.True(t, strings.Contains(dom, "&lt;/script&gt;&lt;script&gt;alert(1)"), "a token is text")
	require.False(t, strings.Contains(dom, "<img"))
	require.True(t, strings.Contains(dom, `\u{202e}abc`))

	data, dom = visit(t, browser, path, "#layer=0&head=2&overview=entropy&token=q3&theme=dark")
	for key, want := range map[string]string{"layer": "0", "planes": "5", "head": "2", "overview": "entropy", "token": "q3", "theme": "dark"} {
		require.Equal(t, want, data[key], key)
	}
	require.True(t, strings.Contains(dom, " looks at</p>"))
	require.True(t, strings.Contains(dom, "layer 0, head 2</span>"))

	data, dom = visit(t, browser, path, "#map=1&head=1&token=k6")
	for key, want := range map[string]string{"map": "1", "layer": "0", "head": "1", "layers": "1", "planes": "3", "queries": "4", "keys": "7", "token": "k6"} {
		require.Equal(t, want, data[key], key)
	}
	require.True(t, strings.Contains(dom, " is looked at by</p>"))

	// What an address may hold beside.
	data, _ = visit(t, browser, path, "#map=9&layer=-1&head=zz&overview=%3Cb%3E&token=q99&theme=x&y")
	require.Equal(t, "0", data["map"])
	require.Equal(t, "0", data["head"])
	require.Empty(t, data["token"])
}
