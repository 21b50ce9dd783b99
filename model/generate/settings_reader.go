package generate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// settingsReader reads values and notes what is wrong with them.
type settingsReader struct {
	file     string
	values   map[string]json.RawMessage
	problems []string
}

func (r *settingsReader) problem(key, format string, args ...any) {
	r.problems = append(r.problems, key+": "+fmt.Sprintf(format, args...))
}

// value gives what a key has; null is as no key.
func (r *settingsReader) value(key string) ([]byte, bool) {
	v, ok := r.values[key]
	return v, ok && !bytes.Equal(v, []byte("null"))
}

// shown is a value as a message shows it: on one line, and short.
func shown(v []byte) string {
	const limit = 40
	line := strings.Join(strings.Fields(string(v)), " ")
	if len(line) > limit {
		return strings.ToValidUTF8(line[:limit], "") + "…"
	}
	return line
}

func (r *settingsReader) int(key string, least int64) *int {
	v, ok := r.value(key)
	if !ok {
		return nil
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil || n < least || n > math.MaxInt32 {
		r.problem(key, "%s is not a whole number in %d…%d", shown(v), least, math.MaxInt32)
		return nil
	}
	i := int(n)
	return &i
}

// id reads a token. -1, which some files have for one that does not exist, is none.
func (r *settingsReader) id(key string) *int {
	if v, ok := r.value(key); ok && string(v) == "-1" {
		return nil
	}
	return r.int(key, 0)
}

// starts reads a token or a list of them; -1 is none.
func (r *settingsReader) starts(key string) []int32 {
	if v, ok := r.value(key); ok && string(v) == "-1" {
		return nil
	}
	return r.ids(key)
}

// ids reads a token or a list of them.
func (r *settingsReader) ids(key string) []int32 {
	v, ok := r.value(key)
	if !ok {
		return nil
	}
	if v[0] != '[' {
		if n := r.int(key, 0); n != nil {
			return []int32{int32(*n)}
		}
		return nil
	}
	var list []int32
	if err := json.Unmarshal(v, &list); err != nil || slices.ContainsFunc(list, negative) {
		r.problem(key, "%s is not a list of tokens", shown(v))
		return nil
	}
	return list
}

func (r *settingsReader) words(key string) [][]int32 {
	v, ok := r.value(key)
	if !ok {
		return nil
	}
	var words [][]int32
	err := json.Unmarshal(v, &words)
	for _, w := range words {
		if len(w) == 0 || slices.ContainsFunc(w, negative) {
			err = errors.New("no word")
		}
	}
	if err != nil {
		r.problem(key, "%s is not a list of lists of tokens", shown(v))
		return nil
	}
	return words
}

func negative(id int32) bool { return id < 0 }

func (r *settingsReader) float(key string, lo, hi float64) *float64 {
	v, ok := r.value(key)
	if !ok {
		return nil
	}
	x, err := strconv.ParseFloat(string(v), 64)
	if err != nil || !(x >= lo && x <= hi) {
		r.problem(key, "%s is not a number in %g…%g", shown(v), lo, hi)
		return nil
	}
	return &x
}

// penalty reads a factor, which must be above 0.
func (r *settingsReader) penalty(key string) *float64 {
	x := r.float(key, 0, math.MaxFloat32)
	if x != nil && *x == 0 {
		r.problem(key, "0 is not above 0")
	}
	return x
}

func (r *settingsReader) early(key string) *EarlyStopping {
	v, ok := r.value(key)
	if !ok {
		return nil
	}
	e, known := map[string]EarlyStopping{"false": EarlyFalse, "true": EarlyTrue, `"never"`: EarlyNever}[string(v)]
	if !known {
		r.problem(key, `%s is neither true, false nor "never"`, shown(v))
		return nil
	}
	return &e
}
