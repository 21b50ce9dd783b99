package jpeg

import (
	"bytes"
	"image"
	std "image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// files are the JPEGs that package picture decodes to the last bit of libjpeg's
// pixels: here they are what is damaged.
func files(t testing.TB) map[string][]byte {
	paths, err := filepath.Glob("../testdata/*.jpg")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	all := map[string][]byte{}
	for _, path := range paths {
		all[filepath.Base(path)], err = os.ReadFile(path)
		require.NoError(t, err)
	}
	return all
}

// noisy is light with grain: every coefficient counts.
func noisy(r *rand.Rand, width, height int) *image.YCbCr {
	m := image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420)
	for _, plane := range [][]byte{m.Y, m.Cb, m.Cr} {
		at := r.IntN(256)
		for i := range plane {
			at += r.IntN(41) - 20
			plane[i] = byte(max(0, min(at, 255)))
		}
	}
	return m
}

// The standard library transforms with other roundings: samples differ by 1.
func TestNearTheStandardLibrary(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, quality := range []int{1, 30, 75, 95, 100} {
		for range 8 {
			w, h := 1+r.IntN(70), 1+r.IntN(70)
			var b bytes.Buffer
			require.NoError(t, std.Encode(&b, noisy(r, w, h), &std.Options{Quality: quality}))
			got, err := Decode(b.Bytes())
			require.NoError(t, err)
			require.Equal(t, YCbCr, got.Space)
			m, err := std.Decode(&b)
			require.NoError(t, err)
			want := m.(*image.YCbCr)
			require.Equal(t, [2]int{w, h}, [2]int{got.Width, got.Height})
			for i, plane := range [][]byte{want.Y, want.Cb, want.Cr} {
				stride := []int{want.YStride, want.CStride, want.CStride}[i]
				p := got.Planes[i]
				require.Equal(t, [2]int{(w + p.PerX - 1) / p.PerX, (h + p.PerY - 1) / p.PerY}, [2]int{p.Width, p.Height})
				for y := range p.Height {
					for x := range p.Width {
						a, b := int(p.Pix[y*p.Stride+x]), int(plane[y*stride+x])
						require.LessOrEqual(t, max(a-b, b-a), 1, "quality %d, plane %d, %d, %d", quality, i, x, y)
					}
				}
			}
		}
	}
}

// segments cuts a file at its markers; what follows a scan's header belongs to it.
func segments(data []byte) (list [][]byte) {
	for from, at := 2, 4; at <= len(data); at++ {
		if at == len(data) || data[at] == 0xff && data[at+1] != 0 {
			list = append(list, data[from:at])
			from = at
			at++
		}
	}
	return list
}

func TestAScanForEachComponent(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const w, h = 45, 29
	var want [][]byte
	file := []byte{0xff, soi}
	for i := range 3 {
		m := image.NewGray(image.Rect(0, 0, w, h))
		copy(m.Pix, noisy(r, w, h).Y)
		var b bytes.Buffer
		require.NoError(t, std.Encode(&b, m, nil))
		grey, err := Decode(b.Bytes())
		require.NoError(t, err)
		want = append(want, grey.Planes[0].Pix)
		for _, s := range segments(b.Bytes()) {
			switch s[1] {
			case sof0:
				if i == 0 {
					s = append([]byte{0xff, sof0, 0, 17}, s[4:9]...)
					file = append(append(file, s...), 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0)
				}
			case sos:
				file = append(file, s[:5]...)
				file = append(append(file, byte(1+i)), s[6:]...)
			case eoi:
			default:
				file = append(file, s...)
			}
		}
	}
	file = append(file, 0xff, eoi)
	got, err := Decode(file)
	require.NoError(t, err)
	for i := range want {
		require.Equal(t, want[i], got.Planes[i].Pix)
	}
}

