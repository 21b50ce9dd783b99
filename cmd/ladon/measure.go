package main

import (
	"context"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/ladon-ml/ladon/internal/cpu"
)

// minSample is the shortest time worth reading the clock for: reading it costs
// tens of nanoseconds, so shorter work is repeated within one sample.
const minSample = 20 * time.Microsecond

// minRuns is how many samples a case gets however long it takes.
const minRuns = 3

// A timing is what repeating some work showed. Times are of one repetition.
type timing struct {
	min, median time.Duration
	runs        int
}

// measure repeats work until the budget is spent. The first repetition, which
// allocates workspaces and warms caches, does not count.
func measure(ctx context.Context, budget time.Duration, work func() error) (timing, error) {
	start := time.Now()
	if err := work(); err != nil {
		return timing{}, err
	}
	repeat := 1
	if once := time.Since(start); once < minSample {
		repeat = int(minSample/max(once, 100*time.Nanosecond)) + 1
	}
	var samples []time.Duration
	for begin := time.Now(); len(samples) < minRuns || time.Since(begin) < budget; {
		if err := ctx.Err(); err != nil {
			return timing{}, err
		}
		start := time.Now()
		for range repeat {
			if err := work(); err != nil {
				return timing{}, err
			}
		}
		samples = append(samples, time.Since(start)/time.Duration(repeat))
	}
	return timingOf(samples), nil
}

func timingOf(samples []time.Duration) timing {
	samples = slices.Sorted(slices.Values(samples))
	return timing{min: samples[0], median: samples[len(samples)/2], runs: len(samples)}
}

// perSecond gives the rate of n units in the shortest run.
func (t timing) perSecond(n float64) float64 {
	return n / max(t.min.Seconds(), 1e-9)
}

// A record is the line that a case prints: an object whose keys keep their order.
type record []byte

func newRecord(name string) *record {
	r := record(`{"bench":` + strconv.Quote(name))
	return &r
}

func (r *record) key(name string) {
	*r = append(*r, ',', '"')
	*r = append(*r, name...)
	*r = append(*r, '"', ':')
}

func (r *record) int(name string, n int) {
	r.key(name)
	*r = strconv.AppendInt(*r, int64(n), 10)
}

func (r *record) ints(name string, list []int) {
	r.key(name)
	*r = appendInts(*r, list)
}

func (r *record) string(name, s string) {
	r.key(name)
	*r = appendString(*r, s)
}

func (r *record) bool(name string, b bool) {
	r.key(name)
	*r = strconv.AppendBool(*r, b)
}

// float writes x with digits significant digits; what could not be measured is 0.
func (r *record) float(name string, x float64, digits int) {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		x = 0
	}
	r.key(name)
	*r = strconv.AppendFloat(*r, x, 'g', digits, 64)
}

func (r *record) timing(t timing) {
	r.float("ms_min", float64(t.min)/1e6, 6)
	r.float("ms_median", float64(t.median)/1e6, 6)
	r.int("runs", t.runs)
}

// rate adds operations a second, and their share of the peak's.
func (r *record) rate(ops, peak float64) {
	r.float("gflops", ops/1e9, 5)
	r.float("share_of_peak", ops/peak, 4)
}

// machine ends the record with what ran it.
func (r *record) machine(c *call) {
	r.string("tier", cpu.Active().String())
	r.int("threads", c.width())
}

func (r *record) writeTo(c *call) error {
	*r = append(*r, '}', '\n')
	_, err := c.stdout.Write(*r)
	return err
}
