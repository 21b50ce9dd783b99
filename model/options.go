package model

import "fmt"

// DType is the precision in which a model keeps the matrices that it multiplies by.
type DType uint8

const (
	Auto   DType = iota // as stored: int8 for what Quantize wrote, floats of 16 bits and GGUF's blocks as they are, else float32
	F32                 // activations are float32 too, as with all floats
	Int8                // rows of 8 bits with a float32 scale each; activations are quantised row by row as they come
	Stored              // what Auto turned out to be where the file has other forms: blocks, whose activations are quantised by 32, or floats of 16 bits
)

// ParseDType reads "auto", "f32" or "int8".
func ParseDType(s string) (DType, error) {
	for d := Auto; d <= Int8; d++ {
		if s == d.String() {
			return d, nil
		}
	}
	return Auto, fmt.Errorf("model: unknown dtype %q; known: auto, f32, int8", s)
}

func (d DType) String() string {
	switch d {
	case Auto:
		return "auto"
	case F32:
		return "f32"
	case Int8:
		return "int8"
	case Stored:
		return "stored"
	}
	return fmt.Sprintf("DType(%d)", uint8(d))
}

// An Option changes how a model is loaded or run.
type Option func(*options)

type options struct {
	threads  int
	dtype    DType
	headless bool
}

// WithThreads limits how many threads one call uses. The default, also for
// n < 1, is GOMAXPROCS at the time of the call.
func WithThreads(n int) Option { return func(o *options) { o.threads = max(n, 0) } }

// WithDType chooses the precision of the matrices. Quantising a float
// checkpoint to Int8 gives the bits that Quantize would write.
func WithDType(d DType) Option { return func(o *options) { o.dtype = d } }

// WithoutHeads loads only what last_hidden_state needs, whatever heads the
// checkpoint has.
func WithoutHeads() Option { return func(o *options) { o.headless = true } }
