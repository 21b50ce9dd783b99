package attnview

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"fmt"
	"io"
	"math"
)

// How weights go into the page: each as a byte, 255·√weight, so that small ones
// keep some digits: the error of a weight w is at most 0.004·√w.
// Planes follow each other, layer after layer, deflated and in base64.
const (
	// maxDense is up to how many weights every one is kept: the page unpacks
	// them to as many bytes.
	maxDense = 40 << 20
	// maxSparse is the most bytes that rows of maxTop weights may take.
	maxSparse = 96 << 20
	// maxTop is how many weights a row keeps where there are too many.
	maxTop = 24
	// maxWhole is how many queries may have whole rows besides.
	maxWhole = 4
)

// quantum is the byte of a weight.
func quantum(w float32) byte {
	return byte(math.Round(255 * math.Sqrt(float64(min(max(w, 0), 1)))))
}

// weight is what a byte stands for.
func weight(b byte) float32 { return float32(b) / 255 * float32(b) / 255 }

// encoded is a field's weights as the page reads them.
type encoded struct {
	Top  int    `json:"top"` // weights a row, each three bytes: key, low byte first, and quantum; 0: all of them, a byte each
	Data string `json:"data"`
	// Where rows of keys that are patches are cut short, the first queries, which
	// are class tokens, have theirs whole besides: a byte a weight.
	Whole     int    `json:"whole,omitempty"`
	WholeData string `json:"wholeData,omitempty"`
}

func (f *field) encode() (encoded, error) { return f.encodeWithin(maxDense, maxSparse) }

func (f *field) encodeWithin(maxDense, maxSparse int) (encoded, error) {
	e, bytesPerRow := encoded{}, f.k
	rows := f.count() * f.q
	if rows*f.k > maxDense {
		e.Top = min(maxTop, f.k)
		bytesPerRow = 3 * e.Top
	}
	if rows*bytesPerRow > maxSparse || f.k > math.MaxUint16 {
		return e, fmt.Errorf("attnview: %s: %d planes of %d×%d tokens are too many for a page: give it a shorter text", f.Name, f.count(), f.q, f.k)
	}
	line, order := make([]byte, 0, bytesPerRow), make([]int, 0, maxTop)
	data, err := deflated(func(z io.Writer) {
		for _, layer := range f.planes {
			for _, p := range layer {
				for q := range f.q {
					row := p.weights[q*f.k : (q+1)*f.k]
					line = line[:0]
					if e.Top > 0 {
						line = appendTop(line, row, order, e.Top)
					} else {
						for _, w := range row {
							line = append(line, quantum(w))
						}
					}
					z.Write(line)
				}
			}
		}
	})
	e.Data = data
	if err != nil || e.Top == 0 || f.Picture == nil || !f.self() {
		return e, err
	}
	e.Whole = min(f.Picture.First, maxWhole)
	e.WholeData, err = deflated(func(z io.Writer) {
		for _, layer := range f.planes {
			for _, p := range layer {
				line = line[:0]
				for _, w := range p.weights[:e.Whole*f.k] {
					line = append(line, quantum(w))
				}
				z.Write(line)
			}
		}
	})
	return e, err
}

// deflated is what fill writes, deflated and in base64. Its writer takes all.
func deflated(fill func(io.Writer)) (string, error) {
	var packed bytes.Buffer
	z, err := flate.NewWriter(&packed, flate.DefaultCompression)
	if err != nil {
		return "", err
	}
	fill(z)
	if err := z.Close(); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(packed.Bytes()), nil
}

// appendTop appends the largest weights of a row, by falling weight and among
// equals by key. order has room for top keys.
func appendTop(dst []byte, row []float32, order []int, top int) []byte {
	order = order[:0]
	for k, w := range row {
		if len(order) == top && !(w > row[order[top-1]]) {
			continue
		}
		if len(order) < top {
			order = append(order, k)
		}
		i := len(order) - 1
		for ; i > 0 && w > row[order[i-1]]; i-- {
			order[i] = order[i-1]
		}
		order[i] = k
	}
	for _, k := range order {
		dst = append(dst, byte(k), byte(k>>8), quantum(row[k]))
	}
	return dst
}
