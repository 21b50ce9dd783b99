package picture

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// ErrConfig is a preprocessor_config.json that cannot be followed.
var ErrConfig = errors.New("picture: impossible configuration")

// Limits of what a configuration may ask for.
const (
	maxConfig = 1 << 20 // bytes
	maxEdge   = 1 << 15 // pixels
)

var (
	imagenetMean = [3]float32{0.485, 0.456, 0.406}
	imagenetStd  = [3]float32{0.229, 0.224, 0.225}
	standardMean = [3]float32{0.5, 0.5, 0.5}
	standardStd  = [3]float32{0.5, 0.5, 0.5}
	clipMean     = [3]float32{0.48145466, 0.4578275, 0.40821073}
	clipStd      = [3]float32{0.26862954, 0.26130258, 0.27577711}
)

// processors are the classes of transformers, without what their names end in,
// and what they do where a configuration is silent.
var processors = map[string]Processor{
	"ViT":   {Filter: Bilinear, Resize: Size{Width: 224, Height: 224}, Mean: standardMean, Std: standardStd},
	"DeiT":  {Filter: Bicubic, Resize: Size{Width: 256, Height: 256}, Crop: Size{Width: 224, Height: 224}, Mean: standardMean, Std: standardStd},
	"Bit":   {Filter: Bicubic, Resize: Size{Shortest: 224}, Crop: Size{Width: 224, Height: 224}, Mean: clipMean, Std: clipStd},
	"CLIP":  {Filter: Bicubic, Resize: Size{Shortest: 224}, Crop: Size{Width: 224, Height: 224}, Mean: clipMean, Std: clipStd},
	"Yolos": {Filter: Bilinear, Resize: Size{Shortest: 800, Longest: 1333, Multiple: 16}, Mean: imagenetMean, Std: imagenetStd},
}

// padding is the class that pads unless told otherwise.
const padding = "Yolos"

// suffixes are how the names of those classes went on in different years.
var suffixes = []string{"ImageProcessorFast", "ImageProcessorPil", "ImageProcessor", "FeatureExtractor"}

// configFile is a preprocessor_config.json. What a missing key means is the
// class's to say.
type configFile struct {
	Processor *string `json:"image_processor_type"`
	Extractor *string `json:"feature_extractor_type"`

	DoResize     *bool           `json:"do_resize"`
	Size         json.RawMessage `json:"size"`
	MaxSize      *float64        `json:"max_size"`
	Resample     *int            `json:"resample"`
	DoCenterCrop *bool           `json:"do_center_crop"`
	CropSize     json.RawMessage `json:"crop_size"`
	DoRescale    *bool           `json:"do_rescale"`
	Rescale      *float64        `json:"rescale_factor"`
	DoNormalize  *bool           `json:"do_normalize"`
	Mean         json.RawMessage `json:"image_mean"`
	Std          json.RawMessage `json:"image_std"`
	DoPad        *bool           `json:"do_pad"`
	PadSize      json.RawMessage `json:"pad_size"`
}

// ParseConfig reads a preprocessor_config.json; file names it in errors.
func ParseConfig(file string, data []byte) (*Processor, error) {
	fail := func(key, format string, args ...any) error {
		return fmt.Errorf("%w: %s: %s: %s", ErrConfig, file, key, fmt.Sprintf(format, args...))
	}
	if len(data) > maxConfig {
		return nil, fail("file", "%d bytes are too many (limit %d)", len(data), maxConfig)
	}
	var c configFile
	if err := json.Unmarshal(data, &c); err != nil {
		if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && t.Field != "" {
			return nil, fail(t.Field, "a %s cannot be a %s", t.Value, t.Type)
		}
		return nil, fail("file", "not a JSON object: %v", err)
	}
	class := ""
	for _, name := range []*string{c.Extractor, c.Processor} {
		if name != nil {
			class = *name
		}
	}
	p, err := lookUp(class)
	if err != nil {
		return nil, fail("image_processor_type", "%v", err)
	}
	square := p.Resize.Shortest == 0
	if err := readSize(&p.Resize, c.Size, square); err != nil {
		return nil, fail("size", "%v", err)
	}
	if c.MaxSize != nil && !square && p.Resize.Shortest > 0 {
		if p.Resize.Longest, err = edge(*c.MaxSize); err != nil {
			return nil, fail("max_size", "%v", err)
		}
	}
	if err := readSize(&p.Crop, c.CropSize, true); err != nil {
		return nil, fail("crop_size", "%v", err)
	}
	if p.Crop.Shortest > 0 {
		return nil, fail("crop_size", "must have a height and a width")
	}
	if c.Resample != nil {
		if *c.Resample < 0 || *c.Resample > int(Hamming) {
			return nil, fail("resample", "%d is not one of Pillow's filters 0…%d", *c.Resample, Hamming)
		}
		p.Filter = Filter(*c.Resample)
	}
	p.Rescale = 1.0 / 255
	if c.Rescale != nil {
		p.Rescale = *c.Rescale
	}
	if err := readChannels(&p.Mean, c.Mean); err != nil {
		return nil, fail("image_mean", "%v", err)
	}
	if err := readChannels(&p.Std, c.Std); err != nil {
		return nil, fail("image_std", "%v", err)
	}
	if slices.Contains(p.Std[:], 0) {
		return nil, fail("image_std", "is divided by, and must not be 0")
	}
	if off(c.DoResize) {
		p.Resize = Size{}
	}
	if c.DoCenterCrop != nil && *c.DoCenterCrop && p.Crop == (Size{}) {
		return nil, fail("crop_size", "missing, but do_center_crop is true")
	}
	if off(c.DoCenterCrop) || class != "" && c.DoCenterCrop == nil && processors[trim(class)].Crop == (Size{}) {
		p.Crop = Size{}
	}
	if off(c.DoRescale) {
		p.Rescale = 1
	}
	if off(c.DoNormalize) {
		p.Mean, p.Std = [3]float32{}, [3]float32{1, 1, 1}
	}
	if pads := c.DoPad != nil && *c.DoPad || c.DoPad == nil && trim(class) == padding; pads && !missing(c.PadSize) {
		return nil, fail("pad_size", "padding to a size is not supported")
	}
	return p, nil
}

