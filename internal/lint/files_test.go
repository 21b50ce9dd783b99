package lint

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// file is a source file; its path is relative to the root, with slashes.
type file struct {
	path string
	test bool
}

func (f file) read(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(f.path)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (f file) parse(t *testing.T, mode parser.Mode) *ast.File {
	t.Helper()
	a, err := parser.ParseFile(token.NewFileSet(), f.path, f.read(t), mode)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// files lists what is ours to keep in order: no test data, no hidden folders,
// nothing that a tool put there.
func files(t *testing.T, extensions ...string) []file {
	t.Helper()
	var list []file
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			hidden := rel != "." && (name[0] == '.' && name != ".ci" || name[0] == '_')
			if hidden || name == "testdata" || name == "testmodels" || rel == filepath.FromSlash("bench/peers/work") {
				return filepath.SkipDir
			}
			return nil
		}
		if slices.Contains(extensions, path.Ext(name)) {
			list = append(list, file{filepath.ToSlash(rel), strings.HasSuffix(name, "_test.go")})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatal("found no files")
	}
	return list
}

func goFiles(t *testing.T) []file { return files(t, ".go") }

func TestOnlyParStartsGoroutines(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test || strings.HasPrefix(f.path, "internal/par/") || strings.HasPrefix(f.path, "cmd/") || strings.HasPrefix(f.path, "internal/gen/") {
			continue
		}
		ast.Inspect(f.parse(t, parser.SkipObjectResolution), func(n ast.Node) bool {
			starts := false
			switch n := n.(type) {
			case *ast.GoStmt:
				starts = true
			case *ast.CallExpr:
				s, ok := n.Fun.(*ast.SelectorExpr)
				starts = ok && (s.Sel.Name == "Go" || s.Sel.Name == "AfterFunc")
			}
			if starts {
				t.Errorf("%s starts a goroutine: only internal/par does; give the work to a par.Pass", f.path)
			}
			return true
		})
	}
}

func TestGofmt(t *testing.T) {
	for _, f := range goFiles(t) {
		src := f.read(t)
		want, err := format.Source(src)
		if err != nil {
			t.Errorf("%s: %v", f.path, err)
		} else if !bytes.Equal(src, want) {
			t.Errorf("%s is not formatted: run gofmt -w", f.path)
		}
	}
}

func TestNothingLeftForLater(t *testing.T) {
	marks := []string{"TO" + "DO", "FIX" + "ME", "XX" + "X"}
	for _, f := range files(t, ".go", ".s", ".md", ".sh", ".py", ".mod") {
		for i, line := range strings.Split(string(f.read(t)), "\n") {
			for _, mark := range marks {
				if hasWord(line, mark) {
					t.Errorf("%s:%d says %s: do it now, or file an issue", f.path, i+1, mark)
				}
			}
		}
	}
}

// hasWord tells whether word stands in line by itself.
func hasWord(line, word string) bool {
	letter := func(b byte) bool { return b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b >= '0' && b <= '9' }
	for from := 0; ; {
		i := strings.Index(line[from:], word)
		if i < 0 {
			return false
		}
		i += from
		end := i + len(word)
		if (i == 0 || !letter(line[i-1])) && (end == len(line) || !letter(line[end])) {
			return true
		}
		from = end
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	documented := map[string]bool{}
	for _, f := range goFiles(t) {
		folder := path.Dir(f.path)
		if f.test {
			continue
		}
		a := f.parse(t, parser.PackageClauseOnly|parser.ParseComments)
		documented[folder] = documented[folder] || a.Doc != nil
	}
	for folder, ok := range documented {
		if !ok {
			t.Errorf("package %s has no comment: say in one paragraph what it is for", folder)
		}
	}
}

func TestHasWord(t *testing.T) {
	for line, want := range map[string]bool{"word": true, "a word.": true, "swords word": true, "swords": false, "words": false, "word1": false, "": false} {
		if hasWord(line, "word") != want {
			t.Errorf("%q: want %v", line, want)
		}
	}
}
