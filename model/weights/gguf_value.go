package weights

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Kind is the type of a value of GGUF metadata.
type Kind uint8

// The kinds, numbered as in files.
const (
	KindUint8 Kind = iota
	KindInt8
	KindUint16
	KindInt16
	KindUint32
	KindInt32
	KindFloat32
	KindBool
	KindString
	KindArray
	KindUint64
	KindInt64
	KindFloat64
)

// kinds says what each Kind is called and how many bytes it takes; 0: it varies.
var kinds = [...]struct {
	name string
	size int
}{
	{"uint8", 1}, {"int8", 1}, {"uint16", 2}, {"int16", 2}, {"uint32", 4}, {"int32", 4}, {"float32", 4},
	{"bool", 1}, {"string", 0}, {"array", 0}, {"uint64", 8}, {"int64", 8}, {"float64", 8},
}

func (k Kind) String() string {
	if int(k) >= len(kinds) {
		return fmt.Sprintf("Kind(%d)", uint8(k))
	}
	return kinds[k].name
}

// A Value is a value of GGUF metadata: a number, a bool, a string, or an array
// of values of one kind. Its methods say whether it is what they are asked for,
// instead of failing. The zero Value is the uint8 0.
type Value struct {
	kind, elem Kind   // elem: of an array's elements
	n          int    // an array's length
	bits       uint64 // a number or bool, little-endian
	data       []byte // of a string, or an array's elements, as in the file
	begin, end int    // of data in a header that is still being read
}

// readBits reads up to 8 bytes.
func readBits(b []byte) uint64 {
	var wide [8]byte
	copy(wide[:], b)
	return binary.LittleEndian.Uint64(wide[:])
}

// Kind is the type of the value.
func (v Value) Kind() Kind { return v.kind }

// Elem is the type of an array's elements.
func (v Value) Elem() (Kind, bool) { return v.elem, v.kind == KindArray }

// Len is the number of an array's elements; 0 for other values.
func (v Value) Len() int { return v.n }

// Int is an integer of any width that an int64 can hold.
func (v Value) Int() (int64, bool) {
	switch v.kind {
	case KindUint8, KindUint16, KindUint32:
		return int64(v.bits), true
	case KindInt8:
		return int64(int8(v.bits)), true
	case KindInt16:
		return int64(int16(v.bits)), true
	case KindInt32:
		return int64(int32(v.bits)), true
	case KindUint64:
		return int64(v.bits), v.bits <= math.MaxInt64
	case KindInt64:
		return int64(v.bits), true
	}
	return 0, false
}

// Float is a float of either width, or an integer.
func (v Value) Float() (float64, bool) {
	switch v.kind {
	case KindFloat32:
		return float64(math.Float32frombits(uint32(v.bits))), true
	case KindFloat64:
		return math.Float64frombits(v.bits), true
	case KindUint64:
		return float64(v.bits), true
	}
	i, ok := v.Int()
	return float64(i), ok
}

// Bool is a bool.
func (v Value) Bool() (value, ok bool) { return v.bits == 1, v.kind == KindBool }

// Text is a string. It may be no valid UTF-8.
func (v Value) Text() (string, bool) {
	if v.kind != KindString {
		return "", false
	}
	return string(v.data), true
}

// Ints is an array of integers that int64 can hold.
func (v Value) Ints() ([]int64, bool) { return listOf(v, Value.Int) }

// Floats is an array of floats or integers.
func (v Value) Floats() ([]float64, bool) { return listOf(v, Value.Float) }

// Bools is an array of bools.
func (v Value) Bools() ([]bool, bool) { return listOf(v, Value.Bool) }

// listOf gives the elements of an array of numbers or bools.
func listOf[T any](v Value, get func(Value) (T, bool)) ([]T, bool) {
	if v.kind != KindArray || kinds[v.elem].size == 0 {
		return nil, false
	}
	list := make([]T, 0, v.n)
	for e := range v.elements {
		x, ok := get(e)
		if !ok {
			return nil, false
		}
		list = append(list, x)
	}
	return list, true
}

// Strings is an array of strings. They may be no valid UTF-8.
func (v Value) Strings() ([]string, bool) {
	if v.kind != KindArray || v.elem != KindString {
		return nil, false
	}
	list := make([]string, 0, v.n)
	all := string(v.data) // once, instead of a piece of memory for each
	for len(list) < v.n {
		n := int(binary.LittleEndian.Uint64([]byte(all[:8])))
		list = append(list, all[8:8+n])
		all = all[8+n:]
	}
	return list, true
}

// Values is an array's elements, of whatever kind.
func (v Value) Values() ([]Value, bool) {
	if v.kind != KindArray {
		return nil, false
	}
	list := make([]Value, 0, v.n)
	for e := range v.elements {
		list = append(list, e)
	}
	return list, true
}

// elements gives the elements of an array one by one.
func (v Value) elements(yield func(Value) bool) {
	data := v.data
	for range v.n {
		e, n := readValue(data, v.elem)
		if !yield(e) {
			return
		}
		data = data[n:]
	}
}

// readValue reads a value that is known to be there, and says how long it is.
func readValue(data []byte, kind Kind) (v Value, n int) {
	v.kind = kind
	switch kind {
	case KindString:
		n = 8 + int(binary.LittleEndian.Uint64(data))
		v.data = data[8:n:n]
	case KindArray:
		v.elem = Kind(binary.LittleEndian.Uint32(data))
		v.n = int(binary.LittleEndian.Uint64(data[4:]))
		const start = 12
		n = start
		for range v.n {
			if size := kinds[v.elem].size; size > 0 {
				n += size * v.n
				break
			}
			_, m := readValue(data[n:], v.elem)
			n += m
		}
		v.data = data[start:n:n]
	default:
		n = kinds[kind].size
		v.bits = readBits(data[:n])
	}
	return v, n
}

// String shows the value: numbers as numbers, of an array the length and the
// first few elements.
func (v Value) String() string {
	switch v.kind {
	case KindString:
		return string(v.data)
	case KindBool:
		return strconv.FormatBool(v.bits == 1)
	case KindUint64:
		return strconv.FormatUint(v.bits, 10)
	case KindFloat32:
		return strconv.FormatFloat(float64(math.Float32frombits(uint32(v.bits))), 'g', -1, 32)
	case KindFloat64:
		return strconv.FormatFloat(math.Float64frombits(v.bits), 'g', -1, 64)
	case KindArray:
		return v.arrayString()
	}
	i, _ := v.Int()
	return strconv.FormatInt(i, 10)
}

func (v Value) arrayString() string {
	const most = 8
	var b strings.Builder
	b.WriteByte('[')
	i := 0
	for e := range v.elements {
		if i > 0 {
			b.WriteString(", ")
		}
		if i == most {
			fmt.Fprintf(&b, "… %d in all", v.n)
			break
		}
		if e.kind == KindString {
			b.WriteString(quote(string(e.data)))
		} else {
			b.WriteString(e.String())
		}
		i++
	}
	b.WriteByte(']')
	return b.String()
}
