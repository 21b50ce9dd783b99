package picture

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sized is a PNG whose header says another size.
func sized(t testing.TB, width, height uint32) []byte {
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, image.NewGray(image.Rect(0, 0, 2, 2))))
	data := b.Bytes()
	const ihdr = 12 // of the chunk's type; 13 bytes follow, then the checksum
	binary.BigEndian.PutUint32(data[ihdr+4:], width)
	binary.BigEndian.PutUint32(data[ihdr+8:], height)
	binary.BigEndian.PutUint32(data[ihdr+17:], crc32.ChecksumIEEE(data[ihdr:ihdr+17]))
	return data
}

func TestRefusesWhatIsNoPicture(t *testing.T) {
	for name, data := range map[string][]byte{
		"empty":      nil,
		"text":       []byte("hello"),
		"cut header": sized(t, 5, 5)[:20],
		"cut pixels": sized(t, 2000, 2000),
	} {
		_, err := Decode(name+".png", data, 0)
		require.ErrorIs(t, err, ErrFormat, name)
		require.ErrorContains(t, err, name+".png")
	}
	for _, file := range []string{"photo-420.jpg", "photo.webp", "rgb.png", "still.gif"} {
		data := readTestdata(t, file)
		_, err := Decode(file, data[:len(data)/2], 0)
		require.ErrorIs(t, err, ErrFormat, file)
	}
}

func TestRefusesTooManyPixelsAtTheDoor(t *testing.T) {
	for _, size := range [][2]uint32{{1 << 30, 1 << 30}, {1 << 20, 1 << 20}, {20000, 20000}} {
		data := sized(t, size[0], size[1])
		require.Less(t, testing.AllocsPerRun(1, func() {
			_, err := Decode("huge.png", data, 0)
			require.ErrorContains(t, err, "huge.png")
		}), 200.0)
	}
	data := sized(t, 101, 100)
	_, err := Decode("a.png", data, 100*100)
	require.ErrorIs(t, err, ErrTooLarge)
	require.ErrorContains(t, err, "101×100")
	require.ErrorContains(t, err, "10000")
}

func TestFrameBeyondPicture(t *testing.T) {
	data := bytes.Clone(readTestdata(t, "animated.webp"))
	at := bytes.Index(data, []byte("ANMF")) + 8
	for i, want := range map[int]string{0: "beyond", 3: "beyond", 16 + 4: ""} {
		bad := bytes.Clone(data)
		bad[at+i] = 0x7f
		_, err := Decode("a.webp", bad, 0)
		require.ErrorIs(t, err, ErrFormat)
		require.ErrorContains(t, err, want)
	}
	copy(data[at:], []byte{1, 0, 0, 1, 0, 0}) // two pixels to the right, and down
	vp8x := bytes.Index(data, []byte("VP8X")) + 8
	data[vp8x+4] += 2
	data[vp8x+7] += 2
	p, err := Decode("a.webp", data, 0)
	require.NoError(t, err)
	require.Equal(t, [2]int{32, 24}, [2]int{p.Width, p.Height})
	rgb, frame := p.RGB(), readTestdata(t, "animated.webp.rgb")
	require.Equal(t, frame[:90], rgb[2*96+6:3*96])
	require.Equal(t, make([]byte, 2*96+6), rgb[:2*96+6])
}

func TestFrameSmallerThanScreen(t *testing.T) {
	palette := color.Palette{color.Black, color.White}
	frame := image.NewPaletted(image.Rect(2, 1, 4, 3), palette)
	for i := range frame.Pix {
		frame.Pix[i] = 1
	}
	var b bytes.Buffer
	require.NoError(t, gif.EncodeAll(&b, &gif.GIF{Image: []*image.Paletted{frame}, Delay: []int{0}, Config: image.Config{ColorModel: palette, Width: 5, Height: 4}}))
	p, err := Decode("small.gif", b.Bytes(), 0)
	require.NoError(t, err)
	white := 0
	for i, v := range p.RGB() {
		if x, y := i/3%5, i/15; x >= 2 && x < 4 && y >= 1 && y < 3 {
			require.EqualValues(t, 255, v)
			white++
		} else {
			require.Zero(t, v)
		}
	}
	require.Equal(t, 12, white)
}

func TestConfigs(t *testing.T) {
	const vit = `"image_processor_type": "ViTImageProcessor"`
	for config, want := range map[string][2]int{ // of a picture of 100 × 50
		`{}`:                            {224, 224},
		`{` + vit + `, "size": 30}`:     {30, 30},
		`{` + vit + `, "size": [7, 9]}`: {9, 7},
		`{` + vit + `, "size": {"shortest_edge": 25, "longest_edge": null}}`:                                               {50, 25},
		`{` + vit + `, "size": {"height": 10, "width": 20}, "do_resize": false}`:                                           {100, 50},
		`{` + vit + `, "size": 30, "do_center_crop": true, "crop_size": 20}`:                                               {20, 20},
		`{` + vit + `, "size": 30, "crop_size": 20}`:                                                                       {30, 30},
		`{"feature_extractor_type": "CLIPFeatureExtractor", "size": 60, "crop_size": 40}`:                                  {40, 40},
		`{"image_processor_type": "CLIPImageProcessorFast", "size": 60, "do_center_crop": false}`:                          {120, 60},
		`{"feature_extractor_type": "YolosFeatureExtractor", "size": 800, "max_size": 1333}`:                               {1328, 656},
		`{"image_processor_type": "YolosImageProcessor", "size": {"shortest_edge": 33}}`:                                   {64, 32},
		`{"image_processor_type": "YolosImageProcessor", "size": {"shortest_edge": 33}, "do_pad": true, "pad_size": null}`: {64, 32},
		`{` + vit + `, "size": 30, "pad_size": 50}`:                                                                        {30, 30},
		`{"image_processor_type": "BitImageProcessor", "size": 60, "crop_size": {"height":1,"width":2}}`:                   {2, 1},
	} {
		p, err := ParseConfig("c.json", []byte(config))
		require.NoError(t, err, config)
		w, h, err := p.Shape(100, 50)
		require.NoError(t, err, config)
		require.Equal(t, want, [2]int{w, h}, config)
	}
}

