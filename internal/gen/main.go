// Command gen writes internal/asm: the assembly of every kernel for AVX2, AVX-512 and NEON, with its Go stubs.
//
//	go run .            writes the files
//	go run . -check     fails if a file is not what it would write
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"

	"github.com/mmcloughlin/avo/buildtags"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"

	"github.com/ladon-ml/ladon/internal/gen/vm"
)

// Largest tiles, in rows; package kernels names the same numbers in its table of tiers.
const (
	avx512Rows     = 14
	avx512WideRows = 6 // with four panels
	avx2Rows       = 6
	avx2WidenRows  = 4
	neonRows       = 4
	neonValueRows  = 4

	blockRows512    = 16
	blockRowsShort  = 3 // AVX2 and NEON
	superRows512    = 8
	superRowsShort  = 2
	blockBytesPairs = 2 // AVX2 without VNNI, codes of eight bits
)

// file is one source of assembly: its name without suffix and what is in it.
type file struct {
	name string
	emit func(m vm.Machine)
}

// portable files are described once for every machine.
var portable = []file{
	{"exp", expKernel},
	{"elementwise", func(m vm.Machine) { elementwise(m); reductions(m); ranges(m); dot(m) }},
	{"norm", func(m vm.Machine) { softmax(m); layerNorm(m); rmsNorm(m) }},
	{"activation", func(m vm.Machine) { activations(m); stripPairs(m) }},
	{"convert", func(m vm.Machine) { conversions(m); dequantise(m); quantise(m) }},
	{"read", readKernel},
	{"rotate", rotate},
	{"onequery", oneQuery},
	{"lookin", lookIn},
	{"floatrow", floatRows},
	{"expand", func(m vm.Machine) { expansions(m); quantiseBlocks(m); quantiseSuper(m) }},
}

// blockProducts are the products with weights in blocks, by the dot products of d.
func blockProducts(d dots) {
	for _, kind := range []blockKind{kindOffset, kindBytes, kindMins} {
		rows := blockRowsShort
		if kind == kindBytes && d.pairs() {
			rows = blockBytesPairs
		}
		for mr := 1; mr <= rows; mr++ {
			blockTile(d.m, d, kind, mr)
		}
	}
	blockRowsOf(d)
	for _, f := range superFormats {
		superTile(d.m, d, f, false, 1)
		for mr := 1; mr <= superRowsShort; mr++ {
			superTile(d.m, d, f, true, mr)
		}
	}
}

func blockRowsOf(d dots) {
	for _, f := range blockFormats {
		blockRow(d.m, d, f)
	}
}

func x86Files(x func(m vm.Machine) *vm.X86, bits int) []file {
	gemm, int8, value := func(m vm.Machine) {
		for mr := 1; mr <= avx2Rows; mr++ {
			gemmX86(x(m), mr, 1)
		}
		gemmX86(x(m), 1, 4)
		gemmX86(x(m), 2, 2)
	}, func(m vm.Machine) {
		for mr := 1; mr <= avx2WidenRows; mr++ {
			gemmWiden(x(m), mr)
		}
		for mr := 1; mr <= avx2Rows; mr++ {
			gemmVNNI(x(m), mr, 1)
		}
		pairBytes(x(m))
	}, func(m vm.Machine) {
		for mr := 1; mr <= avx2Rows; mr++ {
			valuesX86(x(m), mr, 1)
		}
	}
	widths := []int{1}
	if bits == 512 {
		widths = []int{1, 2}
		sizes := func(f func(x *vm.X86, mr, np int)) func(m vm.Machine) {
			return func(m vm.Machine) {
				for mr := 1; mr <= avx512Rows; mr++ {
					f(x(m), mr, 1)
					f(x(m), mr, 2)
				}
				for mr := 1; mr <= avx512WideRows; mr++ {
					f(x(m), mr, 4)
				}
			}
		}
		gemm, int8, value = sizes(gemmX86), sizes(gemmVNNI), sizes(valuesX86)
	}
	block := func(m vm.Machine) {
		blockProducts(dots{m: m})
		blockProducts(dots{m: m, vnni: true})
	}
	if bits == 512 {
		block = func(m vm.Machine) {
			for mr := 1; mr <= blockRows512; mr++ {
				blockTile512(x(m), kindOffset, mr)
				blockTile512(x(m), kindMins, mr)
			}
			for _, f := range superFormats {
				for mr := 1; mr <= superRows512; mr++ {
					superTile512(x(m), f, codesPacked, mr)
					if f.halves {
						superTile512(x(m), f, codesKept, mr)
						superTile512(x(m), f, codesWide, mr)
					}
				}
			}
			blockRowsOf(dots{m: m})
			for _, f := range superFormats {
				superRow512(x(m), f)
			}
		}
	}
	return []file{
		{"gemm", gemm}, {"gemmint8", int8}, {"values", value}, {"blocks", block},
		{"attention", func(m vm.Machine) { softmaxTiles(m, widths); transposeX86(x(m)) }},
		{"burn", func(m vm.Machine) { burnX86(x(m)) }},
	}
}

