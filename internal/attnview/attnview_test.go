package attnview

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// hostile tokens are what a text may hold: none may become part of the page.
var hostile = []string{"[CLS]", "</script><script>alert(1)</script>", `"><img src=x onerror=alert(2)>`, "\u202eabc", "{{.}}", "<!--", "]]>", "é\x00\n"}

// tokens makes n tokens, with special ones at both ends.
func tokens(n int) []Token {
	list := make([]Token, n)
	for i := range list {
		token := hostile[i%len(hostile)]
		list[i] = Token{ID: int32(i), Token: token, Label: Label(token, ""), Special: i == 0 || i == n-1, Joined: i%4 == 3}
	}
	return list
}

// random makes weights whose rows add up to 1.
func random(r *rand.Rand, heads, q, k int) []float32 {
	w := make([]float32, heads*q*k)
	for row := range heads * q {
		sum := 0.0
		for j := range k {
			x := math.Exp(4 * r.NormFloat64())
			w[row*k+j] = float32(x)
			sum += x
		}
		for j := range k {
			w[row*k+j] /= float32(sum)
		}
	}
	return w
}

// example has self-attention with layers of different heads, and cross-attention.
func example(seed uint64) *Report {
	r := rand.New(rand.NewPCG(seed, 1))
	return &Report{Model: "a <model>", Text: strings.Join(hostile, " "), Maps: []Map{
		{Name: "self-attention", Queries: tokens(9), Layers: []Layer{{3, random(r, 3, 9, 9)}, {1, random(r, 1, 9, 9)}}},
		{Name: "cross-attention", Queries: tokens(4), Keys: tokens(7), Layers: []Layer{{2, random(r, 2, 4, 7)}}},
	}}
}

func mustField(t testing.TB, m *Map) *field {
	f, err := newField(t.Context(), m)
	require.NoError(t, err)
	return f
}

func TestStatistics(t *testing.T) {
	// Token 0 looks at itself; 1 at its two neighbours alike; 2 sees nothing.
	w := []float32{1, 0, 0, 0.5, 0, 0.5, 0, 0, 0}
	f := mustField(t, &Map{Queries: []Token{{}, {}, {Special: true}}, Layers: []Layer{{1, w}}})
	want := map[string]float64{
		"entropy": 0.5 * math.Ln2, "confidence": 0.75, "distance": 0.5, "itself": 0.5,
		"previous": 0.25, "next": 0.25, "first": 0.75, "special": 0.25,
	}
	for i, x := range f.measure(f.planes[0][0]) {
		require.InDelta(t, want[f.statistics()[i].Key], x, 1e-9, f.statistics()[i].Key)
		delete(want, f.statistics()[i].Key)
	}
	require.Empty(t, want)

	f = mustField(t, &Map{Queries: make([]Token, 3), Keys: make([]Token, 3), Layers: []Layer{{1, w}}})
	require.Len(t, f.planes[0], 2, "a head and the mean: no rollout")
	for _, s := range f.statistics() {
		require.NotContains(t, []string{"distance", "itself", "previous", "next"}, s.Key)
	}
}

func TestRollout(t *testing.T) {
	const n, heads = 17, 3
	r := rand.New(rand.NewPCG(1, 2))
	m := Map{Queries: tokens(n)}
	for range 4 {
		m.Layers = append(m.Layers, Layer{heads, random(r, heads, n, n)})
	}
	f := mustField(t, &m)
	want := make([]float64, n*n)
	for i := range n {
		want[i*n+i] = 1
	}
	for l, layer := range m.Layers {
		next := make([]float64, n*n)
		for i := range n {
			for j := range n {
				a := 0.0
				for h := range heads {
					a += float64(layer.Weights[(h*n+i)*n+j]) / heads
				}
				if i == j {
					a++
				}
				for c := range n {
					next[i*n+c] += a / 2 * want[j*n+c]
				}
			}
		}
		want = next
		got := f.planes[l][heads+1]
		require.Equal(t, RolloutPlane, got.name)
		for i, x := range got.weights {
			if diff := math.Abs(float64(x) - want[i]); !(diff <= 1e-6) {
				t.Fatalf("layer %d: %d: %v, want %v", l, i, x, want[i])
			}
		}
	}
}

