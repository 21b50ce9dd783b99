package model

import (
	"fmt"
	"os"
	"testing"

	"github.com/ladon-ml/ladon/internal/cpu"
)

// TestMain proves, where it is asked to, that the tests run on the tier they are
// meant for.
func TestMain(m *testing.M) {
	if err := cpu.Required(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// onEveryTier runs a test once for every set of instructions that this CPU has,
// or the one that LADON_ISA names; under the race detector and in short tests,
// where code crawls, for the active one.
func onEveryTier(t *testing.T, f func(t *testing.T)) {
	sets := cpu.Tested()
	if raceEnabled || testing.Short() {
		sets = []cpu.Set{cpu.Active()}
	}
	for _, set := range sets {
		t.Run(set.String(), func(t *testing.T) {
			defer cpu.Use(set)()
			f(t)
		})
	}
}