func TestImpossibleConfigs(t *testing.T) {
	for config, want := range map[string]string{
		``:   "file",
		`[]`: "file",
		`{"image_processor_type": "Mask2Former"}`: "supported: BitImageProcessor",
		`{"image_processor_type": 3}`:             "image_processor_type",
		`{"size": 0}`:                             "size",
		`{"size": 1e9}`:                           "size",
		`{"size": 2.5}`:                           "size",
		`{"size": "big"}`:                         "size",
		`{"size": [1]}`:                           "size",
		`{"size": {}}`:                            "size",
		`{"size": {"height": 3}}`:                 "size",
		`{"size": {"longest_edge": 3}}`:           "size",
		`{"size": {"height": 3, "width": 3, "shortest_edge": 3}}`:        "size",
		`{"size": {"max_height": 3, "max_width": 3}}`:                    "max_",
		`{"crop_size": {"shortest_edge": 3}}`:                            "crop_size",
		`{"do_center_crop": true}`:                                       "crop_size",
		`{"resample": 6}`:                                                "resample",
		`{"resample": -1}`:                                               "resample",
		`{"image_mean": [1, 2]}`:                                         "image_mean",
		`{"image_std": [1, 0, 1]}`:                                       "image_std",
		`{"image_std": 1e300}`:                                           "image_std",
		`{"do_pad": true, "pad_size": {"height": 9, "width": 9}}`:        "pad_size",
		`{"image_processor_type": "YolosImageProcessor", "pad_size": 9}`: "pad_size",
		`{"do_resize": "yes"}`:                                           "do_resize",
		`{"a": "` + strings.Repeat("x", maxConfig) + `"}`:                "too many",
	} {
		_, err := ParseConfig("c.json", []byte(config))
		require.ErrorIs(t, err, ErrConfig, config)
		require.ErrorContains(t, err, "c.json", config)
		require.ErrorContains(t, err, want, config)
	}
}

func TestRefusesShapesThatExplode(t *testing.T) {
	p, err := ParseConfig("c.json", []byte(`{"image_processor_type": "CLIPImageProcessor", "do_center_crop": false}`))
	require.NoError(t, err)
	pic, err := FromRGB(make([]byte, 3*300), 1, 300)
	require.NoError(t, err)
	_, err = p.Pixels(nil, pic)
	require.NoError(t, err)
	pic, err = FromRGB(make([]byte, 3*30000), 1, 30000)
	require.NoError(t, err)
	_, err = p.Pixels(nil, pic)
	require.ErrorIs(t, err, ErrShape)
	p.Resize = Size{Shortest: 4, Multiple: 16}
	_, _, err = p.Shape(100, 50)
	require.ErrorIs(t, err, ErrShape)
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{"tiny-420.jpg", "turned.png", "turned.webp", "transparent.gif", "turned-6.jpg", "palette.png", "animated.webp", "animated-alpha.webp", "grey16.png"} {
		f.Add(readTestdata(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Decode("f", data, 1<<16)
		if err != nil {
			return
		}
		require.Len(t, p.RGB(), 3*p.Width*p.Height)
	})
}

func FuzzConfig(f *testing.F) {
	for _, c := range readGoldens(f).Cases {
		f.Add([]byte(c.Config))
	}
	pic, err := FromRGB(make([]byte, 3*7*5), 7, 5)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParseConfig("f", data)
		if err != nil {
			return
		}
		w, h, err := p.Shape(pic.Width, pic.Height)
		if err != nil || w*h > 1<<16 || p.Resize.Width*p.Resize.Height > 1<<20 {
			return
		}
		got, err := p.Pixels(nil, pic)
		require.NoError(t, err)
		require.Len(t, got, 3*w*h)
	})
}

// BenchmarkPhotograph is a picture of 12 megapixels, as telephones make them.
func BenchmarkPhotograph(b *testing.B) {
	m := image.NewYCbCr(image.Rect(0, 0, 4000, 3000), image.YCbCrSubsampleRatio420)
	for i := range m.Y {
		m.Y[i] = byte(i>>13 + (i*i>>16)%19) // light and grain
	}
	for i := range m.Cb {
		m.Cb[i], m.Cr[i] = byte(i>>9), byte(i>>5)
	}
	var file bytes.Buffer
	require.NoError(b, jpeg.Encode(&file, m, &jpeg.Options{Quality: 85}))
	p := processors["ViT"]
	p.Rescale = 1.0 / 255
	for b.Loop() {
		pic, err := Decode("a.jpg", file.Bytes(), 0)
		require.NoError(b, err)
		_, err = p.Pixels(nil, pic)
		require.NoError(b, err)
	}
}
