package model

import (
	"flag"
	"fmt"
	"os"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var updateReadme = flag.Bool("update-readme", false, "write the table of architectures to the README")

// The README's table of architectures is that of this package.
func TestReadme(t *testing.T) {
	const path, begin, end = "../README.md", "<!-- architectures -->\n", "<!-- end of architectures -->"
	before, have, after := cutTable(t, path, begin, end)
	if *updateReadme {
		require.NoError(t, os.WriteFile(path, []byte(before+begin+architectureTable()+end+after), 0o644))
		return
	}
	require.Equal(t, architectureTable(), have, "go test ./model -run TestReadme -update-readme writes it anew")
}

// cutTable cuts a file at what stands around a generated table.
func cutTable(t *testing.T, path, begin, end string) (before, table, after string) {
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(data), begin)
	require.True(t, ok, "the table's beginning")
	table, after, ok = strings.Cut(rest, end)
	require.True(t, ok, "the table's end")
	return before, table, after
}

func architectureTable() string {
	list := make([]*architecture, len(architectures))
	copy(list, architectures)
	sort.Slice(list, func(i, j int) bool { return list[i].modelType < list[j].modelType })
	var b strings.Builder
	b.WriteString("| `model_type` | base | with heads |\n|---|---|---|\n")
	for _, a := range list {
		var heads []string
		for _, class := range a.classes() {
			if class == a.base {
				continue
			}
			if _, task, ok := strings.Cut(class, "For"); ok {
				class = task
			}
			heads = append(heads, class)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", a.modelType, a.base, strings.Join(heads, ", "))
	}
	return b.String()
}
