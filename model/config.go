package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
)

// Limits of what a config.json may ask for. They are far above every published
// model; what they keep out is arithmetic that overflows. Memory is bounded
// otherwise: nothing is allocated before the checkpoint has shown that it holds
// tensors of these sizes.
const (
	maxWidth     = 1 << 20 // hidden, feed-forward, head size
	maxVocab     = 1 << 24
	maxPositions = 1 << 24
	maxLayers    = 4096
	maxHeads     = 1 << 14
	maxLabels    = 1 << 20
	maxConfig    = 16 << 20 // bytes of config.json: id2label of a large label set fits
)

// A config reads a config.json. Every accessor takes the default that Hugging
// Face gives a missing key, and notes what is wrong with a present one; err
// reports all of it at once.
type config struct {
	file     string
	values   map[string]json.RawMessage
	nulls    map[string]bool // keys that are there without a value
	problems *[]string
	path     string // before the keys in problems: "rope_parameters."
}

func parseConfig(file string, data []byte) (*config, error) {
	c := &config{file: file, problems: new([]string)}
	if len(data) > maxConfig {
		return nil, &ConfigError{file, []string{fmt.Sprintf("%d bytes are too many (limit %d)", len(data), maxConfig)}}
	}
	if err := json.Unmarshal(data, &c.values); err != nil {
		return nil, &ConfigError{file, []string{"not a JSON object: " + strings.TrimPrefix(err.Error(), "json: ")}}
	}
	if c.values == nil {
		return nil, &ConfigError{file, []string{"not a JSON object"}}
	}
	c.dropNulls()
	return c, nil
}

// dropNulls takes keys without a value, Python's None, for keys that are not
// there, which mostly means the same; null tells where it does not.
func (c *config) dropNulls() {
	c.nulls = map[string]bool{}
	for key, v := range c.values {
		if bytes.Equal(v, []byte("null")) {
			c.nulls[key] = true
			delete(c.values, key)
		}
	}
}

// preset gives a key a value where the file has none.
func (c *config) preset(key, value string) {
	if !c.has(key) {
		c.values[key] = json.RawMessage(value)
	}
}

// null says whether a key is there without a value, which then means none at
// all, and not the default.
func (c *config) null(key string) bool { return c.nulls[key] }

// object reads an object; without the key, an empty one.
func (c *config) object(key string) *config {
	o := &config{file: c.file, problems: c.problems, path: c.path + key + "."}
	if v, ok := c.values[key]; ok {
		if err := json.Unmarshal(v, &o.values); err != nil {
			c.problem(key, "%s is not an object", shown(v))
		}
	}
	o.dropNulls()
	return o
}

func (c *config) problem(key, format string, args ...any) {
	*c.problems = append(*c.problems, c.path+key+": "+fmt.Sprintf(format, args...))
}

func (c *config) err() error {
	if len(*c.problems) == 0 {
		return nil
	}
	return &ConfigError{c.file, *c.problems}
}

func (c *config) has(key string) bool {
	_, ok := c.values[key]
	return ok
}

// shown is a value as an error message shows it: on one line, and short.
func shown(v []byte) string {
	const limit = 40
	line := strings.Join(strings.Fields(string(v)), " ")
	if len(line) > limit {
		return strings.ToValidUTF8(line[:limit], "") + "…"
	}
	return line
}

