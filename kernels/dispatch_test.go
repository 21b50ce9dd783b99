package kernels

import (
	"go/ast"
	"go/parser"
	"go/token"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/internal/cpu"
)

// portable lists operations that have no assembly in a tier, with the reason.
// There are none.
var portable = map[cpu.Tier]map[string]string{}

// implementations reads from the source of a dispatch file which function each
// operation calls in each tier, such as implementations["exp"]["AVX512"] =
// "avx512.Exp". What it finds is what runs: the switch is the dispatch.
func implementations(t *testing.T, file string) map[string]map[string]string {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	require.NoError(t, err)
	ops := map[string]map[string]string{}
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		calls := map[string]string{}
		ast.Inspect(fn, func(n ast.Node) bool {
			c, ok := n.(*ast.CaseClause)
			if !ok || len(c.List) == 0 {
				return true
			}
			for _, tier := range c.List {
				for _, s := range c.Body {
					if e, ok := s.(*ast.ExprStmt); ok {
						if sel, ok := e.X.(*ast.CallExpr).Fun.(*ast.SelectorExpr); ok {
							calls[tier.(*ast.SelectorExpr).Sel.Name] = sel.X.(*ast.Ident).Name + "." + sel.Sel.Name
						}
					}
				}
			}
			return true
		})
		ops[fn.Name.Name] = calls
	}
	return ops
}

// No operation falls back to portable code in a tier that has assembly, and
// each calls the function of its own name.
func TestEveryTierHasEveryOperation(t *testing.T) {
	tiers := map[string][]cpu.Tier{"amd64": {cpu.AVX2, cpu.AVX512}, "arm64": {cpu.NEON}}
	names := map[cpu.Tier]string{cpu.AVX2: "AVX2", cpu.AVX512: "AVX512", cpu.NEON: "NEON"}
	generic := implementations(t, "dispatch_generic.go")
	for arch, tiers := range tiers {
		ops := implementations(t, "dispatch_"+arch+".go")
		require.Len(t, ops, len(generic), arch)
		for name, calls := range ops {
			require.Contains(t, generic, name)
			for _, tier := range tiers {
				got := calls[names[tier]]
				if reason := portable[tier][name]; reason != "" {
					require.Empty(t, got, "%s has assembly for %v after all: %s", name, tier, reason)
					continue
				}
				require.Equal(t, strings.ToLower(tier.String()+"."+name), strings.ToLower(got), "%s in tier %v of %s", name, tier, arch)
			}
		}
	}
}

// The forced set decides the tiles, and the tiles run.
func TestTilesOfEverySet(t *testing.T) {
	forEachSet(t, func(t *testing.T, set cpu.Set) {
		require.Equal(t, set, cpu.Active())
		tier := set.Tier.String()
		require.Equal(t, tier, firstWord(gemmTiles().name))
		want := tier
		switch {
		case set.Tier == cpu.NEON && !set.DotProd:
			want = "generic" // widening multiplications are no faster than the packed lanes: not tried
		case set.Tier == cpu.AVX512 && !set.VNNI:
			want = "avx2" // exact products of bytes without VNNI need 16 bits: the AVX2 form
		}
		require.Equal(t, want, firstWord(int8Tiles().name))
		require.Equal(t, want, firstWord(blockTiles().name))
		checkBlocks(t, blockTiles())
		for _, d := range append([]DType{F32}, halfTypes...) {
			require.Equal(t, set.Tier != cpu.Generic, floatsOf()[d].row != nil)
		}
		checkConfig(t, gemmTiles())
		checkConfig(t, int8Tiles())
	})
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		require.Equal(t, cpu.Generic, cpu.Active().Tier)
	}
}

func firstWord(s string) string { return strings.Fields(s)[0] }

// checkConfig holds a configuration against what the driver takes for granted.
func checkConfig[Tile gemmTile | int8Tile](t *testing.T, c *gemmConfig[Tile]) {
	tallest, last := 0, len(c.shapes)-1
	for i := range c.shapes {
		s := &c.shapes[i]
		if i > 0 {
			require.Less(t, s.np, c.shapes[i-1].np, "shapes become narrower")
		}
		require.LessOrEqual(t, s.np, maxPanels)
		require.LessOrEqual(t, s.rows()*s.np*panelWidth, tileScratch)
		require.True(t, s.has(s.rows()))
		tallest = max(tallest, s.rows())
	}
	require.Equal(t, 1, c.shapes[last].np)
	for mr := 1; mr <= tallest; mr++ {
		require.True(t, c.shapes[last].has(mr), "a single panel of %d rows", mr)
	}
	for mr := 1; mr <= c.shapes[c.main].rows(); mr++ {
		require.True(t, c.shapes[c.main].has(mr))
	}
	require.Positive(t, c.chunk)
	require.Positive(t, c.rate)
}

// checkBlocks holds a configuration against what the driver takes for granted:
// tiles of every height, and, where there is assembly, rows of every format.
func checkBlocks(t *testing.T, c *blockConfig) {
	for kind, tiles := range c.tiles {
		require.Greater(t, len(tiles), 1, "kind %d", kind)
		require.LessOrEqual(t, (len(tiles)-1)*panelWidth, tileScratch)
		for mr := 1; mr < len(tiles); mr++ {
			require.NotNil(t, tiles[mr], "kind %d, %d rows", kind, mr)
		}
	}
	for _, d := range blockTypes {
		require.Equal(t, c != &blockGenericConfig, c.rows[d] != nil || len(c.super[d].packed) > 0, "%v", d)
		require.GreaterOrEqual(t, c.height(d), 1)
		if d.form().super {
			s := &c.super[d]
			if len(s.keep) > 0 {
				require.Len(t, s.keep, len(s.wide))
			}
			if len(s.wide) > 0 && len(s.packed) > len(s.wide) {
				t.Errorf("%v: no wide tile as high as the highest packed one", d)
			}
			for _, tiles := range [][]superTile{s.packed, s.keep, s.wide} {
				for mr := 1; mr < len(tiles); mr++ {
					require.NotNil(t, tiles[mr], "%v, %d rows", d, mr)
				}
			}
		}
	}
	require.Positive(t, c.chunk)
	require.Positive(t, c.rate)
}
