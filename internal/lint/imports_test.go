package lint

import (
	"go/parser"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/ladon-ml/ladon"

// rule says what the package in a folder may import beside the standard library.
type rule struct {
	ours   []string // folders of this module; "x/*" is every folder in x
	others []string // modules
}

// rules is the house, top to bottom. A package imports only what is below it:
// asm knows pointers and lengths, kernels know slices, mha knows heads, model
// knows architectures, pipeline knows people's tasks, cmd knows files and flags.
var rules = map[string]rule{
	"cmd/ladon": {
		ours:   []string{"pipeline", "pipeline/minilm", "model", "model/generate", "model/picture", "model/weights", "model/tokenizer", "mha", "kernels", "internal/peak", "internal/mem", "internal/attnview", "internal/atomicfile", "internal/cpu"},
		others: []string{"github.com/schollz/progressbar/v3", "golang.org/x/term", "golang.org/x/image"},
	},
	"bench": {ours: []string{"pipeline", "pipeline/minilm", "model", "model/weights", "model/tokenizer", "mha", "kernels", "internal/peak", "internal/cpu"}},

	"pipeline/minilm": {ours: []string{"pipeline"}},
	"pipeline":        {ours: []string{"model", "model/generate", "model/picture", "model/weights", "model/tokenizer", "kernels", "internal/cpu", "internal/mem"}},

	"internal/attnview": {ours: []string{"kernels"}, others: []string{"golang.org/x/image"}},
	"internal/peak":     {ours: []string{"model", "mha", "kernels", "internal/cpu", "internal/par", "internal/mem"}},

	"model":           {ours: []string{"mha", "kernels", "model/weights", "model/tokenizer", "internal/cpu", "internal/mem"}},
	"model/generate":  {ours: []string{"model", "model/weights", "kernels"}},
	"model/weights":   {ours: []string{"internal/atomicfile"}, others: []string{"golang.org/x/sys"}},
	"model/tokenizer": {others: []string{"golang.org/x/text"}},
	"model/picture":   {ours: []string{"model/picture/jpeg"}, others: []string{"golang.org/x/image"}},

	"model/picture/jpeg": {},

	"mha":     {ours: []string{"kernels", "internal/cpu", "internal/par", "internal/mem"}},
	"kernels": {ours: []string{"internal/asm/*", "internal/cpu", "internal/par", "internal/mem"}},

	"internal/atomicfile": {},
	"internal/asm":        {},
	"internal/asm/avx2":   {},
	"internal/asm/avx512": {},
	"internal/asm/neon":   {},
	"internal/cpu":        {others: []string{"github.com/klauspost/cpuid/v2"}},
	"internal/par":        {},
	"internal/mem":        {},
	"internal/guard":      {others: []string{"golang.org/x/sys"}},
	"internal/lint":       {},
	".":                   {},
}

// inTests is what every package's tests may import too.
var inTests = rule{
	ours:   []string{"internal/guard", "internal/cpu"},
	others: []string{"github.com/stretchr/testify"},
}

// allows tells whether a folder of this module is in the rule.
func (r rule) allows(folder string) bool {
	return slices.Contains(r.ours, folder) || slices.Contains(r.ours, path.Dir(folder)+"/*")
}

// below is everything that a package may reach, itself included.
func below(folder string) rule {
	all := rule{ours: []string{folder}}
	for i := 0; i < len(all.ours); i++ {
		for _, o := range rules[all.ours[i]].ours {
			if !slices.Contains(all.ours, o) {
				all.ours = append(all.ours, o)
			}
		}
	}
	return all
}

func TestImportsPointDown(t *testing.T) {
	for _, f := range goFiles(t) {
		if strings.HasPrefix(f.path, "internal/gen/") {
			continue // a module of its own
		}
		folder := path.Dir(f.path)
		r, known := rules[folder]
		if !known {
			t.Errorf("%s: package %s has no row in internal/lint/imports_test.go: add one that says what it may import", f.path, folder)
			continue
		}
		if f.test {
			b := below(folder)
			r.ours = slices.Concat(b.ours, inTests.ours)
			r.others = slices.Concat(r.others, inTests.others)
		}
		for _, spec := range f.parse(t, parser.ImportsOnly).Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			ours, isOurs := strings.CutPrefix(name, module+"/")
			first, _, _ := strings.Cut(name, "/")
			switch {
			case isOurs:
				if !r.allows(ours) {
					t.Errorf("%s imports %s, which is not below it: move the code down, or pass what it needs in from above; if the design has changed, change rules here and DESIGN", f.path, ours)
				}
			case name == "C":
				t.Errorf("%s: no cgo", f.path)
			case strings.Contains(first, "."):
				if !slices.ContainsFunc(r.others, func(m string) bool { return name == m || strings.HasPrefix(name, m+"/") }) {
					t.Errorf("%s imports %s: dependencies are few; if this one is worth it, say why in the commit and add it to the package's row in internal/lint", f.path, name)
				}
			}
		}
	}
}

func TestRulesPointDown(t *testing.T) {
	for folder, r := range rules {
		for _, o := range r.ours {
			if slices.Contains(below(o).ours, folder) {
				t.Errorf("rules: %s and %s may import each other", folder, o)
			}
		}
	}
}