func TestQuantum(t *testing.T) {
	for i := range 10001 {
		w := float32(i) / 10000
		if diff := math.Abs(float64(weight(quantum(w)) - w)); !(diff <= 0.004*math.Sqrt(float64(w))+1e-5) {
			t.Fatalf("%v comes back as %v", w, weight(quantum(w)))
		}
	}
	require.Equal(t, byte(255), quantum(1.0005))
}

// unpack is what the page's script does.
func unpack(t *testing.T, e encoded) []byte {
	packed, err := base64.StdEncoding.DecodeString(e.Data)
	require.NoError(t, err)
	data, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
	require.NoError(t, err)
	return data
}

func TestEncode(t *testing.T) {
	f := mustField(t, &example(3).Maps[0])
	e, err := f.encode()
	require.NoError(t, err)
	require.Zero(t, e.Top)
	data := unpack(t, e)
	require.Len(t, data, (5+3)*81)
	for _, layer := range f.planes {
		for _, p := range layer {
			for i, w := range p.weights {
				require.Equal(t, quantum(w), data[i])
			}
			data = data[81:]
		}
	}
}

func TestEncodeTop(t *testing.T) {
	line := appendTop(nil, []float32{0.1, 0.4, 0, 0.4, 0.1}, make([]int, 0, 3), 3)
	require.Equal(t, []byte{1, 0, quantum(0.4), 3, 0, quantum(0.4), 0, 0, quantum(0.1)}, line)

	const n = 300
	m := Map{Queries: make([]Token, n), Keys: make([]Token, n), Layers: []Layer{{2, make([]float32, 2*n*n)}}}
	for i := range 2 * n {
		m.Layers[0].Weights[i*n+i*7%n] = 1
	}
	f := mustField(t, &m)
	e, err := f.encodeWithin(3*n*n-1, 3*n*3*maxTop)
	require.NoError(t, err)
	require.Equal(t, maxTop, e.Top)
	data := unpack(t, e)
	require.Len(t, data, 3*n*3*maxTop)
	for i := range 2 * n {
		at := data[i*3*maxTop:]
		require.Equal(t, []byte{byte(i * 7 % n), byte(i * 7 % n >> 8), 255}, at[:3])
	}
	_, err = f.encodeWithin(3*n*n-1, 3*n*3*maxTop-1)
	require.ErrorContains(t, err, "shorter text")
}

func TestLabel(t *testing.T) {
	for _, c := range []struct{ token, surface, want string }{
		{"##ing", "ing", "ing"},
		{"paris", "Paris", "Paris"},
		{"[CLS]", "", "[CLS]"},
		{"Ġthe", " the", "the"},
		{"▁the", " the", "the"},
		{"ĠĠ", "  ", "␣␣"},
		{"Ċ", "\n", "↵"},
		{"x", "\xff", "x"},
		{"", "", "␀"},
		{"a\u202eb\x00", "", `a\u{202e}b\u{0}`},
		{"é日", "", "é日"},
	} {
		require.Equal(t, c.want, Label(c.token, c.surface), "%q %q", c.token, c.surface)
	}
	long := Token{Label: strings.Repeat("é", 100), Joined: true}
	require.Equal(t, "…"+strings.Repeat("é", 8)+"…", long.shown(10))
}