func neonFiles() []file {
	n := func(m vm.Machine) *vm.NEON { return m.(*vm.NEON) }
	each := func(rows int, f func(n *vm.NEON, mr int)) func(m vm.Machine) {
		return func(m vm.Machine) {
			for mr := 1; mr <= rows; mr++ {
				f(n(m), mr)
			}
		}
	}
	return []file{
		{"gemm", each(neonRows, gemmNEON)},
		{"gemmint8", each(neonRows, gemmInt8NEON)},
		{"values", each(neonValueRows, valuesNEON)},
		{"blocks", func(m vm.Machine) { blockProducts(dots{m: m}) }},
		{"attention", func(m vm.Machine) { softmaxTiles(m, []int{1}); transposeNEON(n(m)) }},
		{"burn", func(m vm.Machine) { burnNEON(n(m)) }},
	}
}

// generate gives every file by its path below internal/asm.
func generate() (map[string][]byte, error) {
	out := map[string][]byte{}
	asX86 := func(m vm.Machine) *vm.X86 { return m.(*vm.X86) }
	machines := []struct {
		new     func() vm.Machine
		files   []file
		arch    string
		compile pass.Interface
	}{
		{func() vm.Machine { return vm.NewX86(256) }, x86Files(asX86, 256), "amd64", vm.CompileX86},
		{func() vm.Machine { return vm.NewX86(512) }, x86Files(asX86, 512), "amd64", vm.CompileX86},
		{func() vm.Machine { return vm.NewNEON() }, neonFiles(), "arm64", vm.CompileNEON},
	}
	for _, machine := range machines {
		for _, f := range append(append([]file(nil), portable...), machine.files...) {
			m := machine.new()
			m.Ctx().Constraint(buildtags.Not("purego"))
			f.emit(m)
			ir, err := m.Ctx().Result()
			if err != nil {
				return nil, fmt.Errorf("%s/%s: %w", m.Package(), f.name, err)
			}
			if err := machine.compile.Execute(ir); err != nil {
				return nil, fmt.Errorf("%s/%s: %w", m.Package(), f.name, err)
			}
			config := printer.Config{Name: "internal/gen", Pkg: m.Package()}
			for suffix, p := range map[string]printer.Printer{".s": printer.NewGoAsm(config), ".go": printer.NewStubs(config)} {
				text, err := p.Print(ir)
				if err != nil {
					return nil, fmt.Errorf("%s/%s: %w", m.Package(), f.name, err)
				}
				out[filepath.Join(m.Package(), f.name+"_"+machine.arch+suffix)] = text
			}
		}
	}
	return out, nil
}

// stale names the files below root that differ from the generated ones, or that are generated no more.
func stale(root string, files map[string][]byte) ([]string, error) {
	var names []string
	for name, want := range files {
		if have, err := os.ReadFile(filepath.Join(root, name)); err != nil || !bytes.Equal(have, want) {
			names = append(names, name)
		}
	}
	old, err := filepath.Glob(filepath.Join(root, "*", "*_a*64.*"))
	if err != nil {
		return nil, err
	}
	for _, path := range old {
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return nil, err
		}
		if _, ok := files[rel]; !ok {
			names = append(names, rel+" (no longer generated)")
		}
	}
	sort.Strings(names)
	return names, nil
}

func run(check bool, root string) error {
	files, err := generate()
	if err != nil {
		return err
	}
	names, err := stale(root, files)
	if err != nil {
		return err
	}
	if check {
		if len(names) > 0 {
			return fmt.Errorf("not current, run go generate ./... : %v", names)
		}
		return nil
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	check := flag.Bool("check", false, "write nothing, fail if a file is not current")
	flag.Parse()
	if err := run(*check, filepath.Join("..", "asm")); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func docBurn(name string, ops int, what string) string {
	return fmt.Sprintf("%s does %d %s, independent of memory, n ≥ 1 times.", name, ops, what)
}