func missing(v json.RawMessage) bool { return len(v) == 0 || bytes.Equal(v, []byte("null")) }

func off(flag *bool) bool { return flag != nil && !*flag }

func trim(class string) string {
	for _, s := range suffixes {
		if name, ok := strings.CutSuffix(class, s); ok {
			return name
		}
	}
	return class
}

// lookUp finds the defaults of a class. A configuration without one must say
// everything itself; ViT's defaults are the plainest.
func lookUp(class string) (*Processor, error) {
	if class == "" {
		class = "ViT"
	}
	p, ok := processors[trim(class)]
	if !ok {
		known := make([]string, 0, len(processors))
		for name := range processors {
			known = append(known, name+"ImageProcessor")
		}
		slices.Sort(known)
		return nil, fmt.Errorf("%q is not supported; supported: %s", class, strings.Join(known, ", "))
	}
	return &p, nil
}

func edge(v float64) (int, error) {
	if !(v >= 1 && v <= maxEdge) || v != math.Trunc(v) {
		return 0, fmt.Errorf("%v is not a whole number in 1…%d", v, maxEdge)
	}
	return int(v), nil
}

// readSize reads a size in any of its spellings: a number, a pair, an object. A
// number is a square's edge, or the shortest.
func readSize(s *Size, v json.RawMessage, square bool) error {
	if missing(v) {
		return nil
	}
	var number float64
	if json.Unmarshal(v, &number) == nil {
		n, err := edge(number)
		if err != nil {
			return err
		}
		if square {
			*s = Size{Width: n, Height: n}
		} else {
			*s = Size{Shortest: n, Longest: s.Longest, Multiple: s.Multiple}
		}
		return nil
	}
	var pair []float64
	var object map[string]*float64
	if json.Unmarshal(v, &pair) == nil {
		if len(pair) != 2 {
			return fmt.Errorf("%d numbers, want height and width", len(pair))
		}
		object = map[string]*float64{"height": &pair[0], "width": &pair[1]}
	} else if err := json.Unmarshal(v, &object); err != nil {
		return errors.New("neither a number, a pair nor an object of numbers")
	}
	multiple := s.Multiple
	*s = Size{}
	for key, value := range object {
		if value == nil {
			continue
		}
		n, err := edge(*value)
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		switch key {
		case "height":
			s.Height = n
		case "width":
			s.Width = n
		case "shortest_edge":
			s.Shortest = n
		case "longest_edge":
			s.Longest = n
		default:
			return fmt.Errorf("%q is not supported; supported: height and width, shortest_edge, shortest_edge and longest_edge", key)
		}
	}
	if whole := s.Height > 0 && s.Width > 0; whole == (s.Shortest > 0) || (s.Height > 0) != (s.Width > 0) || whole && s.Longest > 0 {
		return errors.New("must have height and width, or shortest_edge with or without longest_edge")
	}
	if s.Shortest > 0 {
		s.Multiple = multiple
	}
	return nil
}

// readChannels reads a number, or one for each channel.
func readChannels(dst *[3]float32, v json.RawMessage) error {
	if missing(v) {
		return nil
	}
	var one float64
	values := []float64{}
	if json.Unmarshal(v, &one) == nil {
		values = []float64{one, one, one}
	} else if json.Unmarshal(v, &values) != nil || len(values) != 3 {
		return errors.New("neither a number nor three")
	}
	for i, x := range values {
		if math.Abs(x) > math.MaxFloat32 {
			return fmt.Errorf("%v is not finite in float32", x)
		}
		dst[i] = float32(x)
	}
	return nil
}
