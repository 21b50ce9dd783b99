package main

import (
	"flag"
	"time"
)

var benchCommand = command{
	name:    "bench",
	args:    "CASE [flags]",
	summary: "measure a kernel or a model beside what this CPU can do at most",
	help: `
Every case prints one line of JSON: ms_min and ms_median over runs repetitions,
gflops (or tokens_per_s), share_of_peak, tier and threads. share_of_peak divides
by the larger of the peaks measured just before and just after the case, for the
same instruction set, type and threads, since a CPU's clock drifts.`,
	cases: []command{
		benchPeakCase,
		benchGEMMCase,
		benchAttentionCase,
		benchMHACase,
		benchForwardCase,
		benchGenerateCase,
		benchPictureCase,
	},
}

// budgetFlag registers how long a case may repeat itself.
func budgetFlag(fs *flag.FlagSet) *time.Duration {
	return fs.Duration("budget", 1500*time.Millisecond, "repeat the case for about this `TIME`")
}
