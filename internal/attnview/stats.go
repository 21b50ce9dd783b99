package attnview

import "math"

// A statistic is a number that says at a glance what a head does. Its row in the
// table is all that the page, the picture and the JSON know of it.
type statistic struct {
	Key  string `json:"key"`
	Name string `json:"name"`
	Unit string `json:"unit"` // "" for a share of 1
	Help string `json:"help"`

	selfOnly bool  // wants queries and keys to be the same tokens
	picture  where // whether it wants keys to be patches of a picture
	// of is what a row gives, NaN for nothing; the mean over the rows that see
	// something is the statistic.
	of func(f *field, q int, row []float32) float64
}

// where says what a statistic asks of keys.
type where uint8

const (
	anywhere  where = iota
	inLine          // as words stand, and patches do not
	onPicture       // as patches are
)

var statistics = [...]statistic{
	{
		Key: "entropy", Name: "entropy", Unit: "nats",
		Help: "how far the weights of a token are spread: 0 looks at one, ln of the length at all alike",
		of: func(_ *field, _ int, row []float32) (sum float64) {
			for _, w := range row {
				if w > 0 {
					sum -= float64(w) * math.Log(float64(w))
				}
			}
			return sum
		},
	},
	{
		Key: "confidence", Name: "confidence",
		Help: "the largest weight of a token (Voita et al. 2019)",
		of: func(_ *field, _ int, row []float32) (most float64) {
			for _, w := range row {
				most = max(most, float64(w))
			}
			return most
		},
	},
	{
		Key: "distance", Name: "distance", Unit: "tokens", selfOnly: true, picture: inLine,
		Help: "how far away a token looks, on average",
		of: func(_ *field, q int, row []float32) (sum float64) {
			for k, w := range row {
				sum += float64(w) * math.Abs(float64(q-k))
			}
			return sum
		},
	},
	{
		Key: "apart", Name: "distance", Unit: "patches", selfOnly: true, picture: onPicture,
		Help: "how far away on the picture a patch looks, on average (Dosovitskiy et al. 2020)",
		of:   (*field).apart,
	},
	{
		Key: "itself", Name: "itself", selfOnly: true,
		Help: "the weight of a token on itself: the diagonal",
		of:   func(_ *field, q int, row []float32) float64 { return at(row, q) },
	},
	{
		Key: "previous", Name: "previous", selfOnly: true, picture: inLine,
		Help: "the weight on the token before",
		of:   func(_ *field, q int, row []float32) float64 { return at(row, q-1) },
	},
	{
		Key: "next", Name: "next", selfOnly: true, picture: inLine,
		Help: "the weight on the token after",
		of:   func(_ *field, q int, row []float32) float64 { return at(row, q+1) },
	},
	{
		Key: "first", Name: "first",
		Help: "the weight on the first token",
		of:   func(_ *field, _ int, row []float32) float64 { return at(row, 0) },
	},
	{
		Key: "special", Name: "separators", picture: inLine,
		Help: "the weight on special tokens but the first",
		of: func(f *field, _ int, row []float32) (sum float64) {
			for k, t := range f.keys() {
				if t.Special && k > 0 {
					sum += float64(row[k])
				}
			}
			return sum
		},
	},
}

// apart is the mean distance of patches from patch q, by their weights.
func (f *field) apart(q int, row []float32) float64 {
	p := f.Picture
	if q -= p.First; q < 0 || q >= p.Rows*p.Cols {
		return math.NaN()
	}
	sum, all := 0.0, 0.0
	for i, w := range row[p.First:][:p.Rows*p.Cols] {
		sum += float64(w) * math.Hypot(float64(i/p.Cols-q/p.Cols), float64(i%p.Cols-q%p.Cols))
		all += float64(w)
	}
	if all == 0 {
		return math.NaN()
	}
	return sum / all
}

// at is a weight of a row, 0 where there is none.
func at(row []float32, i int) float64 {
	if i < 0 || i >= len(row) {
		return 0
	}
	return float64(row[i])
}

// statistics gives those that the field has.
func (f *field) statistics() []statistic {
	var list []statistic
	for _, s := range statistics {
		if s.selfOnly && !f.self() || s.picture != anywhere && (s.picture == onPicture) != (f.Picture != nil) {
			continue
		}
		list = append(list, s)
	}
	return list
}

// measure gives a plane's statistics, in the order of f.statistics.
func (f *field) measure(p plane) []float64 {
	list := f.statistics()
	sums, rows := make([]float64, len(list)), make([]float64, len(list))
	for q := range f.q {
		row := p.weights[q*f.k : (q+1)*f.k]
		if blind(row) {
			continue
		}
		for i, s := range list {
			if x := s.of(f, q, row); !math.IsNaN(x) {
				sums[i] += x
				rows[i]++
			}
		}
	}
	for i := range sums {
		sums[i] /= max(rows[i], 1)
	}
	return sums
}

// blind says that a row sees nothing.
func blind(row []float32) bool {
	for _, w := range row {
		if w != 0 {
			return false
		}
	}
	return true
}