func TestCutOff(t *testing.T) {
	for name, data := range files(t) {
		for n := 0; n < len(data); n += 1 + n/200 {
			_, err := Decode(data[:n])
			require.ErrorIs(t, err, ErrFormat, "%s: %d bytes", name, n)
		}
	}
}

func TestDamaged(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for name, data := range files(t) {
		for range 120 {
			bad := bytes.Clone(data)
			for range 1 + r.IntN(3) {
				bad[r.IntN(len(bad))] = byte(r.Uint32())
			}
			if w, h, err := Size(bad); err == nil && w*h < 1<<20 {
				if m, err := Decode(bad); err == nil {
					require.NotEmpty(t, m.Planes, name)
				}
			}
		}
	}
}

// with is a file whose first segment of a kind is changed.
func with(t *testing.T, data []byte, marker byte, change func(segment []byte)) []byte {
	data = bytes.Clone(data)
	at := bytes.Index(data, []byte{0xff, marker})
	require.Positive(t, at)
	change(data[at:])
	return data
}

func TestRefuses(t *testing.T) {
	data := files(t)["photo-420.jpg"]
	progressive := files(t)["photo-progressive.jpg"]
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":       {nil, "does not begin"},
		"arithmetic":    {with(t, data, sof0, func(s []byte) { s[1] = 0xc9 }), "kind 0xc9"},
		"lossless":      {with(t, data, sof0, func(s []byte) { s[1] = 0xc3 }), "kind 0xc3"},
		"12 bits":       {with(t, data, sof0, func(s []byte) { s[4] = 12 }), "12 bits"},
		"no pixels":     {with(t, data, sof0, func(s []byte) { s[5], s[6] = 0, 0 }), "61×0"},
		"too huge":      {with(t, data, sof0, func(s []byte) { s[5], s[6], s[7], s[8] = 255, 255, 255, 255 }), "65535×65535"},
		"huge":          {with(t, data, sof0, func(s []byte) { s[5], s[7] = 0x5f, 0x5f }), "cannot be in"},
		"huge, refined": {with(t, progressive, sof2, func(s []byte) { s[5], s[7] = 0x5f, 0x5f }), "cannot be in"},
		"2 components":  {with(t, data, sof0, func(s []byte) { s[3], s[9] = 14, 2 }), "2 components"},
		"sampling":      {with(t, data, sof0, func(s []byte) { s[11] = 0x52 }), "component 0"},
		"fractions":     {with(t, data, sof0, func(s []byte) { s[11], s[14] = 0x31, 0x21 }), "not supported"},
		"no tables":     {with(t, data, dht, func(s []byte) { s[1] = app0 }), "before its Huffman tables"},
		"no steps":      {with(t, data, dqt, func(s []byte) { s[1] = app0 }), "before its quantisation"},
		"codes":         {with(t, data, dht, func(s []byte) { s[5] = 200 }), "Huffman table"},
		"scan":          {with(t, data, sos, func(s []byte) { s[5] = 77 }), "77"},
		"twice":         {with(t, data, sos, func(s []byte) { s[7] = s[5] }), "twice"},
		"no beginning":  {with(t, progressive, sos, func(s []byte) { s[len("..lln112233ss")] = 0x21 }), "not begun"},
	} {
		require.Less(t, testing.AllocsPerRun(1, func() {
			_, err := Decode(c.data)
			require.ErrorContains(t, err, c.want, name)
		}), 100.0, name)
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{"tiny-420.jpg", "narrow-420.jpg", "progressive-grey.jpg", "photo-restart.jpg"} {
		f.Add(files(f)[name])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if w, h, err := Size(data); err != nil || w*h > 1<<18 {
			return
		}
		m, err := Decode(data)
		if err != nil {
			return
		}
		for _, p := range m.Planes {
			require.GreaterOrEqual(t, len(p.Pix), (p.Height-1)*p.Stride+p.Width)
			require.GreaterOrEqual(t, p.PerX*p.Width, m.Width)
			require.GreaterOrEqual(t, p.PerY*p.Height, m.Height)
		}
	})
}
