package vm

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var update = flag.Bool("update", false, "ask GNU as (aarch64-linux-gnu-as) for testdata/neon_words.txt anew")

const neonGolden = "testdata/neon_words.txt"

// registers to encode: the ends of each field and a few between.
var triples = [][3]int{{0, 0, 0}, {31, 0, 0}, {0, 31, 0}, {0, 0, 31}, {1, 2, 3}, {17, 8, 29}, {31, 31, 31}}

type encoding struct {
	gas  string
	word uint32
}

func encodings(t *testing.T) []encoding {
	vector := func(i int) operand.Op { return reg.FamilyOfKind(reg.KindVector).Lookup(reg.Index(i), reg.S512) }
	encode := func(name string, ops ...operand.Op) uint32 {
		w, ok := encodeNEON(&ir.Instruction{Opcode: name, Operands: ops})
		if !ok {
			t.Fatalf("%s is not encoded", name)
		}
		return w
	}
	var all []encoding
	for name, w := range neonWords {
		for _, r := range triples {
			if w.count == 3 {
				all = append(all, encoding{fmt.Sprintf(w.gas, r[0], r[1], r[2]), encode(name, vector(r[2]), vector(r[1]), vector(r[0]))})
			} else {
				all = append(all, encoding{fmt.Sprintf(w.gas, r[0], r[1]), encode(name, vector(r[1]), vector(r[0]))})
			}
		}
	}
	for name, w := range neonElements {
		for _, r := range triples {
			for e := 0; e < 4; e++ {
				all = append(all, encoding{fmt.Sprintf(w.gas, r[0], r[1], r[2], e), encode(name, vector(r[2]), vector(r[1]), vector(r[0]), operand.U8(e))})
			}
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].gas < all[j].gas })
	return all
}

// TestNEONWords holds every encoding against what GNU as made of the same instruction.
func TestNEONWords(t *testing.T) {
	all := encodings(t)
	if *update {
		assemble(t, all)
	}
	f, err := os.Open(neonGolden)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := map[string]uint32{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var w uint32
		word, gas, _ := strings.Cut(lines.Text(), " ")
		if _, err := fmt.Sscanf(word, "%x", &w); err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		want[gas] = w
	}
	if len(want) < 100 {
		t.Fatalf("%s has only %d lines", neonGolden, len(want))
	}
	for _, e := range all {
		if w, ok := want[e.gas]; !ok {
			t.Errorf("%s: not in %s, run with -update", e.gas, neonGolden)
		} else if w != e.word {
			t.Errorf("%s: %08x, GNU as says %08x", e.gas, e.word, w)
		}
	}
}

func assemble(t *testing.T, all []encoding) {
	dir := t.TempDir()
	var src strings.Builder
	src.WriteString(".arch armv8.2-a+dotprod+fp16\n")
	for _, e := range all {
		src.WriteString(e.gas + "\n")
	}
	s, o := filepath.Join(dir, "a.s"), filepath.Join(dir, "a.o")
	if err := os.WriteFile(s, []byte(src.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("aarch64-linux-gnu-as", "-o", o, s).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	dump, err := exec.Command("aarch64-linux-gnu-objdump", "-d", o).Output()
	if err != nil {
		t.Fatal(err)
	}
	words := regexp.MustCompile(`(?m)^ +[0-9a-f]+:\t([0-9a-f]{8}) `).FindAllSubmatch(dump, -1)
	if len(words) != len(all) {
		t.Fatalf("%d words for %d instructions", len(words), len(all))
	}
	var text strings.Builder
	for i, w := range words {
		fmt.Fprintf(&text, "%s %s\n", w[1], all[i].gas)
	}
	if err := os.WriteFile(neonGolden, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
