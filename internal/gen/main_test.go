package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// generated is what one run writes, for all tests.
var generated = sync.OnceValues(generate)

// TestCurrent says that internal/asm is what this generator writes, to the byte.
func TestCurrent(t *testing.T) {
	files, err := generated()
	if err != nil {
		t.Fatal(err)
	}
	names, err := stale(filepath.Join("..", "asm"), files)
	if err != nil {
		t.Fatal(err)
	}
	if len(names) > 0 {
		t.Errorf("not what the generator writes, run go generate ./... and commit: %v", names)
	}
}

func TestDeterministic(t *testing.T) {
	first, err := generated()
	if err != nil {
		t.Fatal(err)
	}
	second, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range first {
		if string(second[name]) != string(text) {
			t.Errorf("%s differs between two runs", name)
		}
	}
}

// tierFeatures are what each package's tier promises, in avo's names; kernels for VNNI say so in their names or are
// chosen by a feature of their own.
var tierFeatures = map[string]string{
	"avx2":   "AVX AVX2 FMA3 F16C",
	"avx512": "AVX AVX2 FMA3 F16C BMI BMI2 AVX512F AVX512BW AVX512DQ AVX512VL",
}

// featureOf gives the further feature that a function's dispatch asks for.
func featureOf(pkg, function string) string {
	switch {
	case pkg == "avx512" && (strings.HasPrefix(function, "GemmInt8") || strings.HasPrefix(function, "Block") || function == "BurnInt8"):
		return "AVX512VNNI"
	case pkg == "avx2" && strings.Contains(function, "VNNI"):
		return "AVXVNNI"
	}
	return ""
}

// TestRequires holds the instructions of every function, as avo names their features, to what dispatch checks.
func TestRequires(t *testing.T) {
	files, err := generated()
	if err != nil {
		t.Fatal(err)
	}
	function := regexp.MustCompile(`(?:// Requires: (.*)\n)?TEXT ·(\w+)\(SB\)`)
	seen := 0
	for name, text := range files {
		pkg := filepath.Dir(name)
		if filepath.Ext(name) != ".s" || pkg == "neon" {
			continue
		}
		for _, m := range function.FindAllStringSubmatch(string(text), -1) {
			seen++
			allowed := strings.Fields(tierFeatures[pkg] + " " + featureOf(pkg, m[2]))
			for _, need := range strings.Split(m[1], ", ") {
				if need == "MMX+" || need == "" || strings.HasPrefix(need, "SSE") {
					continue // every amd64 has them (MMX+ is avo's name for prefetching)
				}
				found := false
				for _, a := range allowed {
					found = found || a == need
				}
				if !found {
					t.Errorf("%s.%s needs %s, which its tier does not promise", pkg, m[2], need)
				}
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d functions seen", seen)
	}
}

// TestHygiene looks for what assembly forgets: VZEROUPPER before every return, and registers that arm64 keeps.
func TestHygiene(t *testing.T) {
	files, err := generated()
	if err != nil {
		t.Fatal(err)
	}
	ret := regexp.MustCompile(`\n\t(\w+)[^\n]*\n\tRET\b`)
	reserved := regexp.MustCompile(`\bR(16|17|18|2[0-9]|30)\b`)
	for name, text := range files {
		if filepath.Ext(name) != ".s" {
			continue
		}
		if filepath.Dir(name) == "neon" {
			if r := reserved.Find(text); r != nil {
				t.Errorf("%s uses %s", name, r)
			}
			continue
		}
		for _, m := range ret.FindAllSubmatch(text, -1) {
			if string(m[1]) != "VZEROUPPER" {
				t.Errorf("%s: RET after %s", name, m[1])
			}
		}
	}
}
