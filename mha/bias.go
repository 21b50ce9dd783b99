package mha

import (
	"math"

	"github.com/ladon-ml/ladon/kernels"
)

// Bias is something added to scores before the softmax. It is asked a piece of a row at a time, so that biases which
// are a function of the positions need no table of length². -Inf hides a key.
type Bias interface {
	// Add adds to dst[c] the bias of the row's query for key at.Key+c. It is called from several goroutines at once.
	Add(dst []float32, at Row)
}

// Row is a query and the first of the keys that are asked for.
type Row struct {
	Seq, Head  int
	Query, Key int // from the beginning of the sequence
	Place      int // the key beside which the query stands, see Params.TopLeft; relative schemes count from it
}

// Table is a bias that is stored: query i of head h of sequence s and key j have
//
//	Data[s*Seq+h*Head+i*Query+j*Key]
//
// A stride of 0 broadcasts.
type Table struct {
	Data                  []float32
	Seq, Head, Query, Key int
}

// Add implements Bias.
func (t *Table) Add(dst []float32, at Row) {
	row := t.Data[at.Seq*t.Seq+at.Head*t.Head+at.Query*t.Query+at.Key*t.Key:]
	if t.Key == 1 {
		kernels.Add(dst, dst, row[:len(dst)])
		return
	}
	for c := range dst {
		dst[c] += row[c*t.Key]
	}
}

// ALiBi is attention with linear biases (Press et al. 2021): a head's slope times the distance of the key from the
// query's place, negative on both sides.
type ALiBi struct {
	Slopes []float32 // of every query head
}

// NewALiBi has the slopes of the paper; those for a number of heads that is no power of two come from the powers
// around it.
func NewALiBi(heads int) *ALiBi {
	a := &ALiBi{Slopes: make([]float32, 0, heads)}
	whole := 1
	for 2*whole <= heads {
		whole *= 2
	}
	for i := range min(heads, whole) {
		a.Slopes = append(a.Slopes, float32(math.Exp2(-8*float64(i+1)/float64(whole))))
	}
	for i := range heads - whole {
		a.Slopes = append(a.Slopes, float32(math.Exp2(-8*float64(2*i+1)/float64(2*whole))))
	}
	return a
}

// Add implements Bias.
func (a *ALiBi) Add(dst []float32, at Row) {
	slope := a.Slopes[at.Head]
	for c := range dst {
		distance := at.Place - at.Key - c
		dst[c] -= float32(slope * float32(max(distance, -distance)))
	}
}

// Distances is a bias that depends on the head and on how far a key stands from the query's place:
//
//	Data[h*Len+Zero+key-place]
//
// where an index past either end of the head's Len elements takes the last one there.
type Distances struct {
	Data      []float32 // [heads, Len]
	Len, Zero int
}

// Add implements Bias.
func (d *Distances) Add(dst []float32, at Row) {
	row := d.Data[at.Head*d.Len:][:d.Len]
	i := d.Zero + at.Key - at.Place
	c := 0
	for ; c < len(dst) && i+c < 0; c++ {
		dst[c] += row[0]
	}
	if n := min(len(dst)-c, len(row)-i-c); n > 0 {
		kernels.Add(dst[c:c+n], dst[c:c+n], row[i+c:i+c+n])
		c += n
	}
	for ; c < len(dst); c++ {
		dst[c] += row[len(row)-1]
	}
}

// NewBuckets makes the relative biases of T5 and MPNet (Raffel et al. 2019) from their table [buckets, heads]:
// distances share buckets that widen logarithmically up to maxDistance. Bidirectional ones, as in encoders, keep half
// of the buckets for keys after the query; the others give all of those the bucket of distance 0.
func NewBuckets(table []float32, buckets, heads, maxDistance int, bidirectional bool) *Distances {
	d := &Distances{Data: make([]float32, heads*(2*maxDistance+1)), Len: 2*maxDistance + 1, Zero: maxDistance}
	for i := range d.Len {
		bucket := bucketOf(i-d.Zero, buckets, maxDistance, bidirectional)
		for h := range heads {
			d.Data[h*d.Len+i] = table[bucket*heads+h]
		}
	}
	return d
}

// bucketOf is the bucket of a key that stands distance after the query.
func bucketOf(distance, buckets, maxDistance int, bidirectional bool) int {
	first := 0
	if bidirectional {
		buckets /= 2
		if distance > 0 {
			first = buckets
		}
		distance = max(distance, -distance)
	} else {
		distance = max(0, -distance)
	}
	exact := buckets / 2
	if distance < exact {
		return first + distance
	}
	// In float32, as the models were trained: buckets begin at rounded places.
	ratio := float32(math.Log(float64(float32(distance)/float32(exact)))) / float32(math.Log(float64(maxDistance)/float64(exact)))
	return first + min(buckets-1, exact+int(ratio*float32(buckets-exact)))
}