// int reads an integer in [lo, hi].
func (c *config) int(key string, def, lo, hi int) int {
	v, ok := c.values[key]
	if !ok {
		return def
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil {
		c.problem(key, "%s is not a whole number in %d…%d", shown(v), lo, hi)
		return def
	}
	if n < int64(lo) || n > int64(hi) {
		c.problem(key, "%d is outside %d…%d", n, lo, hi)
		return def
	}
	return int(n)
}

// pair reads two integers in [lo, hi], which one number means too.
func (c *config) pair(key string, def, lo, hi int) [2]int {
	var list []json.RawMessage
	v, ok := c.values[key]
	if !ok || json.Unmarshal(v, &list) != nil {
		n := c.int(key, def, lo, hi)
		return [2]int{n, n}
	}
	if len(list) != 2 {
		c.problem(key, "%d numbers, want height and width", len(list))
		return [2]int{def, def}
	}
	var p [2]int
	for i := range p {
		one := config{values: map[string]json.RawMessage{key: list[i]}, problems: c.problems, path: c.path}
		p[i] = one.int(key, def, lo, hi)
	}
	return p
}

// float reads a finite number in [lo, hi].
func (c *config) float(key string, def, lo, hi float64) float64 {
	v, ok := c.values[key]
	if !ok {
		return def
	}
	// ParseFloat also takes "NaN" and "Inf", but those are not JSON.
	x, err := strconv.ParseFloat(string(v), 64)
	if err != nil {
		c.problem(key, "%s is not a number", shown(v))
		return def
	}
	if !(x >= lo && x <= hi) {
		c.problem(key, "%s is outside %g…%g", shown(v), lo, hi)
		return def
	}
	return x
}

func (c *config) bool(key string, def bool) bool {
	v, ok := c.values[key]
	if !ok {
		return def
	}
	switch string(v) {
	case "true":
		return true
	case "false":
		return false
	}
	c.problem(key, "%s is neither true nor false", shown(v))
	return def
}

func (c *config) string(key, def string) string {
	v, ok := c.values[key]
	if !ok {
		return def
	}
	var s string
	if err := json.Unmarshal(v, &s); err != nil {
		c.problem(key, "%s is not a string", shown(v))
		return def
	}
	return s
}

func (c *config) strings(key string) []string {
	v, ok := c.values[key]
	if !ok {
		return nil
	}
	var s []string
	if err := json.Unmarshal(v, &s); err != nil {
		c.problem(key, "%s is not a list of strings", shown(v))
		return nil
	}
	return s
}

// eps reads the small number that a norm adds to the variance. Zero is allowed,
// as torch allows it.
func (c *config) eps(key string, def float64) float32 {
	return float32(c.float(key, def, 0, 1))
}

// labels reads the names of a classifier's classes: id2label, or as many as
// num_labels says, called LABEL_0 and so on, which is also what Hugging Face
// calls them. The default is two.
func (c *config) labels() []string {
	n := c.int("num_labels", 2, 1, maxLabels)
	if v, ok := c.values["id2label"]; ok {
		names, err := labelNames(v)
		if err != nil {
			c.problem("id2label", "%v", err)
		} else {
			return names
		}
	}
	names := make([]string, n)
	for i := range names {
		names[i] = "LABEL_" + strconv.Itoa(i)
	}
	return names
}

// labelNames reads {"0": "negative", "1": "positive"}: the classes 0…n-1, each once.
func labelNames(v json.RawMessage) ([]string, error) {
	var byID map[string]any
	if err := json.Unmarshal(v, &byID); err != nil {
		return nil, fmt.Errorf("%s is not an object", shown(v))
	}
	if len(byID) == 0 || len(byID) > maxLabels {
		return nil, fmt.Errorf("%d labels are outside 1…%d", len(byID), maxLabels)
	}
	names := make([]string, len(byID))
	seen := make([]bool, len(byID))
	for key, name := range byID {
		i, err := strconv.Atoi(key)
		if err != nil || i < 0 || i >= len(names) || seen[i] {
			return nil, fmt.Errorf("%q is not one of the classes 0…%d", key, len(names)-1)
		}
		seen[i] = true
		// Labels that are numbers are written as such by some tools.
		if names[i], err = labelName(name); err != nil {
			return nil, fmt.Errorf("%q: %w", key, err)
		}
	}
	return names, nil
}

func labelName(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return strconv.FormatInt(int64(v), 10), nil
		}
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	}
	return "", fmt.Errorf("the label is neither a string nor a number")
}

// activation reads the name of an activation function as transformers names it.
func (c *config) activation(key, def string) Activation {
	return c.activationNamed(key, c.string(key, def))
}

// activationNamed finds the activation of a name that a key gave.
func (c *config) activationNamed(key, name string) Activation {
	act, ok := activations[name]
	if !ok {
		known := make([]string, 0, len(activations))
		for k := range activations {
			known = append(known, k)
		}
		sort.Strings(known)
		c.problem(key, "activation %q is not supported; supported: %s", name, strings.Join(known, ", "))
	}
	return act
}