func TestJSON(t *testing.T) {
	type out struct {
		Model, Text string
		Maps        []struct {
			Name, Kind    string
			Queries, Keys []shownToken
			Statistics    []statistic
			Planes        []struct {
				Layer      int
				Plane      string
				Statistics map[string]float64
				Weights    [][]float32
			}
		}
	}
	report := example(4)
	var b bytes.Buffer
	require.NoError(t, report.JSON(t.Context(), &b, Selection{Layer: -1}))
	var got out
	d := json.NewDecoder(&b)
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&got))
	require.Equal(t, report.Model, got.Model)
	require.Len(t, got.Maps, 2)
	self, cross := got.Maps[0], got.Maps[1]
	require.Equal(t, "self", self.Kind)
	require.Equal(t, "cross", cross.Kind)
	require.Equal(t, hostile[1], self.Queries[1].Token)
	require.Empty(t, self.Keys)
	require.Len(t, cross.Keys, 7)
	require.Len(t, self.Planes, 3+2+1+2)
	require.Len(t, cross.Planes, 2+1)
	for q, row := range cross.Planes[1].Weights {
		require.Equal(t, report.Maps[1].Layers[0].Weights[(4+q)*7:][:7], row, "to the bit")
	}
	require.Len(t, cross.Planes[0].Statistics, len(cross.Statistics))

	report.Maps = report.Maps[:1]
	b.Reset()
	got = out{}
	require.NoError(t, report.JSON(t.Context(), &b, Selection{Layer: 0, Plane: RolloutPlane}))
	require.NoError(t, json.Unmarshal(b.Bytes(), &got))
	require.Len(t, got.Maps[0].Planes, 1)
	require.Equal(t, RolloutPlane, got.Maps[0].Planes[0].Plane)
}

func TestPNG(t *testing.T) {
	report := example(5)
	for _, s := range []Selection{{Layer: -1}, {Layer: 1}, {Layer: -1, Plane: "2"}, {Layer: 0, Plane: "2"}, {Layer: 1, Plane: MeanPlane}} {
		var b bytes.Buffer
		require.NoError(t, report.PNG(t.Context(), &b, s))
		img, err := png.Decode(&b)
		require.NoError(t, err)
		require.Less(t, img.Bounds().Dx(), 2500)
		seen := map[any]bool{}
		for y := range img.Bounds().Dy() {
			for x := range img.Bounds().Dx() {
				seen[img.At(x, y)] = true
			}
		}
		require.Greater(t, len(seen), 40, "weights and smooth letters have many colours")
	}
}

func TestPNGCells(t *testing.T) {
	// The colours of a picture of one head are those of its weights, in place.
	report := example(6)
	var b bytes.Buffer
	require.NoError(t, report.PNG(t.Context(), &b, Selection{Layer: 0, Plane: "1"}))
	img, err := png.Decode(&b)
	require.NoError(t, err)
	const n, cell = 9, 26
	colours, weights := ramp(), report.Maps[0].Layers[0].Weights[81:]
	// The frame's left top corner: the first pixel of its colour.
	left, top := -1, -1
	for y := 0; y < img.Bounds().Dy() && top < 0; y++ {
		for x := range img.Bounds().Dx() - 1 {
			if img.At(x, y) == frame && img.At(x+1, y) == frame {
				left, top = x+1, y+1
				break
			}
		}
	}
	for q := range n {
		for k := range n {
			require.Equal(t, colours[quantum(weights[q*n+k])], img.At(left+k*cell+cell/2, top+q*cell+cell/2), "%d, %d", q, k)
		}
	}
}

func TestErrors(t *testing.T) {
	nan := float32(math.NaN())
	for part, r := range map[string]*Report{
		"nothing to show":    {},
		"m: nothing to show": {Maps: []Map{{Name: "m", Queries: tokens(2)}}},
		"3 weights":          {Maps: []Map{{Name: "m", Queries: tokens(2), Layers: []Layer{{1, make([]float32, 3)}}}}},
		"NaN":                {Maps: []Map{{Name: "m", Queries: tokens(1), Layers: []Layer{{1, []float32{nan}}}}}},
		"weight of 2":        {Maps: []Map{{Name: "m", Queries: tokens(1), Layers: []Layer{{1, []float32{2}}}}}},
	} {
		for _, write := range writers {
			require.ErrorContains(t, write(r, t.Context(), io.Discard, Selection{}), part)
		}
	}
	for part, s := range map[string]Selection{
		"no layer 2":        {Layer: 2},
		`no head "3"`:       {Layer: 0, Plane: "3"},
		`no head "1"`:       {Layer: 1, Plane: "1"},
		`one of 0, 1, 2, m`: {Layer: -1, Plane: "x"},
	} {
		for _, write := range writers {
			require.ErrorContains(t, write(example(7), t.Context(), io.Discard, s), part)
		}
	}
}
