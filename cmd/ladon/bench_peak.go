package main

import (
	"flag"
	"strconv"
	"time"

	"github.com/ladon-ml/ladon/internal/peak"
)

// peakTime is how long each of the two peaks around a case is measured.
const peakTime = 100 * time.Millisecond

var benchPeakCase = command{
	name:    "peak",
	summary: "what the CPU can do at most: multiply-adds from registers, bytes read by size",
	setup: func(fs *flag.FlagSet) func(*call) error {
		budget := budgetFlag(fs)
		return func(c *call) error {
			if err := c.noArgs(); err != nil {
				return err
			}
			return runBenchPeak(c, *budget)
		}
	},
}

// readSizes are the lengths of the read sweep in bytes, from inside the first
// cache to far outside the last.
var readSizes = []int{16 << 10, 32 << 10, 128 << 10, 512 << 10, 1 << 20, 2 << 20, 8 << 20, 32 << 20, 128 << 20, 256 << 20}

func runBenchPeak(c *call, budget time.Duration) error {
	each := budget / time.Duration(len(readSizes)+2)
	f32, err := peak.F32(c.ctx, c.width(), each)
	if err != nil {
		return err
	}
	int8s, err := peak.Int8(c.ctx, c.width(), each)
	if err != nil {
		return err
	}
	rates, err := peak.Read(c.ctx, c.width(), each, readSizes...)
	if err != nil {
		return err
	}
	r := newRecord("peak")
	r.float("gflops", f32/1e9, 5)
	r.float("int8_gops", int8s/1e9, 5)
	r.key("read_gb_per_s")
	sep := byte('{')
	for i, size := range readSizes {
		*r = append(*r, sep)
		*r = strconv.AppendQuote(*r, strconv.Itoa(size))
		*r = append(*r, ':')
		*r = strconv.AppendFloat(*r, rates[i]/1e9, 'g', 4, 64)
		sep = ','
	}
	*r = append(*r, '}')
	r.machine(c)
	return r.writeTo(c)
}

// peakOf measures the peak that a case of this type is held against, in
// operations per second.
func (c *call) peakOf(dtype string) (float64, error) {
	if dtype == "int8" {
		return peak.Int8(c.ctx, c.width(), peakTime)
	}
	return peak.F32(c.ctx, c.width(), peakTime)
}

// measureBeside measures work between two measurements of the peak, and gives
// the larger peak.
func (c *call) measureBeside(dtype string, budget time.Duration, work func() error) (timing, float64, error) {
	before, err := c.peakOf(dtype)
	if err != nil {
		return timing{}, 0, err
	}
	t, err := measure(c.ctx, budget, work)
	if err != nil {
		return timing{}, 0, err
	}
	after, err := c.peakOf(dtype)
	if err != nil {
		return timing{}, 0, err
	}
	return t, max(before, after), nil
}
